"""The square around a head that all frames of a portrait video are cut to.

One square for the whole video: a moving crop would look like a moving camera to tracking, and the
background would no longer stand still.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from emojax.data.errors import DataError
from emojax.opencv import cv2

# Side of the square over the side of the face box (brows to chin): head, hair, neck and shoulders.
MARGIN = 2.4
# How far a head reaches around the centre of its box, in sides of it, hair and chin included.
LEFT_RIGHT, UP, DOWN = 0.8, 1.0, 0.8
HEAD_HEIGHT = 0.45  # where the face box is centred, of the square's side from above
# A square nearly as large as the picture becomes as large: resampling would only cost sharpness.
ALMOST = 0.95
# A second face is a fault when it shares the square with the first in more than this part of
# frames.
SHARED = 0.1
MIN_SIDE = 64  # pixels of the source; in less no lips can be told apart


@dataclasses.dataclass(frozen=True)
class Crop:
    """A square of a picture.

    Attributes:
      left: first column.
      top: first row.
      side: pixels.
    """

    left: int
    top: int
    side: int


def parse(text: str) -> Crop:
    """Returns the crop that a user wrote.

    Args:
      text: "left,top,side" in pixels of the displayed picture.

    Raises:
      DataError: it is something else.
    """
    try:
        left, top, side = (int(part) for part in text.split(","))
        if min(left, top) < 0 or side < MIN_SIDE:
            raise ValueError("out of range")
    except ValueError as error:
        raise DataError(
            expected="a crop LEFT,TOP,SIDE of three whole numbers, pixels of the source, SIDE at "
            f"least {MIN_SIDE}",
            got=repr(text),
            fix="Write 420,0,1080, say, or leave it out: the head is found then.",
        ) from error
    return Crop(left, top, side)


def check(crop: Crop, width: int, height: int) -> None:
    """Refuses a crop that does not lie in a picture of width x height pixels.

    Raises:
      DataError: it does not.
    """
    if crop.left + crop.side > width or crop.top + crop.side > height:
        raise DataError(
            expected=f"a crop inside of the picture, {width} x {height}",
            got=f"{crop.left},{crop.top},{crop.side}",
            fix="Choose a smaller or another square.",
        )


def around_head(
    boxes: list[np.ndarray], *, width: int, height: int, margin: float = MARGIN
) -> Crop:
    """Returns the square around the largest face of sampled frames.

    Args:
      boxes: of each sampled frame [K, 3] centre x, centre y, side; largest first; K may be 0.
      width: of the pictures, pixels.
      height: of the pictures, pixels.
      margin: side of the square over the face box's.

    Raises:
      DataError: no frame has a face, or several people share the square.
    """
    seen = [found for found in boxes if len(found)]
    if not seen:
        raise DataError(
            expected="a face that looks at the camera",
            got=f"none in {len(boxes)} frames spread over the video",
            fix="Use a video with one upright, frontal face; crop it if the face is small.",
        )
    first = _follow(seen)
    x, y, side = first.T
    # Where the head gets to: first and last column, first and last row.
    first_x, first_y = np.floor([np.min(x - LEFT_RIGHT * side), np.min(y - UP * side)])
    last_x, last_y = np.ceil([np.max(x + LEFT_RIGHT * side), np.max(y + DOWN * side)])
    wanted = max(round(margin * np.median(side)), last_x - first_x, last_y - first_y)
    whole = int(min(wanted, width, height))
    if whole > ALMOST * min(width, height):
        whole = min(width, height)
    left = (first_x + last_x - whole) // 2
    top = np.median(y) - HEAD_HEIGHT * whole
    top = round(min(max(top, last_y - whole), max(first_y, 0)))
    crop = Crop(int(np.clip(left, 0, width - whole)), int(np.clip(top, 0, height - whole)), whole)
    shared = np.mean(
        [_others_inside(found, chosen, crop) for found, chosen in zip(seen, first, strict=True)]
    )
    if shared > SHARED:
        raise DataError(
            expected="one face in the picture",
            got=f"several in {shared:.0%} of the frames",
            fix="Use a video of one person, or cut to one: --crop LEFT,TOP,SIDE.",
        )
    return crop


def _follow(seen: list[np.ndarray]) -> np.ndarray:
    """One face through all frames: the nearest to the last one among those of its size, [F, 3]."""
    chosen = [seen[0][0]]
    for found in seen[1:]:
        alike = found[found[:, 2] > found[0, 2] / 2]
        distance = np.hypot(*(alike[:, :2] - chosen[-1][:2]).T)
        chosen.append(alike[np.argmin(distance)])
    return np.array(chosen)


def _others_inside(found: np.ndarray, chosen: np.ndarray, crop: Crop) -> bool:
    """Whether a face of at least half the size shares the square with the chosen one."""
    others = found[(found != chosen).any(axis=1) & (found[:, 2] > chosen[2] / 2)]
    right, bottom = crop.left + crop.side, crop.top + crop.side
    inside = (others[:, 0] > crop.left) & (others[:, 0] < right)
    return bool((inside & (others[:, 1] > crop.top) & (others[:, 1] < bottom)).any())


def apply(image: np.ndarray, crop: Crop, size: int) -> np.ndarray:
    """Returns the square of a picture, scaled.

    Args:
      image: uint8 [H, W, 3].
      crop: inside of it.
      size: side of the result, pixels.

    Returns:
      uint8 [size, size, 3].
    """
    square = image[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
    if crop.side == size:
        return np.ascontiguousarray(square)
    method = cv2.INTER_AREA if crop.side > size else cv2.INTER_CUBIC
    return cv2.resize(square, (size, size), interpolation=method)
