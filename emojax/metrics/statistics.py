"""Means over frames with intervals that know that neighbouring frames resemble each other.

A moving block bootstrap (Kuensch 1989; circular: Politis, Romano 1992): whole stretches of frames
are drawn, not single ones. Values are [T] in time, NaN where a frame has none.
"""

from __future__ import annotations

import dataclasses

import numpy as np

BLOCK = 25  # frames, one second: errors of pose and of lips last less
SAMPLES, LEVEL = 1000, 0.95
SEED = 0  # the same for every report: intervals are reproducible, and pairs stay pairs


@dataclasses.dataclass(frozen=True)
class Mean:
    """A mean over frames.

    Attributes:
      mean: over the frames that have a value; None without any.
      low: lower end of the interval, None without any value.
      high: upper end of the interval.
      count: of frames that have a value.
    """

    mean: float | None
    low: float | None
    high: float | None
    count: int


def mean(values: np.ndarray) -> Mean:
    """Returns the mean of values [T] with its interval of `LEVEL`."""
    known = np.isfinite(values)
    count = int(known.sum())
    if not count:
        return Mean(None, None, None, 0)
    resampled = _resample(len(values))
    total = np.where(known, values, 0)[resampled].sum(axis=-1)
    drawn = known[resampled].sum(axis=-1)
    means = total[drawn > 0] / drawn[drawn > 0]
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return Mean(float(values[known].mean()), float(low), float(high), count)


def protocol() -> dict:
    """Returns what the intervals depend on."""
    return {"block": BLOCK, "samples": SAMPLES, "level": LEVEL, "seed": SEED}


def _resample(count: int) -> np.ndarray:
    """Frame numbers of every resampled film, [SAMPLES, count]; at least four blocks each."""
    block = min(BLOCK, max(count // 4, 1))
    blocks = -(-count // block)
    starts = np.random.default_rng(SEED).integers(0, count, (SAMPLES, blocks))
    numbers = (starts[..., None] + np.arange(block)) % count
    return numbers.reshape(SAMPLES, -1)[:, :count]
