"""Natural blinks: when they happen, and how the lids move.

* Rate: 26 blinks a minute in conversation (17 at rest, 4.5 reading): Bentivoglio et al. 1997,
  "Analysis of blink rate patterns in normal subjects", Movement Disorders 12(6).
* Intervals are skewed, many short and few long: drawn from a log-normal distribution.
* Shape: lids close about 2.5 times as fast as they open, 92 against 242 ms on average:
  VanderWerf et al. 2003, "Eyelid movements", J. Neurophysiol. 89(5).
"""

from __future__ import annotations

import jax
import numpy as np

FPS = 25.0
RATE = 26.0 / 60  # blinks a second
SPREAD = 0.6  # standard deviation of the intervals' logarithm; 95 % between 0.6 and 6.3 s
CLOSING, CLOSED, OPENING = 0.092, 0.03, 0.242  # seconds
REFRACTORY = 0.6  # seconds; lids are open again before they close anew


def times(key: jax.Array, duration: float, *, rate: float = RATE) -> np.ndarray:
    """Returns when lids begin to close, seconds, ascending, float64 [B].

    Args:
      key: consumed.
      duration: seconds.
      rate: blinks a second, on average.
    """
    mean = 1 / rate - REFRACTORY
    count = int(2 * duration * rate) + 32
    normal = np.asarray(jax.random.normal(key, (count,)), np.float64)
    intervals = REFRACTORY + mean * np.exp(SPREAD * normal - SPREAD**2 / 2)
    starts = np.cumsum(intervals) - REFRACTORY / 2
    return starts[starts < duration]


def closure(starts: np.ndarray, num_frames: int) -> np.ndarray:
    """Returns how far the lids are closed in each frame, 0 open to 1 closed, float32 [T].

    Args:
      starts: [B] seconds, when lids begin to close.
      num_frames: T, at 25 fps.
    """
    time = np.arange(num_frames) / FPS
    result = np.zeros(num_frames)
    for start in starts:
        since = time - start
        down = _smooth(since / CLOSING)
        up = _smooth((since - CLOSING - CLOSED) / OPENING)
        result = np.maximum(result, down - up)
    return result.astype(np.float32)


def _smooth(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, with zero slope at both."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
