"""Does the head's border show: edges along it that the true picture does not have.

The head is drawn over torso and background; where it is a little off, a line appears. Edge energy
is the squared gradient of the picture, averaged along the border over `WINDOW_AT_512` pixels so
that an edge displaced by a pixel costs nothing; what exceeds the truth's is summed up. Pictures are
float [H, W, 3], 0 to 1; lengths named `*_AT_512` scale with the picture's width.
"""

from __future__ import annotations

import numpy as np

from emojax.data.labels import HEAD, Label, isin
from emojax.opencv import cv2

BAND_AT_512 = 4.0  # pixels on either side of the border
WINDOW_AT_512 = 13.0  # side of the average


def border(labels: np.ndarray, *, body: bool = False) -> np.ndarray:
    """Returns the band around the border between the head and what is not, bool [H, W].

    Args:
      labels: uint8 [H, W] of `data.labels.Label`.
      body: only the border to neck and torso.
    """
    reach = _scaled(BAND_AT_512, labels.shape[1])
    head = isin(labels, HEAD)
    others = isin(labels, (Label.NECK, Label.TORSO)) if body else ~head
    return _grown(head, reach) & _grown(others, reach)


def seam(image: np.ndarray, target: np.ndarray, band: np.ndarray) -> float:
    """Returns the edges along a band beyond those of the truth, grey levels (of 255) per pixel.

    Args:
      image: [H, W, 3].
      target: [H, W, 3].
      band: bool [H, W].

    Returns:
      Root of the mean excess energy, 0 where there is none; NaN for an empty band.
    """
    if not band.any():
        return float("nan")
    window = 2 * _scaled(WINDOW_AT_512 / 2, band.shape[1]) + 1
    inside = np.float32(band)
    covered = np.maximum(_mean(inside, window), 1e-6)
    # Subtracted before averaging: equal pictures give 0 exactly.
    excess = _mean((_energy(image) - _energy(target)) * inside, window) / covered
    return float(255 * np.sqrt(np.maximum(excess, 0)[band].mean(dtype=np.float64)))


def _scaled(length: float, width: int) -> int:
    """A length of a 512 pixel wide picture in one of another width, at least 1."""
    return max(round(length * width / 512), 1)


def _grown(mask: np.ndarray, reach: int) -> np.ndarray:
    """A mask and all within `reach` pixels of it."""
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    return cv2.dilate(np.uint8(mask), kernel) > 0


def _energy(image: np.ndarray) -> np.ndarray:
    """Squared gradient (central differences), mean over channels, [H, W]."""
    picture = np.float32(np.clip(image, 0, 1))
    dy, dx = np.gradient(picture, axis=(0, 1))
    return (dx * dx + dy * dy).mean(axis=-1)


def _mean(values: np.ndarray, window: int) -> np.ndarray:
    """Mean over squares of side `window`, zeros beyond the border, [H, W]."""
    return cv2.boxFilter(np.float32(values), -1, (window, window), borderType=cv2.BORDER_CONSTANT)
