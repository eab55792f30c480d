"""Emotion over time: valence and arousal of each frame, float32 [T, 2], at 25 frames a second.

A course is held, goes round a circle, or passes through keyframes: (seconds, valence, arousal), or
(seconds, a class's name). Between keyframes it is a cubic without kinks or overshoots (`monotone`)
that never leaves the disc; before the first and after the last it stands still.

Files. .csv has the columns time, valence, arousal, or time, emotion; .json is a list of objects
with these names, or of lists in this order:

    [{"time": 0, "emotion": "neutral"}, {"time": 1.5, "valence": 0.7, "arousal": 0.4}]
    [[0, 0, 0], [1.5, "happy"]]
"""

from __future__ import annotations

import csv
import io
import json
import pathlib
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from emojax.data.errors import DataError
from emojax.emotion import circumplex, monotone

FPS = 25.0
# A last keyframe this much after the sound's end, seconds, is rounding: one frame.
TOLERATED = 0.04

Outside = Literal["clip", "refuse"]
Keyframe = tuple[float, float, float] | tuple[float, str]

_FORM = "Write time, valence, arousal or time, emotion; see emojax/emotion/trajectory.py."


def constant(
    valence: float, arousal: float, num_frames: int, *, outside: Outside = "clip"
) -> np.ndarray:
    """Returns one point held, float32 [T, 2].

    Args:
      valence: of all frames.
      arousal: of all frames.
      num_frames: T.
      outside: what is done to a point outside the disc (`circumplex.inside`).

    Raises:
      DataError: not finite, or outside and to be refused.
    """
    point = np.stack(circumplex.inside(valence, arousal, outside=outside))
    return np.tile(point, (num_frames, 1))


def circle(
    radius: float,
    period: float,
    num_frames: int,
    *,
    start: float = 0.0,
    outside: Outside = "clip",
) -> np.ndarray:
    """Returns rounds about the neutral state, counter-clockwise, float32 [T, 2].

    Args:
      radius: 0 to 1; negative is the opposite point.
      period: seconds for a round; negative goes clockwise.
      num_frames: T.
      start: where the first frame is, degrees counter-clockwise from pleasure.
      outside: what is done to a radius above 1 (`circumplex.inside`).

    Raises:
      DataError: a number that is not finite, a period of 0, or a radius to be refused.
    """
    if not (np.isfinite([radius, period, start]).all() and period):
        raise DataError(
            expected="a finite radius and start, and a period in seconds that is not 0",
            got=f"radius {radius:g}, period {period:g}, start {start:g}",
            fix="A round of 8 seconds shows each emotion for one.",
        )
    angle = np.deg2rad(start) + 2 * np.pi * np.arange(num_frames) / (FPS * period)
    points = circumplex.inside(radius * np.cos(angle), radius * np.sin(angle), outside=outside)
    return np.stack(points, axis=-1)


def through(
    keyframes: Sequence[Keyframe], num_frames: int, *, outside: Outside = "clip"
) -> np.ndarray:
    """Returns a course through keyframes, float32 [T, 2].

    Args:
      keyframes: (seconds, valence, arousal) or (seconds, name of a class), times ascending.
      num_frames: T of the sound.
      outside: what is done to keyframes outside the disc (`circumplex.inside`).

    Raises:
      DataError: none, not finite, not ascending, beyond the sound's end, an unknown class, or
        outside the disc and to be refused.
    """
    times, points = _points(keyframes, outside)
    duration = num_frames / FPS
    if times[-1] > duration + TOLERATED:
        raise DataError(
            expected=f"keyframes within the sound's {duration:.2f} s",
            got=f"the last at {times[-1]:g} s",
            fix="Leave out what comes later, or give a longer sound.",
        )
    time = np.clip(np.arange(num_frames) / FPS, times[0], times[-1])
    if len(times) == 1:
        return np.tile(np.float32(points), (num_frames, 1))
    slopes = _inner_slopes(times, points)
    k = np.clip(np.searchsorted(times, time, side="right") - 1, 0, len(times) - 2)
    width = (times[k + 1] - times[k])[:, None]
    share = (time - times[k])[:, None] / width
    course = monotone.cubic(
        share, points[k], points[k + 1], slopes[k] * width, slopes[k + 1] * width
    )
    return np.float32(course)


