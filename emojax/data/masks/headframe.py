"""The head frame of a picture: image offsets from between the eyes, in outer eye distances.

A point of a portrait has head coordinates (a, b): a along the line from the outer corner of the eye
at the picture's left to that at its right, b across it and down the face, origin midway, unit the
distance of the two corners. Rules about a head read the same there for every size, place and roll:
the chin lies near b = 1.3, the top of the hair near b = -1.3, the ears near a = +-0.9.

Landmarks are float [68, 2] (x, y) in the iBUG order, integers at pixel centres.
"""

from __future__ import annotations

import numpy as np

# Outer corners of the eyes.
LEFT, RIGHT = 36, 45


def affine(landmarks: np.ndarray) -> np.ndarray:
    """Returns the map from pixels to head coordinates, float64 [2, 3]: (a, b) = M (x, y, 1).

    Args:
      landmarks: [68, 2] pixels.
    """
    left, right = np.asarray(landmarks[[LEFT, RIGHT]], np.float64)
    axis = right - left
    axis = axis / max(axis @ axis, 1e-6)
    rotation = np.array([axis, [-axis[1], axis[0]]])
    return np.concatenate([rotation, -rotation @ (left + right)[:, None] / 2], axis=1)


def points(landmarks: np.ndarray) -> np.ndarray:
    """Returns the landmarks in their own head frame.

    Args:
      landmarks: [68, 2] pixels.

    Returns:
      float64 [68, 2] (a, b).
    """
    matrix = affine(landmarks)
    return np.asarray(landmarks, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def grids(landmarks: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the head coordinates of every pixel of a square picture.

    Args:
      landmarks: [68, 2] pixels.
      size: side of the picture, pixels.

    Returns:
      a, b: float32 [size, size] each.
    """
    (ax, ay, a0), (bx, by, b0) = affine(landmarks).astype(np.float32)
    index = np.arange(size, dtype=np.float32)
    return ax * index + (ay * index + a0)[:, None], bx * index + (by * index + b0)[:, None]


def rescale(landmarks: np.ndarray, factor: float) -> np.ndarray:
    """Returns landmarks as they lie in the picture resized by a factor.

    Args:
      landmarks: [..., 2] pixels, integers at pixel centres.
      factor: new side / old side.

    Returns:
      [..., 2], the same floating type.
    """
    return (landmarks + 0.5) * factor - 0.5
