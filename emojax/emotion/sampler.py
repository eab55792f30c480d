"""Points of the disc to make pictures for: (valence, arousal), float32 [N, 2].

`uniform` is what training draws (EmoTalkingGaussian does not say; EmoStyle draws from the square,
whose corners no emotion fills). `circle` and `grid` are for looking; `read` takes a file:

    valence,arousal,label          [[0.74, 0.31], [0.31, 0.74]]
    0.74,0.31,happy                or [{"valence": 0.74, "arousal": 0.31, "label": "happy"}]
"""

from __future__ import annotations

import csv
import io
import json
import math
import pathlib
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from emojax.data.errors import DataError
from emojax.emotion import circumplex

_FORM = "Give rows of valence and arousal; see emojax/emotion/sampler.py."


def uniform(key: jax.Array, num: int, *, inner: float = 0.0, outer: float = 1.0) -> jax.Array:
    """Returns points drawn evenly from a ring of the disc, float32 [num, 2].

    Args:
      key: consumed.
      num: how many.
      inner: radius within which none is drawn.
      outer: radius of the ring, at most 1.
    """
    key_radius, key_angle = jax.random.split(key)
    # The area inside a radius grows with its square.
    radius = jnp.sqrt(jax.random.uniform(key_radius, (num,), minval=inner**2, maxval=outer**2))
    angle = jax.random.uniform(key_angle, (num,), maxval=2 * math.pi)
    return jnp.stack([radius * jnp.cos(angle), radius * jnp.sin(angle)], axis=-1)


def circle(num: int, *, radius: float = 0.8, start: float = 22.5) -> np.ndarray:
    """Returns points in equal steps on a circle, counter-clockwise, float32 [num, 2].

    Args:
      num: how many.
      radius: of the circle.
      start: angle of the first, degrees.
    """
    angle = np.deg2rad(start + 360 * np.arange(num) / num)
    return np.float32(radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1))


def grid(side: int) -> np.ndarray:
    """Returns the points of a square lattice that lie in the disc, float32 [N, 2].

    Rows from high to low arousal, each from low to high valence, as one reads the disc.

    Args:
      side: points across the disc.
    """
    steps = np.linspace(-1, 1, side) if side > 1 else np.zeros(1)
    points = np.stack(np.meshgrid(steps, steps[::-1]), axis=-1).reshape(-1, 2)
    return np.float32(points[np.hypot(*points.T) <= 1 + 1e-9])


def quantize(points: np.ndarray, step: float) -> np.ndarray:
    """Returns points moved to the nearest of a lattice, so that a cache finds them again.

    Args:
      points: [..., 2].
      step: of the lattice, which contains the origin; 0 leaves the points as they are.
    """
    points = np.asarray(points, np.float32)
    return np.float32(np.round(points / step) * step) if step else points


def read(
    path: pathlib.Path | str, *, outside: Literal["clip", "refuse"] = "clip"
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Reads points from a file.

    Args:
      path: .csv or .json.
      outside: what is done to points outside the disc (`circumplex.inside`).

    Returns:
      float32 [N, 2]; a label of each, "" where there is none.

    Raises:
      DataError: no such file, no points, not numbers, or outside and to be refused.
    """
    path = pathlib.Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(expected=f"points in {path}", got=str(error), fix=_FORM) from error
    rows = _rows_of_json(path, text) if path.suffix == ".json" else _rows_of_csv(text)
    if not rows:
        raise DataError(expected=f"points in {path}", got="none", fix=_FORM)
    points, labels = [], []
    for number, row in enumerate(rows, start=1):
        try:
            points.append((float(row["valence"]), float(row["arousal"])))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                expected=f"numbers for valence and arousal in each row of {path.name}",
                got=f"row {number}: {dict(row)}",
                fix=_FORM,
            ) from error
        labels.append(str(row.get("label") or ""))
    valence, arousal = circumplex.inside(*np.array(points).T, outside=outside)
    return np.stack([valence, arousal], axis=-1), tuple(labels)


def _rows_of_csv(text: str) -> list[Mapping[str, Any]]:
    """Rows under a header, blanks around names and values dropped."""
    reader = csv.reader(io.StringIO(text), skipinitialspace=True)
    rows = [[cell.strip() for cell in row] for row in reader if any(row)]
    return [dict(zip(rows[0], row, strict=False)) for row in rows[1:]]


def _rows_of_json(path: pathlib.Path, text: str) -> list[Mapping[str, Any]]:
    """Objects, or pairs made such."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(expected=f"JSON in {path}", got=str(error), fix=_FORM) from error
    rows = value if isinstance(value, list) else [value]
    names = ("valence", "arousal", "label")
    return [
        row if isinstance(row, dict) else dict(zip(names, row, strict=False))
        if isinstance(row, list) else {"value": row}
        for row in rows
    ]  # fmt: skip
