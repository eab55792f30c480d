"""Cut-and-paste: eyes and mouth of a generated picture put into the real one, without a seam.

EmoTalkingGaussian section S4.1: rectangles around the eyes (with the brows) and the mouth are cut
from the generated picture and cloned into the source frame (Perez, Gangnet & Blake 2003, "Poisson
image editing"; `cv2.seamlessClone`); everything else stays the source. That there are two boxes,
and how far they reach around the landmarks, is inferred: `PADDING` of the jaw's width, no further
to the sides than the jaw.

Traps of `cv2.seamlessClone`, each kept off here: a box that reaches out of the picture is an
assertion (boxes are clipped, and the frame around them is padded where the picture ends); the mask
is a weight in bytes (255, always); the centre is x0 + W // 2, y0 + H // 2, one off shifts the
patch; boxes under `SMALLEST` pixels paste nothing or raise; MIXED_CLONE would keep the old brows
and corners as ghosts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from emojax.data import face68
from emojax.opencv import cv2

PADDING = 0.15  # of the jaw's width
SMALLEST = 16  # pixels; OpenCV erodes the mask by 3 or 4 on each side
_BESIDE = 3  # pixels of the destination that the solver sees around the box

PARTS = (face68.BROWS + face68.EYES, face68.LIPS)


class Box(NamedTuple):
    """A rectangle of pixels, ends excluded.

    Attributes:
      top: first row.
      left: first column.
      bottom: row after the last.
      right: column after the last.
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns of the box."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def boxes(landmarks: np.ndarray, shape: tuple[int, ...], *, padding: float = PADDING) -> list[Box]:
    """Returns the boxes around the eyes and the mouth, those too small to be cloned left out.

    Args:
      landmarks: [68, 2] of the generated picture, pixels.
      shape: of the picture, height and width first.
      padding: around the landmarks, of the jaw's width.
    """
    jaw = landmarks[list(face68.CONTOUR)]
    reach = padding * float(np.linalg.norm(jaw[-1] - jaw[0]))
    sides = jaw[:, 0].min(), jaw[:, 0].max()
    found = []
    for points in PARTS:
        low = landmarks[list(points)].min(axis=0) - reach
        high = landmarks[list(points)].max(axis=0) + reach
        left, right = np.clip((low[0], high[0]), *sides)
        edges = np.round([low[1], left, high[1] + 1, right + 1])
        height, width = shape[:2]
        box = Box(*np.clip(edges, 0, [height, width, height, width]).astype(int).tolist())
        if box.bottom - box.top >= SMALLEST and box.right - box.left >= SMALLEST:
            found.append(box)
    return found


def paste(source: np.ndarray, generated: np.ndarray, places: Sequence[Box]) -> np.ndarray:
    """Returns the source with boxes of the generated picture cloned into it.

    Args:
      source: uint8 [H, W, 3].
      generated: uint8 [H, W, 3].
      places: boxes inside the picture, one after the other.

    Returns:
      uint8 [H, W, 3]; outside of the boxes bit for bit the source.
    """
    result = source.copy()
    for box in places:
        result[box.part] = _clone(result, generated, box)
    return result


def _clone(target: np.ndarray, generated: np.ndarray, box: Box) -> np.ndarray:
    """The inside of one box after cloning."""
    height, width = target.shape[:2]
    top, left = max(box.top - _BESIDE, 0), max(box.left - _BESIDE, 0)
    bottom, right = min(box.bottom + _BESIDE, height), min(box.right + _BESIDE, width)
    # Only the box and a little around it: the whole picture would be copied several times.
    around = target[top:bottom, left:right]
    missing = [
        _BESIDE - (box.top - top),
        _BESIDE - (bottom - box.bottom),
        _BESIDE - (box.left - left),
        _BESIDE - (right - box.right),
    ]
    if any(missing):
        around = cv2.copyMakeBorder(around, *missing, cv2.BORDER_REPLICATE)
    patch = np.ascontiguousarray(generated[box.part])
    rows, columns = patch.shape[:2]
    mask = np.full((rows, columns), 255, np.uint8)
    centre = _BESIDE + columns // 2, _BESIDE + rows // 2
    cloned = cv2.seamlessClone(patch, np.ascontiguousarray(around), mask, centre, cv2.NORMAL_CLONE)
    return cloned[_BESIDE : _BESIDE + rows, _BESIDE : _BESIDE + columns]


def inside(places: Sequence[Box], shape: tuple[int, ...]) -> np.ndarray:
    """Returns where boxes are, bool [H, W].

    Args:
      places: boxes inside the picture.
      shape: of the picture, height and width first.
    """
    mask = np.zeros(shape[:2], bool)
    for box in places:
        mask[box.part] = True
    return mask
