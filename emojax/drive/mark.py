"""A visible mark on every picture of a film: a few words in the corner, legible on any ground.

White letters on a dark plate, at the top on the right, where players put nothing. Letters are
`HEIGHT` of the picture high, in a longer text less, so that it takes `WIDEST` of the picture's
width, but never less than `SMALLEST` pixels. Unlike metadata a mark outlives encoding anew; whoever
wants can crop it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import numpy as np

from emojax.data.errors import DataError
from emojax.opencv import cv2

TEXT = "synthetic"
LONGEST = 40  # letters
HEIGHT = 1 / 26  # of the picture's height: 20 pixels at 512
SMALLEST = 7  # pixels: below it letters cannot be told from each other
WIDEST = 0.6  # of the picture's width
PLATE, COVER = 24, 0.6  # grey level of the plate, and how much of the picture it covers
# Letters are drawn large, for all sizes alike, and then reduced.
_FONT, _SCALE, _THICKNESS = cv2.FONT_HERSHEY_SIMPLEX, 4.0, 9
_PADDING = 0.5  # around the text, and beside the plate, in heights of a letter


def chosen(is_wanted: bool, text: str | None) -> str | None:
    """Returns the text to draw, without blanks around it, or None.

    Args:
      is_wanted: whether there is to be a mark, whatever it says.
      text: that it is to say, or None.

    Raises:
      DataError: the text is empty, too long, or has letters that are none of ASCII.
    """
    if text is None:
        return TEXT if is_wanted else None
    short = text.strip()
    if not (0 < len(short) <= LONGEST and short.isascii() and short.isprintable()):
        raise DataError(
            expected=f"a mark of 1 to {LONGEST} letters, ASCII",
            got=f"{short[: LONGEST + 1]!r}, {len(short)} letters",
            fix=f"Shorten or rewrite it; {TEXT!r} says enough.",
        )
    return short


def check_room(text: str, size: int) -> None:
    """Refuses a text for which pictures are too small, before any is drawn.

    Args:
      text: of `chosen`.
      size: side of the pictures, pixels.

    Raises:
      DataError: there is no room for letters that can be read.
    """
    _plate(size, size, text)


def put_on(pictures: Iterable[np.ndarray], text: str) -> Iterator[np.ndarray]:
    """Yields pictures with a mark; those that come stay as they are.

    Args:
      pictures: uint8 [H, W, 3] RGB.
      text: of `chosen`.

    Raises:
      DataError: the pictures are too small for the text.
    """
    for picture in pictures:
        yield draw(picture, text)


def draw(picture: np.ndarray, text: str) -> np.ndarray:
    """Returns a picture with a mark, uint8 [H, W, 3].

    Args:
      picture: uint8 [H, W, 3] RGB.
      text: of `chosen`.

    Raises:
      DataError: the picture is too small for the text.
    """
    ink, gap = _plate(picture.shape[0], picture.shape[1], text)
    height, width = ink.shape[:2]
    right = picture.shape[1] - gap
    part = (slice(gap, gap + height), slice(right - width, right))
    marked = picture.copy()
    # The plate lets the picture through, its letters do not.
    cover = COVER + (1 - COVER) * ink
    ground = PLATE + (255 - PLATE) * ink
    marked[part] = np.uint8((1 - cover) * picture[part] + cover * ground + 0.5)
    return marked


@functools.lru_cache(maxsize=8)
def _plate(height: int, width: int, text: str) -> tuple[np.ndarray, int]:
    """How much of each pixel of the plate is letter, [h, w, 1] of 0 to 1, and its distance."""
    (long, high), below = cv2.getTextSize(text, _FONT, _SCALE, _THICKNESS)
    room = _PADDING * high
    long, tall = long + 2 * room, high + below + 2 * room
    scale = max(min(HEIGHT * height / high, WIDEST * width / long), SMALLEST / high)
    if scale * (long + 2 * room) > width or scale * (tall + 2 * room) > height:
        raise DataError(
            expected=f"pictures that have room for the mark {text!r}",
            got=f"{width} x {height} pixels",
            fix="Shorten the mark, or draw larger pictures.",
        )
    drawn = np.zeros((round(tall), round(long)), np.uint8)
    at = (round(room), round(room + high))
    cv2.putText(drawn, text, at, _FONT, _SCALE, 255, _THICKNESS, cv2.LINE_AA)
    size = (round(scale * long), round(scale * tall))
    ink = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return ink[..., None], round(scale * room)
