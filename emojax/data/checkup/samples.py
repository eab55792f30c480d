"""Some frames of a folder, to look at closely: which, and how to read them.

Masks and pictures are compared at a side of `SIDE` pixels: enough to see where they lie.
"""

from __future__ import annotations

import numpy as np

from emojax.data import face68, files, labels
from emojax.data.checkup.contents import Contents
from emojax.data.checkup.curves import Curves
from emojax.data.masks.headframe import rescale
from emojax.opencv import cv2

NUM_SPREAD, NUM_WIDEST = 48, 6  # frames over the clip; those with the widest mouths
SIDE = 256  # px
Table = dict[str, np.ndarray]


def choose(contents: Contents, curves: Curves) -> list[int]:
    """Returns the frames to look at: spread over the clip, and the widest mouths.

    Args:
      contents: of the folder.
      curves: of the folder.
    """
    there = np.flatnonzero(contents.readable)
    if not len(there):
        return []
    spread = there[np.linspace(0, len(there) - 1, NUM_SPREAD).astype(int)]
    opening = np.nan_to_num(curves.opening[there], nan=-1.0)
    widest = there[np.argsort(-opening, kind="stable")[:NUM_WIDEST]]
    return sorted({int(number) for number in (*spread, *widest)})


def read_picture(contents: Contents, number: int) -> np.ndarray | None:
    """Returns the picture of a frame, uint8 [H, W, 3], or None if it cannot be read.

    Args:
      contents: of the folder.
      number: of the frame.
    """
    try:
        return files.read_picture(contents.paths[number])
    except (KeyError, ValueError):
        return None


def reduced(picture: np.ndarray) -> np.ndarray:
    """Returns a picture with its longer side at most `SIDE`.

    Args:
      picture: uint8 [H, W, C].
    """
    return cv2.resize(picture, _reduced_size(picture.shape), interpolation=cv2.INTER_AREA)


def _reduced_size(shape: tuple) -> tuple[int, int]:
    """Width and height of a picture reduced."""
    scale = min(1.0, SIDE / max(shape[:2]))
    return max(round(shape[1] * scale), 1), max(round(shape[0] * scale), 1)


def read_labels(contents: Contents, number: int) -> np.ndarray | None:
    """Returns the label picture of a frame, reduced, or None if it has none.

    Args:
      contents: of the folder.
      number: of the frame.
    """
    try:
        parsing = files.read_picture(contents.folder / files.PARSING / f"{number}.png")
    except ValueError:
        return None
    size = _reduced_size(parsing.shape)
    try:
        teeth = np.load(contents.folder / files.TEETH / f"{number}.npy").astype(np.uint8)
    except (OSError, ValueError, EOFError):
        teeth = None
    if teeth is not None:
        is_picture = teeth.shape == parsing.shape[:2]
        method = cv2.INTER_NEAREST
        teeth = cv2.resize(teeth, size, interpolation=method) > 0 if is_picture else None
    parsing = cv2.resize(parsing, size, interpolation=cv2.INTER_NEAREST)
    return labels.from_parsing(parsing, teeth)


def face_hull(contents: Contents, number: int, shape: tuple[int, int]) -> np.ndarray | None:
    """Returns the inside of the landmarks' hull, bool of a shape, or None if it is empty.

    Args:
      contents: of the folder.
      number: of the frame.
      shape: height and width of the picture, reduced perhaps.
    """
    points = contents.landmarks[number]
    if contents.size is None or not np.isfinite(points).all() or face68.eye_distance(points) < 1:
        return None
    outline = cv2.convexHull(rescale(points, shape[1] / contents.size[1]))
    hull = np.zeros(shape, np.uint8)
    # Far outside is outside: the drawing overflows beyond 2^15.
    cv2.fillConvexPoly(hull, np.int32(np.clip(np.round(outline), -1e4, 1e4)), 1)
    return hull.astype(bool) if hull.any() else None


def table(rows: list[dict[str, float]]) -> Table:
    """Returns measures of several frames as columns, NaN where a frame has none.

    Args:
      rows: of each frame, with its "number".
    """
    names = {name for row in rows for name in row}
    return {name: np.array([row.get(name, np.nan) for row in rows], np.float64) for name in names}


def known(columns: Table, name: str) -> np.ndarray:
    """Returns the known values of a column; none where there is no such column.

    Args:
      columns: of `table`.
      name: of the column.
    """
    values = columns.get(name, np.zeros(0))
    return values[np.isfinite(values)]


def median(columns: Table, name: str) -> float:
    """Returns the median of a column's known values, or NaN.

    Args:
      columns: of `table`.
      name: of the column.
    """
    values = known(columns, name)
    return float(np.median(values)) if len(values) else float("nan")


def mean(columns: Table, name: str) -> float:
    """Returns the mean of a column's known values, or NaN.

    Args:
      columns: of `table`.
      name: of the column.
    """
    values = known(columns, name)
    return float(values.mean()) if len(values) else float("nan")


def extreme(columns: Table, name: str, sign: int) -> tuple[int, ...]:
    """Returns the frame in which a measure is greatest or least, () if it is not known.

    Args:
      columns: of `table`.
      name: of the column.
      sign: 1 for the greatest, -1 for the least.
    """
    if not len(known(columns, name)):
        return ()
    return (int(columns["number"][np.nanargmax(sign * columns[name])]),)
