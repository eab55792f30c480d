"""Valence and arousal of a real clip's frames: an estimate from its landmarks.

Nobody knows what a person in a video felt. The face's lengths (`measures`) are compared with their
median over the frames that train, which counts as neutral; smoothed in time, because emotions last
and sounds and blinks pass; and read (`reading`). On a puppet whose moods change while it speaks for
a minute, the estimate errs by 0.12 in valence and 0.19 in arousal (RMSE; 0.24 and 0.31 if all were
called neutral) and correlates with the truth by 0.86 and 0.92. Somebody who smiles throughout is
neutral by this measure.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from emojax.data.clip import Clip
from emojax.data.landmarks import segments
from emojax.emotion import measures, reading

# Frames: the median forgets sounds and blinks, which are shorter than half of it; what steps it
# leaves the Gaussian rounds off.
MEDIAN, SIGMA = 25, 12.0
NOTE = "valence and arousal: estimated from landmarks, the clip's median counting as neutral"


def fill(clip: Clip) -> Clip:
    """Returns the clip with estimated valence and arousal, and a note; as it is where it has some.

    Args:
      clip: of a real person, say.
    """
    if clip.valence_arousal is not None:
        return clip
    found = course(clip.landmarks, clip.cuts, num_neutral=clip.num_train)
    return dataclasses.replace(clip, valence_arousal=found, fallbacks=(*clip.fallbacks, NOTE))


def course(
    landmarks: np.ndarray, cuts: np.ndarray, *, num_neutral: int | None = None
) -> np.ndarray:
    """Returns the estimate for each frame, float32 [T, 2], inside the disc.

    Args:
      landmarks: [T, 68, 2] pixels, finite.
      cuts: int [C] frames that do not follow the frame before: nothing is smoothed across.
      num_neutral: how many of the first frames decide what is neutral; all by default.
    """
    lengths = measures.measure(landmarks)
    changed = lengths - np.median(lengths[:num_neutral], axis=0)
    for part in segments(cuts, len(changed)):
        changed[part] = _smooth(changed[part])
    return np.float32(reading.read(reading.default(), changed))


def _smooth(values: np.ndarray) -> np.ndarray:
    """Values [T, K] after a running median and a Gaussian; ends are mirrored."""
    half = MEDIAN // 2
    padded = np.pad(values, ((half, half), (0, 0)), mode="symmetric")
    values = np.median(np.lib.stride_tricks.sliding_window_view(padded, MEDIAN, axis=0), axis=-1)
    reach = int(3 * SIGMA)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SIGMA) ** 2)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="symmetric")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    return around @ (kernel / kernel.sum())
