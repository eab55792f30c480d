"""Does the face show what it should: error of action units, estimated from landmarks.

TalkingGaussian's AUE (auerror.py): per unit the mean over frames of the squared difference, summed
over the units of the upper and of the lower face. The original's units are OpenFace's; these are
the built-in estimates of `data.action_units`, of which there are fewer: values do not compare.
"""

from __future__ import annotations

import numpy as np

from emojax.data import action_units, face68, tracking
from emojax.data.tracking import Track

UPPER, LOWER = (1, 2, 4, 5, 6, 7, 45), (25, 26)
MIN_FRAMES = 5  # below, the clip's own calibration is empty


def au_error(
    seen: np.ndarray, true: np.ndarray, *, world_to_camera: np.ndarray, focal: float, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the squared differences of action units, summed over upper and lower face.

    Estimates are calibrated on the clip that they are made of. Both courses are therefore measured
    as one clip, the second played backwards: they share the calibration, and where they meet they
    show the same moment, so that equal landmarks give exactly 0.

    Args:
      seen: [T, 68, 2] pixels, in the rendering; NaN where there is no face.
      true: [T, 68, 2] pixels, in the true pictures.
      world_to_camera: [T, 4, 4], metres.
      focal: pixels.
      size: side of the pictures, pixels.

    Returns:
      [T] upper and [T] lower face; NaN where there is no face.
    """
    count = len(seen)
    found = np.isfinite(seen).all(axis=(1, 2)) & np.isfinite(true).all(axis=(1, 2))
    if found.sum() < MIN_FRAMES:
        return np.full(count, np.nan), np.full(count, np.nan)
    there_and_back = np.concatenate([np.arange(count), np.arange(count)[::-1]])
    points = np.concatenate([true, seen[::-1]])
    filled = np.where(np.isfinite(points), points, np.nanmean(points, axis=0))
    pose = np.float32(world_to_camera)[there_and_back]
    units = action_units.estimate(
        _mean_track(pose, focal), filled, found[there_and_back], width=size, height=size
    )
    squared = np.square(units.values[:count] - units.values[count:][::-1], dtype=np.float64)
    sums = (
        squared[:, [units.numbers.index(number) for number in numbers]].sum(axis=-1)
        for numbers in (UPPER, LOWER)
    )
    return tuple(np.where(found, total, np.nan) for total in sums)


def _mean_track(world_to_camera: np.ndarray, focal: float) -> Track:
    """A track of the mean face: it only gives landmarks their depth, alike for both courses."""
    shape = face68.MEAN_SHAPE + np.array([0, 0, tracking.ORIGIN_DEPTH])
    count = len(world_to_camera)
    return Track(
        world_to_camera=world_to_camera,
        focal=focal,
        shape=np.float32(shape / 1000),
        directions=np.zeros((1, 68, 3), np.float32),
        coefficients=np.zeros((count, 1), np.float32),
        residual=np.zeros((count, 68), np.float32),
    )
