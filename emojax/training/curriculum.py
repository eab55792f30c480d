"""Which frame at which step: a pure function of (seed, stage, step, clip).

Frames come in shuffled rounds without replacement (TalkingGaussian). At the steps that a `Window`
of the stage names, the frame is drawn from those whose measure lies in the window instead: wide
open mouths first, closed ones later; open eyes first, blinks later. TalkingGaussian draws until a
frame fits, for ever if none does; here the round goes on as if there were no window, and the step
is counted.

A stage with an `emotional_share` takes pictures of other emotions at that share of its steps, drawn
with replacement; their rows follow those of the clip.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np

from emojax.data import face68, labels
from emojax.data.clip import Clip
from emojax.data.labels import Label
from emojax.training.recipe import MEASURES, Stage, Window

# Of TalkingGaussian's scene/dataset_readers.py and train_face.py.
MOUTH_PERCENTILES = (25, 95)  # of unit 25: the window slides between these
OPENING_START = 0.2  # of the range of openings: what the window starts from
BLINK_STRENGTH = 2.0  # of unit 45: from here on an eye counts as closed


class Measures(NamedTuple):
    """What the curriculum knows of the frames that train.

    Attributes:
      values: float64 [M, T] by `recipe.MEASURES`.
      mouth_pixels: int [T] pixels of the inside of the mouth, teeth included.
      emotional: int [M] rows of the emotional pictures.
    """

    values: np.ndarray
    mouth_pixels: np.ndarray
    emotional: np.ndarray = np.zeros(0, int)


class Choice(NamedTuple):
    """Frames of some steps.

    Attributes:
      rows: int [K] of the clip.
      missed: int, steps for which no frame fitted a window, or none shows enough of the mouth.
    """

    rows: np.ndarray
    missed: int


def measure(clip: Clip) -> Measures:
    """Returns the measures of a clip's training frames.

    * mouth_unit: unit 25, 0 at its 25th and 1 at its 95th percentile, which also caps it.
    * mouth_opening: rows that the inner lips span, 0 a fifth above the smallest and 1 at the
      largest.
    * blink: half of unit 45, capped at 1.

    Args:
      clip: to measure.
    """
    num = clip.num_train
    unit = np.clip(clip.action_units.column(25)[:num], 0, None)
    low, high = np.percentile(unit, MOUTH_PERCENTILES)
    inner = clip.landmarks[:num, list(face68.INNER_LIP), 1]
    opening = inner.max(axis=1) - inner.min(axis=1)
    start = opening.min() + OPENING_START * (opening.max() - opening.min())
    blink = np.clip(clip.action_units.column(45)[:num], 0, BLINK_STRENGTH) / BLINK_STRENGTH
    values = {
        "mouth_unit": (np.minimum(unit, high) - low) / max(high - low, 1e-6),
        "mouth_opening": (opening - start) / max(opening.max() - start, 1e-6),
        "blink": blink,
    }
    inside = (Label.MOUTH, Label.TEETH)
    pixels = [np.count_nonzero(labels.isin(clip.labels[t], inside)) for t in range(num)]
    return Measures(
        values=np.stack([values[name] for name in MEASURES]),
        mouth_pixels=np.array(pixels),
        emotional=clip.emotional_rows,
    )


def choose(seed: int, stage: Stage, measures: Measures, *, first: int, num: int) -> Choice:
    """Returns the frames of some steps.

    Args:
      seed: of the run.
      stage: of which.
      measures: of the clip.
      first: first step.
      num: K, how many steps.
    """
    usable = np.flatnonzero(measures.mouth_pixels >= stage.min_mouth_pixels)
    none = not len(usable)
    if none:
        usable = np.arange(len(measures.mouth_pixels))
    chosen = [_choose(seed, stage, measures, usable, step) for step in range(first, first + num)]
    rows, missed = zip(*chosen, strict=True)
    return Choice(rows=np.array(rows), missed=num if none else sum(missed))


def _choose(seed, stage: Stage, measures: Measures, usable, step: int) -> tuple[int, bool]:
    name, missed = zlib.crc32(stage.name.encode()), False
    if stage.emotional_share and len(measures.emotional):
        rng = np.random.default_rng((seed, name, 2, step))
        if rng.random() < stage.emotional_share:
            return int(rng.choice(measures.emotional)), False
    for window in stage.windows:
        if window.first <= step < window.last and step % window.every == 0:
            lower, upper = _bounds(window, step)
            values = measures.values[MEASURES.index(window.measure), usable]
            fits = usable[(values >= lower) & (values <= upper)]
            if len(fits):
                return int(np.random.default_rng((seed, name, 1, step)).choice(fits)), False
            missed = True
    lap, place = divmod(step, len(usable))
    row = np.random.default_rng((seed, name, 0, lap)).permutation(usable)[place]
    return int(row), missed


def _bounds(window: Window, step: int) -> tuple[float, float]:
    t = min(step / window.span, 1.0)
    (lower0, lower1), (upper0, upper1) = window.lower, window.upper
    return lower0 + t * (lower1 - lower0), upper0 + t * (upper1 - upper0)
