"""What 68 landmarks tell of an expression: a dozen lengths that a face in a picture has.

Points are put into the face's own frame first: the origin between the outer corners of the eyes,
x along the line through them, y up, their distance 1. A head that turns or nods changes the lengths
too, so they are for faces within about 20 degrees of the camera, or to be compared with the same
pose at rest.
"""

from __future__ import annotations

import numpy as np

NAMES = (
    "inner brow",  # height over the inner corners of the eyes
    "outer brow",  # height over the outer corners
    "brow gap",  # between the inner ends
    "eye opening",
    "upper lid",  # height over the line through the eye's corners
    "mouth width",
    "corner height",  # over the middle of the lips
    "upper lip",  # below the nose
    "lower lip",  # over the chin
    "lip opening",
    "lip thickness",
)
_LEFT, _RIGHT = 36, 45  # outer corners of the eyes


def face_frame(landmarks: np.ndarray) -> np.ndarray:
    """Returns landmarks in the face's own frame, float64 [..., 68, 2].

    Args:
      landmarks: [..., 68, 2] pixels, y down.

    Raises:
      ValueError: another shape, or eyes in one place.
    """
    points = np.asarray(landmarks, np.float64) * (1, -1)
    if points.shape[-2:] != (68, 2):
        raise ValueError(f"landmarks: expected shape [..., 68, 2], got {np.shape(landmarks)}")
    left, right = points[..., _LEFT, :], points[..., _RIGHT, :]
    axis = right - left
    length = np.linalg.norm(axis, axis=-1)
    if not (length > 0).all():
        raise ValueError("landmarks: expected eyes apart, got corners in one place or NaN")
    along = axis / length[..., None] ** 2
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    centred = points - ((left + right) / 2)[..., None, :]
    return np.stack(
        [np.einsum("...nj,...j->...n", centred, direction) for direction in (along, across)],
        axis=-1,
    )


def measure(landmarks: np.ndarray) -> np.ndarray:
    """Returns the lengths `NAMES` in units of the distance of the eyes' outer corners, [..., 11].

    Args:
      landmarks: [..., 68, 2] pixels, y down.

    Raises:
      ValueError: as `face_frame`.
    """
    points = face_frame(landmarks)

    def x(*which: int) -> np.ndarray:
        return points[..., list(which), 0].mean(axis=-1)

    def y(*which: int) -> np.ndarray:
        return points[..., list(which), 1].mean(axis=-1)

    corners = y(48, 54)
    middle = y(51, 57)
    return np.stack(
        [
            y(20, 21, 22, 23) - y(39, 42),
            y(17, 18, 25, 26) - y(36, 45),
            x(22) - x(21),
            y(37, 38, 43, 44) - y(40, 41, 46, 47),
            y(37, 38, 43, 44) - y(36, 39, 42, 45),
            x(54) - x(48),
            corners - middle,
            y(33) - y(50, 51, 52),
            y(56, 57, 58) - y(8),
            y(61, 62, 63) - y(65, 66, 67),
            y(50, 51, 52) - y(61, 62, 63) + y(65, 66, 67) - y(56, 57, 58),
        ],
        axis=-1,
    )
