"""State dicts held against the layout of a network: every key, shape, type and number.

A layout is key -> shape, as the official file has them. Weights are floats of any width and become
float32; batch norms' counts of batches, which nothing uses, are dropped.
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emojax.experts.checkpoint import limits, refusal

Shapes = Mapping[str, tuple[int, ...]]

_COUNTS = "num_batches_tracked"


def shape_of(leaf: Any) -> tuple[int, ...]:
    """Returns the shape of an array, or of a tensor that is still in its file.

    Args:
      leaf: has a `shape`, or can be made an array.
    """
    return tuple(leaf.shape) if hasattr(leaf, "shape") else np.shape(leaf)


def array_of(leaf: Any) -> np.ndarray:
    """Returns an array, a tensor of a file being read now.

    Args:
      leaf: has `array()`, or is a tensor of PyTorch, or can be made an array.
    """
    if hasattr(leaf, "detach"):  # a tensor of PyTorch in memory; NumPy has no bfloat16
        leaf = leaf.detach().cpu()
        leaf = leaf.float() if leaf.is_floating_point() else leaf
    return leaf.array() if hasattr(leaf, "array") else np.asarray(leaf)


def is_count(key: str) -> bool:
    """Returns whether `key` is that of a batch norm's count of batches."""
    return key.rpartition(".")[2] == _COUNTS


def check(
    mapping: Mapping[str, Any],
    shapes: Shapes,
    *,
    optional: Sequence[str] = (),
    ignored: Sequence[str] = (),
) -> dict[str, np.ndarray]:
    """Returns the arrays that a network needs, checked, float32.

    Args:
      mapping: key -> array, or tensor of a file.
      shapes: the network's layout.
      optional: patterns of keys that may be absent.
      ignored: patterns of keys that may be there and are not needed.

    Raises:
      CheckpointError: keys are missing or extra, shapes or types are others, numbers are not
        finite; all such keys are counted, the first named.
    """
    missing = [key for key in shapes if key not in mapping and not _fits(key, optional)]
    extra = [key for key in mapping if key not in shapes and not _fits(key, ignored)]
    extra = [key for key in extra if not is_count(key)]
    present = [key for key in shapes if key in mapping]
    others = [key for key in present if shape_of(mapping[key]) != tuple(shapes[key])]
    size = sum(math.prod(shapes[key]) for key in present)
    if size > limits.MAX_WEIGHTS:  # views that repeat one number take little in a file
        raise refusal.damaged(f"{size:,} weights")
    found = {key: array_of(mapping[key]) for key in present if key not in others}
    types = [key for key, array in found.items() if not _is_float(array)]
    faults = {
        "missing": missing,
        "extra": extra,
        "of another shape": [
            f"{key} {shape_of(mapping[key])} instead of {tuple(shapes[key])}" for key in others
        ],
        "of another type": [f"{key} {found[key].dtype}" for key in types],
    }
    if any(faults.values()):
        raise refusal.CheckpointError(
            expected=f"the network's {len(shapes)} arrays",
            got="; ".join(
                f"{len(keys)} {what}: {refusal.listed(keys)}"
                for what, keys in faults.items()
                if keys
            ),
            fix="Take the official file that `python -m emojax.experts` names.",
        )
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and is refused
        arrays = {key: np.array(array, np.float32, order="C") for key, array in found.items()}
    if broken := [key for key, array in arrays.items() if not np.isfinite(array).all()]:
        raise refusal.CheckpointError(
            expected="finite weights",
            got=f"{len(broken)} arrays with NaN or infinite numbers: {refusal.listed(broken)}",
            fix="Get the file again; a training that diverged is of no use.",
        )
    return arrays


def _fits(key: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)


def _is_float(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"
