"""The empty room behind a person, for a static camera: what each pixel shows when nobody covers it.

Method 5.7 takes each pixel from the frame in which it is farthest from the person, and the nearest
such pixel's colour where nobody ever saw the room. Departures: the per-pixel median of many frames
(on two clips 1.1 and 1.0 grey levels of mean error instead of 1.5 and 1.2), and a smooth surface
behind the head in place of streaks that radiate from it.

Images are RGB uint8 [H, W, 3], label pictures uint8 [H, W] of `Label`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from emojax.data.errors import DataError
from emojax.data.labels import Label
from emojax.opencv import cv2

# More frames sharpen the median of a still picture no further; at 512 pixels these are 80 MB.
_MAX_FRAMES = 100
# In pixels of a 512-pixel picture. Masks end a little inside the person's fringe: this close to
# them no pixel counts as seen.
_MARGIN = 4.0
# The fill leans on no colours this close to the person either: a fringe would glow into it.
_FRINGE = 5.0
# A pixel counts as seen when this share of the frames agrees, and at least one.
_MIN_SEEN = 0.05
# Sweeps of the fill on each level of its pyramid.
_SWEEPS = 40


def _dilated(mask: np.ndarray, radius: float) -> np.ndarray:
    """A mask grown by a radius in pixels of a 512-pixel picture."""
    side = 2 * max(round(radius * max(mask.shape) / 512), 1) + 1
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.dilate(mask.astype(np.uint8), element) > 0


def _median(samples: list[np.ndarray], valid: list[np.ndarray], count: np.ndarray) -> np.ndarray:
    """Lower median over the valid samples, bit by bit from the highest: no sorting, no copies."""
    rank = np.maximum(count.astype(np.int16) - 1, 0)[..., None] // 2
    for sample, mask in zip(samples, valid, strict=True):
        sample[~mask] = 255  # never below any candidate
    median = np.zeros_like(samples[0])
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        candidate = median | np.uint8(bit)
        below = np.zeros(median.shape, np.uint8)
        for sample in samples:
            below += sample < candidate
        median = np.where(below <= rank, candidate, median)
    return median


def _fill(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Continues the known pixels by a membrane (Laplace's equation), float32 [H, W, 3].

    The coarse picture is filled first and starts the finer one, as in multigrid methods.
    """
    height, width = known.shape
    weight = known.astype(np.float32)[..., None]
    image = image * weight
    if min(height, width) > 4:
        size = ((width + 1) // 2, (height + 1) // 2)
        share = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)[..., None]
        coarse = cv2.resize(image, size, interpolation=cv2.INTER_AREA) / np.maximum(share, 1e-6)
        coarse = _fill(coarse, share[..., 0] > 0)
        start = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    else:
        start = np.broadcast_to(image.sum(axis=(0, 1)) / max(weight.sum(), 1), image.shape)
    filled = np.where(known[..., None], image, start).astype(np.float32)
    for _ in range(_SWEEPS):
        mean = cv2.blur(filled, (3, 3), borderType=cv2.BORDER_REPLICATE)
        filled = np.where(known[..., None], image, mean)
    return filled


def estimate(
    frames: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    *,
    every: int = 10,
    progress: Callable = iter,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the room without the person.

    Args:
      frames: T images; at most 100 are read, one at a time.
      labels: T label pictures.
      every: each `every`-th frame counts, fewer where that would be more than 100.
      progress: wraps the iterable of the frames that are read, for a progress bar.

    Returns:
      The background, uint8 [H, W, 3], and where it was seen, bool [H, W]; elsewhere
      it continues smoothly what was.

    Raises:
      DataError: no frame shows any background.
    """
    step = max(every, -(-len(frames) // _MAX_FRAMES))
    samples, valid = [], []
    count, fringed = None, None
    for t in progress(range(0, len(frames), step)):
        person = labels[t] != Label.BACKGROUND
        samples.append(np.array(frames[t]))
        valid.append(~_dilated(person, _MARGIN))
        far = ~_dilated(person, _MARGIN + _FRINGE)
        count = valid[-1].astype(np.uint8) if count is None else count + valid[-1]
        fringed = far if fringed is None else fringed | far
    # One frame with a hole in its mask shall not paint the person on the wall.
    seen = count > _MIN_SEEN * len(samples)
    if not seen.any():
        raise DataError(
            expected="some background beside the person",
            got="label pictures that show none in any frame",
            fix="Leave room around the head when cropping, or check the parsing pictures.",
        )
    background = _median(samples, valid, count)
    support = seen & fringed if (seen & fringed).any() else seen
    filled = np.clip(_fill(background.astype(np.float32), support) + 0.5, 0, 255).astype(np.uint8)
    return np.where(seen[..., None], background, filled), seen


def composite(image: np.ndarray, labels: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Returns an image whose background pixels are those of the empty room (method 5.7, "GT").

    Args:
      image: uint8 [H, W, 3].
      labels: uint8 [H, W].
      background: uint8 [H, W, 3].

    Returns:
      uint8 [H, W, 3].
    """
    return cv2.copyTo(background, (labels == Label.BACKGROUND).view(np.uint8), image.copy())
