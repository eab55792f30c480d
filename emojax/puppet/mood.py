"""What an actor feels over a film: courses of valence and arousal.

A `Course` gives [T, 2] for T frames at 25 fps, once it is known how long the film is: a sentence
takes as long as it takes. `emojax.emotion.trajectory` makes those that keyframes or a class name.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import numpy as np

from emojax.data import files
from emojax.data.errors import DataError
from emojax.emotion import circumplex, trajectory
from emojax.emotion.trajectory import Outside

# (number of frames) -> valence and arousal, float32 [T, 2]
Course = Callable[[int], np.ndarray]

EVERYDAY = "everyday"  # the name of the course of moods
MOOD_SECONDS = (7.0, 25.0)  # periods of an everyday course's waves
_MOODS = 0x6D6F6F64  # tells a course of moods from other uses of a seed


def neutral(num_frames: int) -> np.ndarray:
    """Returns the course of no emotion, float32 [T, 2], T = num_frames."""
    return np.zeros((num_frames, 2), np.float32)


def everyday(seed: int, *, strength: float = 0.45) -> Course:
    """Returns the course of someone who talks of this and that: slow, mild, all around the disc.

    With no emotion at all most action units never move, and nobody can learn what they do.

    Args:
      seed: any integer from 0.
      strength: farthest from the origin, 0 to 1.
    """
    generator = np.random.default_rng((_MOODS, seed))
    periods = generator.uniform(*MOOD_SECONDS, (2, 3))
    phases = generator.uniform(0, 2 * np.pi, (2, 3))

    def course(num_frames: int) -> np.ndarray:
        time = np.arange(num_frames)[:, None, None] / files.FPS
        waves = np.sin(2 * np.pi * time / periods + phases).sum(axis=-1)
        radius = np.linalg.norm(waves, axis=-1, keepdims=True)
        return np.float32(strength * waves * np.tanh(radius) / np.maximum(radius, 1e-9))

    return course


def course(source: str, seed: int, *, outside: Outside = "clip") -> Course:
    """Returns the course of emotion that a user names.

    Args:
      source: `EVERYDAY`; a class of `circumplex.CLASSES`, held; "valence,arousal", held; or a file
        of keyframes (`trajectory.read`).
      seed: of an everyday course.
      outside: what is done to points outside the disc (`circumplex.inside`).

    Raises:
      DataError: none of these, or outside the disc and to be refused. Keyframes beyond the film's
        end are refused once its length is known.
    """
    if source == EVERYDAY:
        return everyday(seed)
    numbers = source.split(",")
    if len(numbers) == 2:
        try:
            valence, arousal = (float(number) for number in numbers)
        except ValueError as error:
            raise DataError(
                expected="valence,arousal as two numbers", got=repr(source), fix="Write 0.7,0.3."
            ) from error
        point = tuple(map(float, circumplex.inside(valence, arousal, outside=outside)))
        return lambda num_frames: trajectory.constant(*point, num_frames)
    if source in circumplex.CLASSES:
        return lambda num_frames: trajectory.plan(source, num_frames)
    path = pathlib.Path(source)
    if not path.suffix:
        raise DataError(
            expected=f"{EVERYDAY}, {', '.join(circumplex.CLASSES)}, valence,arousal or a file",
            got=repr(source),
            fix="Name an emotion, or give keyframes; see emojax/emotion/trajectory.py.",
        )
    keyframes = trajectory.read(path)
    return lambda num_frames: trajectory.through(keyframes, num_frames, outside=outside)
