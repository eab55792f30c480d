"""Poses and expressions from files: named columns over frames, from .csv, .json or .npz.

* .csv: a header, then a row for each frame at 25 fps (OpenFace's blanks are ignored).
* .json: {"name": number or [numbers of T frames], ...}; a number holds for all frames.
* .npz: arrays by name, [T] or [T, ...].

Names of columns may be written in capitals or not.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import pathlib
import re
import zipfile
from collections.abc import Callable, Iterable

import numpy as np

from emojax.data.errors import DataError
from emojax.drive import loops

# Two frames more or less are rounding, as in features: the last is held, or the surplus left out.
TOLERATED = 2
# Columns that files of OpenFace and of ours have beside those that are asked for: no slip of a pen.
_OTHERS = re.compile(
    r"frame|face_id|timestamp|confidence|success|au\d+(_[rc])?|yaw|pitch|roll|[xyz]|world_to_camera"
    r"|transform_matrix|(gaze|eye_lmk|pose|p)_\w+|[xyz]_\d+"
)
_LIKENESS = 0.6  # of difflib, from which on a name is a slip: "yawn" and "yaw" have 0.86
_NAMED = 5  # in a note


def read(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the numeric columns of a file by name, [T] or [T, ...], or [] for constants.

    Args:
      path: ends in .csv, .json or .npz.

    Raises:
      DataError: no such file, another ending, or not of the form that its ending says.
    """
    readers = {".csv": _read_csv, ".json": _read_json, ".npz": _read_npz}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            expected="a .csv, .json or .npz file",
            got=str(path),
            fix="Give one of these, or the words clip or fixed.",
        )
    try:
        columns = reader(path.read_bytes())
    except OSError as error:
        raise DataError(
            expected=f"the file {path}", got=error.strerror or str(error), fix="Check the path."
        ) from error
    except (ValueError, TypeError, KeyError, EOFError, csv.Error, zipfile.BadZipFile) as error:
        raise DataError(
            expected=f"numbers by name in {path}",
            got=f"{type(error).__name__}: {error}",
            fix="experiments/render.py --help says what such files look like.",
        ) from error
    for name, values in columns.items():
        if not np.isfinite(values).all():
            raise DataError(
                expected=f"finite numbers in {path.name}",
                got=f"NaN or infinity in {name}",
                fix="Fill the gaps by interpolation.",
            )
    return columns


def pick(
    path: pathlib.Path,
    columns: dict[str, np.ndarray],
    known: Callable[[str], str | None],
    names: Iterable[str],
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Returns the columns that are known, by their proper names, and what to say of the others.

    Args:
      path: of the file, for messages.
      columns: of `read`.
      known: a name in small letters -> its proper name, or None.
      names: proper names, for messages.

    Raises:
      DataError: a column comes twice, or its name is nearly one of those that are known.
    """
    names = list(names)
    picked: dict[str, np.ndarray] = {}
    unknown = []
    for written, values in columns.items():
        name = known(written.lower())
        if name in picked:
            raise DataError(
                expected=f"each column once in {path.name}",
                got=f"{name} twice, once as {written}",
                fix="Leave one of them out.",
            )
        if name is not None:
            picked[name] = values
        elif not _OTHERS.fullmatch(written.lower()):
            unknown.append(written)
    for written in unknown:
        free = {name.lower(): name for name in names if name not in picked}
        near = difflib.get_close_matches(written.lower(), free, n=1, cutoff=_LIKENESS)
        if near:
            raise DataError(
                expected=f"columns among {', '.join(names)} in {path.name}",
                got=f"{written}; did you mean {free[near[0]]}?",
                fix="Correct the name, or leave the column out.",
            )
    if not unknown or not picked:
        return picked, ()
    more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
    said = f"{path.name}: not used: {', '.join(unknown[:_NAMED])}{more}"
    return picked, (f"{said}; known are {', '.join(names)}",)


def fit(
    path: pathlib.Path, columns: dict[str, np.ndarray], num_frames: int, *, loop: bool
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Returns the columns over all frames of a film, and what was done to them, in words.

    Args:
      path: of the file, for messages.
      columns: of one length, constants apart.
      num_frames: T of the film.
      loop: cut a longer file, and repeat a shorter one back and forth.

    Raises:
      DataError: another length, and `loop` is false.
    """
    lengths = {len(values) for values in columns.values() if np.ndim(values)}
    if len(lengths) > 1 or 0 in lengths:
        raise DataError(
            expected=f"columns of one length in {path.name}",
            got=", ".join(f"{n}: {len(v)}" for n, v in columns.items() if np.ndim(v)),
            fix="Write one number for each 25 fps frame, or a single one for all.",
        )
    length = next(iter(lengths), num_frames)
    notes: tuple[str, ...] = ()
    if loop and length != num_frames:
        rows = loops.back_and_forth(0, length, num_frames)
        done = "cut" if length > num_frames else "repeated back and forth"
        notes = (f"{path.name}: {length} frames, {done} for {num_frames}",)
    elif abs(length - num_frames) > TOLERATED:
        raise DataError(
            expected=f"{num_frames} frames in {path.name}, the sound's {num_frames / 25:.2f} s at "
            "25 fps",
            got=f"{length} ({(length - num_frames) / 25:+.2f} s){_rate_hint(length, num_frames)}",
            fix="Make the file for this sound, or add --loop to repeat or cut it.",
        )
    else:
        rows = np.minimum(np.arange(num_frames), length - 1)
    fitted = {
        name: values[rows] if np.ndim(values) else np.full(num_frames, float(values))
        for name, values in columns.items()
    }
    return fitted, notes


def _read_csv(data: bytes) -> dict[str, np.ndarray]:
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig")), skipinitialspace=True))
    header, rows = [name.strip() for name in rows[0]] if rows else [], [r for r in rows[1:] if r]
    if not rows:
        raise ValueError("a header and rows are needed")
    uneven = [i for i, row in enumerate(rows) if len(row) != len(header)]
    if uneven:
        raise ValueError(f"row {uneven[0] + 1} has {len(rows[uneven[0]])} of {len(header)} numbers")
    values = np.array(rows, np.float64)
    return {name: values[:, i] for i, name in enumerate(header)}


def _read_json(data: bytes) -> dict[str, np.ndarray]:
    content = json.loads(data.decode("utf-8"))
    if not isinstance(content, dict):
        raise ValueError("an object of names is needed")
    if "frames" in content:  # a data set's transforms_*.json
        matrices = [frame["transform_matrix"] for frame in content["frames"]]
        return {"transform_matrix": np.array(matrices, np.float64)}
    return {name: np.array(values, np.float64) for name, values in content.items()}


def _read_npz(data: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return {name: np.array(file[name], np.float64) for name in file.files}


def _rate_hint(length: int, num_frames: int) -> str:
    """Names the frame rate that would explain a wrong count."""
    for fps in (24, 30, 50, 60):
        if abs(length - num_frames * fps / 25) < 1 + 0.005 * num_frames:
            return f", as a file made at {fps} frames a second would have"
    return ""
