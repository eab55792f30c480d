"""The 68 landmarks of a face (dlib, iBUG 300-W order): groups, mirror pairs, and a mean shape.

Head frame of this file: millimetres, x to the image right of a face that looks at the camera, y up,
z out of the face; the origin lies between the outer eye corners, which are 90 mm apart. The mean is
the average of two adults, mirrored: its lateral and vertical values are measured, its depth is
mostly an anthropometric prior. It starts and regularises the tracking of one person's own shape.
"""

from __future__ import annotations

import numpy as np

NUM_POINTS = 68
CONTOUR = tuple(range(17))
RIGHT_BROW, LEFT_BROW = tuple(range(17, 22)), tuple(range(22, 27))
BROWS = RIGHT_BROW + LEFT_BROW
NOSE_BRIDGE, NOSE_BASE = tuple(range(27, 31)), tuple(range(31, 36))
NOSE = NOSE_BRIDGE + NOSE_BASE
RIGHT_EYE, LEFT_EYE = tuple(range(36, 42)), tuple(range(42, 48))
EYES = RIGHT_EYE + LEFT_EYE
EYE_CORNERS = (36, 39, 42, 45)
LIDS = tuple(point for point in EYES if point not in EYE_CORNERS)
OUTER_LIP, INNER_LIP = tuple(range(48, 60)), tuple(range(60, 68))
LIPS = OUTER_LIP + INNER_LIP

# Points that speech and expression move least, by which the pose is judged.
RIGID = EYE_CORNERS + NOSE

# Upper and lower point of each pair whose distances say how far an eye is open.
LID_PAIRS = ((37, 41), (38, 40), (43, 47), (44, 46))

# Nominal, because a picture has no scale: every length of a tracked head is relative to it.
OUTER_EYE_DISTANCE = 90.0

# (point, its mirror image, x, y, z): left half of the picture and midline, mm.
_HALF = (
    (0, 16, -78.6, -2.6, -54.9),
    (1, 15, -76.8, -23.4, -50.4),
    (2, 14, -74.5, -43.8, -45.0),
    (3, 13, -64.7, -60.3, -38.1),
    (4, 12, -57.7, -77.0, -26.4),
    (5, 11, -47.5, -91.3, -11.7),
    (6, 10, -34.2, -101.7, 3.8),
    (7, 9, -18.1, -111.1, 16.3),
    (8, 8, 0.0, -114.8, 21.4),
    (17, 26, -57.8, 11.6, 1.0),
    (18, 25, -50.4, 19.6, 10.8),
    (19, 24, -38.9, 22.7, 17.7),
    (20, 23, -27.0, 21.2, 21.8),
    (21, 22, -15.1, 16.7, 23.9),
    (27, 27, 0.0, 1.0, 22.6),
    (28, 28, 0.0, -11.6, 32.8),
    (29, 29, 0.0, -23.9, 43.4),
    (30, 30, 0.0, -36.4, 54.1),
    (31, 35, -13.6, -44.9, 32.4),
    (32, 34, -7.1, -47.6, 36.7),
    (33, 33, 0.0, -50.0, 40.7),
    (36, 45, -44.5, 0.0, 0.0),
    (37, 44, -37.2, 3.4, 11.6),
    (38, 43, -26.3, 3.2, 14.4),
    (39, 42, -19.0, -1.4, 9.6),
    (40, 47, -26.3, -7.3, 13.6),
    (41, 46, -37.2, -7.3, 10.7),
    (48, 54, -26.3, -68.5, 24.2),
    (49, 53, -16.4, -62.6, 33.2),
    (50, 52, -6.2, -59.6, 38.0),
    (51, 51, 0.0, -60.7, 39.1),
    (57, 57, 0.0, -80.6, 36.2),
    (58, 56, -6.5, -79.9, 35.2),
    (59, 55, -16.1, -77.0, 31.8),
    (60, 64, -22.9, -68.7, 25.3),
    (61, 63, -7.2, -66.7, 35.6),
    (62, 62, 0.0, -66.8, 37.5),
    (66, 66, 0.0, -71.8, 36.6),
    (67, 65, -7.0, -71.6, 34.6),
)


def _whole() -> tuple[np.ndarray, np.ndarray]:
    """The full shape, and every point's mirror partner."""
    shape, mirror = np.empty((NUM_POINTS, 3)), np.empty(NUM_POINTS, np.int64)
    for point, partner, x, y, z in _HALF:
        shape[partner] = (-x, y, z)
        shape[point] = (x, y, z)
        mirror[point], mirror[partner] = partner, point
    return shape, mirror


MEAN_SHAPE, MIRROR = _whole()  # [68, 3] mm; [68] indices


def lip_gap(landmarks: np.ndarray) -> np.ndarray:
    """Returns how far the lips are apart in the middle, in the landmarks' units.

    Args:
      landmarks: [..., 68, D].

    Returns:
      [...] distance between points 62 and 66.
    """
    return np.linalg.norm(landmarks[..., 62, :] - landmarks[..., 66, :], axis=-1)


def lid_gap(landmarks: np.ndarray) -> np.ndarray:
    """Returns the mean distance between the lids of both eyes, in the landmarks' units.

    Args:
      landmarks: [..., 68, D].

    Returns:
      [...].
    """
    upper, lower = np.array(LID_PAIRS).T
    return np.linalg.norm(landmarks[..., upper, :] - landmarks[..., lower, :], axis=-1).mean(-1)


def eye_distance(landmarks: np.ndarray) -> np.ndarray:
    """Returns the distance between the outer eye corners, in the landmarks' units.

    Args:
      landmarks: [..., 68, D].

    Returns:
      [...].
    """
    return np.linalg.norm(landmarks[..., 36, :] - landmarks[..., 45, :], axis=-1)