def read(path: pathlib.Path) -> list[Keyframe]:
    """Returns the keyframes of a file, as they stand there.

    Args:
      path: ends in .csv or .json.

    Raises:
      DataError: no such file, another ending, or not of the form above.
    """
    readers = {".csv": _csv_rows, ".json": _json_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            expected="a course of emotion in a .csv or .json file", got=str(path), fix=_FORM
        )
    try:
        rows = reader(path.read_text(encoding="utf-8-sig"))
        return [_keyframe(row) for row in rows]
    except OSError as error:
        raise DataError(
            expected=f"the file {path}", got=error.strerror or str(error), fix="Check the path."
        ) from error
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise DataError(
            expected=f"keyframes in {path}", got=f"{type(error).__name__}: {error}", fix=_FORM
        ) from error


def plan(source: str | pathlib.Path, num_frames: int, *, outside: Outside = "clip") -> np.ndarray:
    """Returns the course that a user names, float32 [T, 2].

    Args:
      source: a class of `circumplex.CLASSES`, held; or a file of keyframes.
      num_frames: T of the sound.
      outside: what is done to points outside the disc (`circumplex.inside`).

    Raises:
      DataError: as `read` and `through`.
    """
    if str(source) in circumplex.CLASSES:
        return constant(*circumplex.centre(str(source)), num_frames)
    path = pathlib.Path(source)
    if not path.suffix:
        raise DataError(
            expected=f"one of {', '.join(circumplex.CLASSES)}, or a .csv or .json file",
            got=repr(str(source)),
            fix="Name an emotion, or give keyframes; see emojax/emotion/trajectory.py.",
        )
    return through(read(path), num_frames, outside=outside)


def _points(keyframes: Sequence[Keyframe], outside: Outside) -> tuple[np.ndarray, np.ndarray]:
    """Times [K] and points [K, 2] inside the disc, checked."""
    if not len(keyframes):
        raise DataError(expected="at least one keyframe", got="none", fix=_FORM)
    named = [
        (row[0], *circumplex.centre(row[1])) if isinstance(row[1], str) else tuple(row)
        for row in keyframes
    ]
    lengths = {len(row) for row in named}
    if lengths != {3}:
        raise DataError(
            expected="keyframes (seconds, valence, arousal) or (seconds, emotion)",
            got=f"one of {min(lengths - {3})} items",
            fix=_FORM,
        )
    times, *values = np.array(named, np.float64).T
    if not np.isfinite(times).all():
        raise DataError(expected="finite times", got="NaN or infinity", fix="Write seconds from 0.")
    late = np.flatnonzero(np.diff(times) <= 0)
    if len(late):
        raise DataError(
            expected="keyframes in ascending order of time",
            got=f"{times[late[0] + 1]:g} s after {times[late[0]]:g} s",
            fix="Sort them; two of one time cannot both hold.",
        )
    return times, np.stack(circumplex.inside(*values, outside=outside), axis=-1).astype(np.float64)


def _inner_slopes(times: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Slopes [K, 2] in the keyframes with which the course stays inside the disc.

    A cubic lies among its ends and its two handles (Bezier), which stand a third of the distance to
    the next knot along the slope. Slopes are shortened until all handles are in the disc; this
    keeps them monotone and both sides of a keyframe alike.
    """
    slopes = monotone.slopes(times, points)
    third = np.diff(times)[:, None] / 3
    longest = np.ones(len(times))
    longest[:-1] = np.minimum(longest[:-1], _share_inside(points[:-1], slopes[:-1] * third))
    longest[1:] = np.minimum(longest[1:], _share_inside(points[1:], -slopes[1:] * third))
    return slopes * longest[:, None]


def _share_inside(points: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The greatest share of each step [K, 2] from a point of the disc that stays in it, at most 1.

    |p + s d| = 1 is s^2 d.d + 2 s p.d - (1 - p.p) = 0, in the form that suits small d.d.
    """
    room = np.maximum(1 - np.sum(points * points, axis=1), 0)
    along, squared = np.sum(points * steps, axis=1), np.sum(steps * steps, axis=1)
    slowed = along + np.sqrt(along * along + squared * room)
    return np.divide(room, slowed, out=np.ones_like(room), where=slowed > room)


def _csv_rows(text: str) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    return [{k.strip(): v for k, v in row.items() if k and v not in (None, "")} for row in reader]


def _json_rows(text: str) -> list[Any]:
    rows = json.loads(text)
    if not isinstance(rows, list):
        raise ValueError("a list of keyframes is needed")
    return rows


def _keyframe(row: Any) -> Keyframe:
    if isinstance(row, dict):
        names = ("time", "emotion") if "emotion" in row else ("time", "valence", "arousal")
        row = [row[name] for name in names]
    if not isinstance(row, list) or len(row) not in (2, 3):
        raise ValueError(f"{row!r} is no keyframe")
    if len(row) == 2:
        return float(row[0]), str(row[1]).strip()
    return float(row[0]), float(row[1]), float(row[2])
