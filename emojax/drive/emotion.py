"""What a film feels: valence and arousal of each frame.

A source is None for the neutral state; "clip" for the training clip's own; "circle" for rounds
about the neutral state; a class of `emotion.circumplex.CLASSES`, held; a pair (valence, arousal),
held; or a file of keyframes (`emotion.trajectory`).
"""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import numpy as np

from emojax.data.clip import Clip
from emojax.data.errors import DataError
from emojax.emotion import trajectory
from emojax.emotion.trajectory import Outside
from emojax.head import HeadConfig

RADIUS, PERIOD = 0.8, 8.0  # of a circle: where the test points lie; seconds for a round

Source = None | str | pathlib.Path | tuple[float, float]


class Felt(NamedTuple):
    """The emotion of a film.

    Attributes:
      values: float32 [T, 2], or None for a head that has none.
      notes: what a user should know, in words.
    """

    values: np.ndarray | None
    notes: tuple[str, ...]


def plan(
    clip: Clip,
    config: HeadConfig,
    source: Source,
    rows: np.ndarray,
    *,
    radius: float = RADIUS,
    period: float = PERIOD,
    outside: Outside = "clip",
) -> Felt:
    """Returns the emotion of each frame.

    Args:
      clip: that the head was trained on.
      config: of the head.
      source: see above.
      rows: int [T], row of the clip of each frame.
      radius: of a circle, 0 to 1.
      period: of a circle, seconds.
      outside: what is done to points outside the disc: "clip" with a warning, or "refuse".

    Raises:
      DataError: the head shows no emotions and one was asked for; or as `trajectory.plan`.
    """
    num_frames = len(rows)
    if config.emotion == "none":
        if source is not None:
            raise DataError(
                expected="a head that was trained with emotions",
                got=f"one without, and the emotion {source}",
                fix="Make emotional pictures of the data set with experiments/emotional_faces.py "
                "and train again, or leave the emotion out.",
            )
        return Felt(None, ())
    if source is None:
        return Felt(np.zeros((num_frames, 2), np.float32), ())
    if source == "clip":
        if clip.valence_arousal is None:
            return Felt(
                np.zeros((num_frames, 2), np.float32),
                ("the clip has no va.npy: neutral throughout",),
            )
        return Felt(np.float32(clip.valence_arousal[rows]), ())
    if source == "circle":
        course = trajectory.circle(radius, period, num_frames, outside=outside)
    elif isinstance(source, tuple):
        course = trajectory.constant(*source, num_frames, outside=outside)
    else:
        course = trajectory.plan(source, num_frames, outside=outside)
    return Felt(np.float32(course), ())
