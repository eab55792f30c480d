"""What the face shows in each frame of a film: action units, and blinks.

* "clip": the clip's own, of given rows: with their blinks.
* "fixed": the clip's usual (median) intensities, and natural blinks.
* a file (`tables`), 25 frames a second: `AU01_r`, `AU04_r`, ... as OpenFace writes them, or AU1,
  AU04, ...; 0 to 5, a list of T numbers or one for all frames: {"AU01_r": 2.5}. Units that are left
  out have their usual intensity; without AU45 there are natural blinks.

Blinks are as strong as the clip's: a head cannot close its eyes farther than it has seen.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from emojax.data.action_units import MAX_INTENSITY
from emojax.data.clip import Clip
from emojax.data.errors import DataError
from emojax.drive import tables
from emojax.puppet import blinks

BLINK = 45
# Of the clip's frames: about two frames of each blink are nearly closed, at 20 blinks a minute 2 %.
CLOSED_PERCENTILE = 99.0
# Below this intensity (of 5) the strongest frame of a clip is no blink but noise.
LEAST_BLINK = 0.5

_NAME = re.compile(r"au0*([0-9]{1,2})(_r)?")


class Expression(NamedTuple):
    """Of a film of T frames.

    Attributes:
      action_units: float32 [T, A], 0 to 5, in the order asked for.
      notes: what a user should know, in words.
    """

    action_units: np.ndarray
    notes: tuple[str, ...]


def plan(
    key: jax.Array,
    clip: Clip,
    source: str | pathlib.Path,
    rows: np.ndarray,
    numbers: Sequence[int],
    *,
    loop: bool = False,
) -> Expression:
    """Returns the expression of a film.

    Args:
      key: of the blinks; consumed.
      clip: of the head.
      source: "clip", "fixed" or a file.
      rows: int [T], the clip's rows that "clip" takes.
      numbers: the A units that the head shows, in order.
      loop: cut or repeat a file of another length.

    Raises:
      DataError: the clip lacks a unit; the file is damaged, of another length, or has other units.
    """
    of_clip = np.stack([clip.action_units.column(number) for number in numbers], axis=-1)
    if source == "clip":
        return Expression(np.float32(of_clip[rows]), ())
    usual = dict(zip(numbers, np.median(of_clip, axis=0), strict=True))
    given: dict[int, np.ndarray] = {}
    notes: tuple[str, ...] = ()
    if source != "fixed":
        given, notes = _read(pathlib.Path(source), numbers, len(rows), loop)
    values = {number: given.get(number, np.full(len(rows), usual[number])) for number in numbers}
    if BLINK in values and BLINK not in given:
        strongest = np.percentile(clip.action_units.column(BLINK), CLOSED_PERCENTILE)
        if strongest - usual[BLINK] < LEAST_BLINK:
            notes += ("the clip shows no blinks: the head cannot blink",)
        closed = blinks.closure(blinks.times(key, len(rows) / blinks.FPS), len(rows))
        values[BLINK] = usual[BLINK] + (strongest - usual[BLINK]) * closed
    stacked = np.stack([values[number] for number in numbers], axis=-1)
    return Expression(np.float32(stacked), notes)


def _read(path: pathlib.Path, numbers: Sequence[int], num_frames: int, loop: bool) -> tuple:
    """Intensities [T] of the units in a file that a head shows, and notes."""
    columns, notes = tables.pick(
        path, tables.read(path), _unit_name, [f"AU{n:02d}_r" for n in numbers]
    )
    shown = {f"AU{n:02d}_r": n for n in numbers}
    wanted = {name: values for name, values in columns.items() if name in shown}
    if not wanted:
        raise DataError(
            expected=f"columns among {', '.join(shown)} in {path.name}",
            got=", ".join(columns) or "no action unit",
            fix="Name them so; these are what the head was trained on.",
        )
    for name, values in wanted.items():
        wrong = ~((values >= 0) & (values <= MAX_INTENSITY))
        if np.any(wrong) or np.ndim(values) > 1:
            raise DataError(
                expected=f"intensities from 0 to 5 in {name} of {path.name}",
                got=f"{np.min(values):g} to {np.max(values):g}",
                fix="Scale them; 0 is no action, 5 the strongest.",
            )
    fitted, more = tables.fit(path, wanted, num_frames, loop=loop)
    ignored = [name for name in columns if name not in shown]
    if ignored:
        more += (
            f"{path.name}: this head does not show {', '.join(ignored)}; it shows "
            f"{', '.join(shown)}",
        )
    return {shown[name]: values for name, values in fitted.items()}, notes + more


def _unit_name(text: str) -> str | None:
    """The proper name of a column of an action unit."""
    match = _NAME.fullmatch(text)
    return f"AU{int(match[1]):02d}_r" if match else None
