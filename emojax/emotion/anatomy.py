"""A face's own frame, and the points by which it is moved.

Head frame of a picture: origin between the eyes' centres, x along the line from the eye on the
picture's left to the other, y down the face, one unit the distance of the eyes' centres (the
interocular distance, IOD). Whoever stands upright has the picture's axes.

Control points are the 68 landmarks (`face68`) and 37 points of skin that no landmark marks, placed
by proportion: cheeks, nasolabial folds, skin under the eyes, the boss of the chin, two rows over
the brows and one under them. C counts them all; `NAMES` says where the others stand.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from emojax.data import face68
from emojax.data.errors import DataError

# Both of each pair: the one on the picture's left first.
NAMES = {
    "cheek": (68, 69),
    "nasolabial": (70, 71),
    "under_eye": (72, 73),
    "chin": (74,),
    "over_brow": tuple(range(75, 85)),  # follow the brow below them
    "hairline": tuple(range(85, 95)),
    "under_brow": tuple(range(95, 105)),  # as the brow: its hair moves as a whole
}
COUNT = 105
OVER_BROW, HAIRLINE = 0.22, 0.60  # IOD above the brow's points
UNDER_BROW, LEAST_UNDER, MOST_UNDER = 0.4, 0.02, 0.08  # of the way to the eye; IOD
# -1 on the picture's left half of the face, 1 on the right, 0 in the middle.
SIDE = np.zeros(COUNT)
for _point, _partner in enumerate(face68.MIRROR):
    SIDE[_point] = np.sign(face68.MEAN_SHAPE[_point, 0]) if _point != _partner else 0
for _name in ("cheek", "nasolabial", "under_eye"):
    SIDE[list(NAMES[_name])] = (-1, 1)
for _name in ("over_brow", "hairline", "under_brow"):
    SIDE[list(NAMES[_name])] = SIDE[list(face68.BROWS)]

SMALLEST = 16.0  # IOD, pixels: below, lids are two pixels apart and nothing can be drawn on them
# The nearer half of a turned face is wider: 1.9 times at about 25 degrees of the mean face.
MOST_TURNED = 1.9
# Landmarks may lie this far outside of the picture, IOD: an ear or a chin that is cut off.
MOST_OUTSIDE = 0.35
NEEDED = face68.EYES + face68.BROWS + face68.LIPS + face68.NOSE


@dataclasses.dataclass(frozen=True)
class HeadFrame:
    """Where a face is in its picture.

    Attributes:
      origin: [2] between the eyes' centres, pixels.
      axes: [2, 2] unit vectors x and y of the head frame, in rows, pixels.
      unit: pixels in one IOD.
    """

    origin: np.ndarray
    axes: np.ndarray
    unit: float

    def to_head(self, points: np.ndarray) -> np.ndarray:
        """Returns points [..., 2] of the picture in the head frame."""
        return np.einsum("...i,ji->...j", points - self.origin, self.axes) / self.unit

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Returns points [..., 2] of the head frame in pixels of the picture."""
        return self.vectors(points) + self.origin

    def vectors(self, vectors: np.ndarray) -> np.ndarray:
        """Returns vectors [..., 2] of the head frame in pixels of the picture."""
        return np.einsum("...i,ij->...j", vectors, self.axes) * self.unit


def head_frame(landmarks: np.ndarray) -> HeadFrame:
    """Returns the frame of a face.

    Args:
      landmarks: [68, 2] pixels.
    """
    left = landmarks[list(face68.RIGHT_EYE)].mean(axis=0)
    right = landmarks[list(face68.LEFT_EYE)].mean(axis=0)
    across = np.float64(right - left)
    unit = float(np.linalg.norm(across))
    x = across / max(unit, 1e-9)
    return HeadFrame(np.float64(left + right) / 2, np.array([x, [-x[1], x[0]]]), unit)


def controls(landmarks: np.ndarray) -> np.ndarray:
    """Returns all control points of a face.

    Args:
      landmarks: [68, 2] in the head frame.

    Returns:
      float64 [C, 2] in the head frame.
    """
    points = np.empty((COUNT, 2))
    points[:68] = landmarks
    for place, (eye, corner, wing) in enumerate(
        ((face68.RIGHT_EYE, 48, 31), (face68.LEFT_EYE, 54, 35))
    ):
        out = 2 * place - 1
        centre = landmarks[list(eye)].mean(axis=0)
        points[NAMES["cheek"][place]] = (centre + landmarks[corner]) / 2 + (0.14 * out, 0)
        points[NAMES["nasolabial"][place]] = landmarks[wing] + (0.17 * out, -0.05)
        points[NAMES["under_eye"][place]] = (centre[0], centre[1] + 0.20)
    points[NAMES["chin"][0]] = (landmarks[57] + landmarks[8]) / 2
    brows = landmarks[list(face68.BROWS)]
    points[list(NAMES["over_brow"])] = brows - (0, OVER_BROW)
    points[list(NAMES["hairline"])] = brows - (0, HAIRLINE)
    tops = np.repeat([landmarks[[37, 38], 1].mean(), landmarks[[43, 44], 1].mean()], 5)
    under = np.clip(UNDER_BROW * (tops - brows[:, 1]), LEAST_UNDER, MOST_UNDER)
    points[list(NAMES["under_brow"])] = brows + np.stack([np.zeros(10), under], axis=-1)
    return points


def halves(landmarks: np.ndarray) -> np.ndarray:
    """Returns how wide the halves of a face look against their mean: 1 and 1 from the front.

    Args:
      landmarks: [68, 2] in the head frame.

    Returns:
      [2] of the picture's left and right half, 0.5 to 1.5 each.
    """
    widths = np.abs(landmarks[[36, 45], 0] - landmarks[27, 0])
    return np.clip(widths / max(widths.mean(), 1e-9), 0.5, 1.5)


def fault(landmarks: np.ndarray | None, shape: tuple[int, ...]) -> str | None:
    """Returns why a face cannot be moved, or None where it can.

    Args:
      landmarks: [68, 2] pixels, or None where there are none.
      shape: of the picture, height and width first.
    """
    if landmarks is None or not np.isfinite(landmarks).all():
        return "without landmarks"
    frame = head_frame(landmarks)
    if frame.unit < SMALLEST:
        return f"tiny: {frame.unit:.0f} pixels between the eyes, {SMALLEST:.0f} needed"
    head = frame.to_head(landmarks)
    widths = np.abs(head[[36, 45], 0] - head[27, 0])
    if widths.max() > MOST_TURNED * widths.min():
        return f"turned away: one half {widths.max() / max(widths.min(), 1e-9):.1f} times as wide"
    far = np.array(shape[1::-1]) - 1
    needed = landmarks[list(NEEDED)]
    outside = np.maximum(-needed, needed - far).max() / frame.unit
    if outside > MOST_OUTSIDE:
        return f"cut off: eyes, brows or mouth lie {outside:.1f} eye distances outside the picture"
    return None


def check_landmarks(landmarks: np.ndarray, num_frames: int) -> np.ndarray:
    """Returns landmarks of some frames as float64 [T, 68, 2].

    Args:
      landmarks: what was given for them.
      num_frames: T.

    Raises:
      DataError: another shape.
    """
    landmarks = np.asarray(landmarks, np.float64)
    if landmarks.shape != (num_frames, 68, 2):
        raise DataError(
            expected=f"68 landmarks of {num_frames} pictures, [{num_frames}, 68, 2] pixels",
            got=str(list(landmarks.shape)),
            fix="Give each picture its landmarks; NaN where a picture has none.",
        )
    return landmarks
