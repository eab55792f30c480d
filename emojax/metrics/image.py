"""Likeness of single pictures: PSNR of the whole, of a region, of the mouth; SSIM.

Pictures are float [H, W, 3], 0 to 1; what lies outside is clipped first, as any display does.
Landmarks are [..., 68, 2] pixels, pixel centres at whole numbers.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from emojax.data import face68
from emojax.losses import photometric

MAX_PSNR = 100.0  # dB, given to equal pictures; 8-bit rounding alone allows 59
CAPPED = ("psnr", "psnr_head", "psnr_mouth")  # metrics that have it
# Side of the mouth's square over the distance of the outer eye corners: lips are 0.58 wide, and a
# wide open mouth 0.5 high.
MOUTH_SIDE = 0.8

_ssim = jax.jit(photometric.ssim)


def psnr(image: np.ndarray, target: np.ndarray, *, mask: np.ndarray | None = None) -> float:
    """Returns the peak signal-to-noise ratio, decibels, at most `MAX_PSNR`.

    Args:
      image: [H, W, 3].
      target: [H, W, 3].
      mask: [H, W] bool, the pixels to compare; all by default. NaN where there is none.
    """
    squared = np.square(np.clip(image, 0, 1) - np.clip(target, 0, 1))
    if mask is not None:
        squared = squared[mask]
    if not squared.size:
        return float("nan")
    error = max(float(np.mean(squared, dtype=np.float64)), 10 ** (-MAX_PSNR / 10))
    return float(-10 * np.log10(error))


def ssim(image: np.ndarray, target: np.ndarray) -> float:
    """Returns the mean structural similarity of `losses.photometric`.

    Args:
      image: [H, W, 3].
      target: [H, W, 3].
    """
    pair = (jnp.asarray(np.clip(picture, 0, 1), jnp.float32) for picture in (image, target))
    return float(_ssim(*pair))


def mouth_boxes(landmarks: np.ndarray, size: int) -> np.ndarray:
    """Returns squares of one size around the mouth of every frame.

    Args:
      landmarks: [T, 68, 2].
      size: side of the pictures, pixels.

    Returns:
      int [T, 4] top, left, bottom, right (the last two excluded), inside the picture.
    """
    side = round(MOUTH_SIDE * float(np.median(face68.eye_distance(landmarks))))
    side = min(max(side, 1), size)
    center = landmarks[:, list(face68.LIPS)].mean(axis=1) + 0.5
    start = np.clip(np.round(center - side / 2), 0, size - side).astype(int)[:, ::-1]
    return np.concatenate([start, start + side], axis=-1)


def crop(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Returns a part of a picture.

    Args:
      picture: [H, W, ...].
      box: int [4] top, left, bottom, right (the last two excluded).
    """
    top, left, bottom, right = box
    return picture[top:bottom, left:right]
