"""Titles above the columns of a contact sheet: what lies where, for who has only the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emojax.opencv import cv2

BAR = 20  # pixels, of the band that holds the titles
_FONT, _LARGEST, _SMALLEST = cv2.FONT_HERSHEY_PLAIN, 0.9, 0.5
_MARGIN = 4  # pixels, at each side of a title


def titles(texts: Sequence[str], side: int) -> np.ndarray:
    """Returns a black band with a white title above each column, uint8 [BAR, len(texts) * side, 3].

    Args:
      texts: of the columns, ASCII; they become smaller, then shorter, where they are too wide.
      side: width of a column, pixels.
    """
    return np.concatenate([_title(text, side) for text in texts], axis=1)


def _title(text: str, side: int) -> np.ndarray:
    """One title."""
    room = max(side - 2 * _MARGIN, 1)
    scale = float(np.clip(_LARGEST * room / max(_width(text, _LARGEST), 1), _SMALLEST, _LARGEST))
    while text and _width(text, scale) > room:
        text = text[:-1]
    band = np.zeros((BAR, side, 3), np.uint8)
    at = (_MARGIN, BAR - 6)
    cv2.putText(band, text, at, _FONT, scale, (255,) * 3, 1, cv2.LINE_AA)
    return band


def _width(text: str, scale: float) -> int:
    """Of a text, pixels."""
    return cv2.getTextSize(text, _FONT, scale, 1)[0][0]
