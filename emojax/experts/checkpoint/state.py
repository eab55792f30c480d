"""The state dict in a checkpoint: found under any nesting, its keys brought to the official ones.

Training scripts wrap weights in dictionaries (`state_dict`, `g_ema`, `model` ...), in modules, and
in prefixes of keys (`module.` of data parallelism, `decoder.` of a larger model). All of these are
tried, and the one that fits the network's layout best is taken; of equal ones, the moving average
of the weights ("ema"), then the outermost.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from emojax.experts.checkpoint import layout, refusal
from emojax.experts.checkpoint.standins import Record

_MAX_DEPTH = 6  # of nestings; modules in modules count one
_MAX_NODES = 20_000  # dictionaries and modules looked at: an optimiser has one an array
_MAX_LEAVES = 20_000  # arrays of a state dict; the largest official one has 1,129
_MAX_MODULE_DEPTH = 40
_MAX_CANDIDATES = 16  # the largest state dicts of a file
_MAX_PREFIXES = 3  # one behind another
_PARALLEL = re.compile(r"(^|\.)module\.")
_MODULE_FIELDS = ("_parameters", "_buffers", "_modules")

LayoutOf = Callable[[layout.Shapes], layout.Shapes]


@dataclasses.dataclass(frozen=True)
class Arranged:
    """A network's weights out of a checkpoint.

    Attributes:
      arrays: official key -> float32 array.
      path: under which names the state dict was found.
      prefix: that its keys carried.
    """

    arrays: dict[str, np.ndarray]
    path: str
    prefix: str


@dataclasses.dataclass(frozen=True)
class _Found:
    """A state dict, and what else the same key stands for."""

    path: tuple[str, ...]
    prefix: str
    leaves: dict[str, Any]
    doubles: tuple[tuple[str, Any], ...] = ()


def arrange(
    trees: Sequence[object],
    layout_of: LayoutOf,
    *,
    prefixes: Sequence[str] = (),
    renames: Sequence[tuple[str, str]] = (),
    optional: Sequence[str] = (),
    ignored: Sequence[str] = (),
) -> Arranged:
    """Returns the weights of a network out of checkpoints.

    Args:
      trees: of `Contents`, or dictionaries in memory; several where a network has several files.
      layout_of: shapes of a state dict -> those that the network must have.
      prefixes: that keys may carry; `module.` always may.
      renames: (regular expression, replacement) for keys of other releases.
      optional: patterns of keys that may be absent.
      ignored: patterns of keys that may be there and are not needed.

    Raises:
      CheckpointError: no state dict is of this network, or one lacks keys, has others or other
        shapes, or numbers that are not finite.
    """
    chosen = [_choose(tree, layout_of, prefixes, renames) for tree in trees]
    leaves, doubles = {}, []
    for found in chosen:
        doubles += [*found.doubles, *((k, v) for k, v in found.leaves.items() if k in leaves)]
        leaves |= {key: leaf for key, leaf in found.leaves.items() if key not in leaves}
    shapes = layout_of(_shapes(leaves))
    for tree, found in zip(trees, chosen, strict=True):
        beside = _beside(tree, found.path)
        leaves |= {k: beside[k] for k in shapes if k not in leaves and k in beside}
    arrays = layout.check(leaves, shapes, optional=optional, ignored=ignored)
    _check_doubles(doubles, arrays)
    paths = (".".join(found.path) for found in chosen)
    return Arranged(
        arrays,
        path=", ".join(filter(None, paths)),
        prefix=", ".join(f.prefix for f in chosen if f.prefix),
    )


def shapes_of(tree: object) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of the largest state dict in a checkpoint, to tell whose it may be.

    Args:
      tree: of `Contents`, or a dictionary in memory.
    """
    leaves = max((found.leaves for found in _state_dicts(tree)), key=len, default={})
    return {_PARALLEL.sub(r"\1", key): shape for key, shape in _shapes(leaves).items()}


def _choose(tree: object, layout_of: LayoutOf, prefixes, renames) -> _Found:
    """The state dict, in the variant of its keys, that fits best."""

    def fit(found: _Found) -> tuple:
        shapes = _shapes(found.leaves)
        wanted = layout_of(shapes)
        same = sum(shapes.get(key) == tuple(shape) for key, shape in wanted.items())
        named = sum(key in shapes for key in wanted)
        averaged = any("ema" in name.lower() for name in found.path)
        return same, named, averaged, -len(shapes), -len(found.path)

    candidates = sorted(_state_dicts(tree), key=lambda found: -len(found.leaves))
    variants = [v for c in candidates[:_MAX_CANDIDATES] for v in _variants(c, prefixes, renames)]
    best = max(variants, key=fit, default=_Found((), "", {}))
    if not fit(best)[1]:
        keys = candidates[0].leaves if candidates else {}
        raise refusal.CheckpointError(
            expected="a state dict of the network",
            got=f"none; the file has {refusal.listed(keys) or 'no arrays at all'}",
            fix="Take the official file that `python -m emojax.experts` names.",
        )
    return best


def _variants(found: _Found, prefixes: Sequence[str], renames) -> Iterator[_Found]:
    """A state dict with its keys as they are, stripped, and renamed."""
    known = {found.prefix: found.leaves}
    bare = {_PARALLEL.sub(r"\1", key): leaf for key, leaf in found.leaves.items()}
    if len(bare) == len(found.leaves) and bare.keys() != found.leaves.keys():
        known["module."] = bare
    for _ in range(_MAX_PREFIXES):
        for done, leaves in list(known.items()):
            for prefix in prefixes:
                stripped = {k[len(prefix) :]: v for k, v in leaves.items() if k.startswith(prefix)}
                if stripped:
                    known.setdefault(done + prefix, stripped)
    for prefix, leaves in known.items():
        yield dataclasses.replace(found, prefix=prefix, leaves=leaves)
        if renames:
            yield _renamed(dataclasses.replace(found, prefix=prefix, leaves=leaves), renames)


def _renamed(found: _Found, renames: Sequence[tuple[str, str]]) -> _Found:
    leaves: dict[str, Any] = {}
    doubles = []
    for key, leaf in found.leaves.items():
        for pattern, replacement in renames:
            key = re.sub(pattern, replacement, key)
        if key in leaves:
            doubles.append((key, leaf))
        else:
            leaves[key] = leaf
    return dataclasses.replace(found, leaves=leaves, doubles=tuple(doubles))


def _check_doubles(doubles: Sequence[tuple[str, Any]], arrays: Mapping[str, np.ndarray]) -> None:
    """Two names of one array are fine, two arrays of one name are not."""
    for key, leaf in doubles:
        if key not in arrays:
            continue
        same = layout.shape_of(leaf) == arrays[key].shape
        if not same or not np.array_equal(layout.array_of(leaf), arrays[key]):
            raise refusal.CheckpointError(
                expected="one array of each name",
                got=f"two different ones for {refusal.shown(key)}",
                fix="Take the official file that `python -m emojax.experts` names.",
            )


def _state_dicts(tree: object) -> Iterator[_Found]:
    """Every dictionary or module with arrays in it, outer ones first."""
    level, seen = [((), tree)], set()
    for _ in range(_MAX_DEPTH):
        following = []
        for path, node in level:
            if id(node) in seen or len(seen) > _MAX_NODES:
                continue
            seen.add(id(node))
            if isinstance(node, Record):
                leaves = dict(_module_leaves(node))
            elif isinstance(node, Mapping):
                leaves = {_name(k): v for k, v in node.items() if _is_leaf(v)}
                following += [
                    ((*path, _name(k)), v)
                    for k, v in node.items()
                    if isinstance(v, Mapping | Record)
                ]
            else:
                continue
            if len(leaves) > _MAX_LEAVES:
                raise refusal.refused(f"a state dict of {len(leaves):,} arrays")
            if leaves:
                yield _Found(path, "", leaves)
        level = following


def _module_leaves(module: Record) -> Iterator[tuple[str, Any]]:
    """The state dict of a module: its parameters, buffers and those of its parts."""
    pending, count = [("", module, 0)], 0
    while pending:
        prefix, record, depth = pending.pop()
        count += 1
        if count > _MAX_NODES or depth > _MAX_MODULE_DEPTH:
            raise refusal.refused("a module of endless parts")
        fields = record.fields
        parts = [fields.get(name) for name in _MODULE_FIELDS]
        if any(isinstance(part, Mapping) for part in parts):
            fields = {k: v for part in parts if isinstance(part, Mapping) for k, v in part.items()}
        for key, value in fields.items():
            if _is_leaf(value):
                yield f"{prefix}{_name(key)}", value
            elif isinstance(value, Record):
                pending.append((f"{prefix}{_name(key)}.", value, depth + 1))


def _beside(tree: object, path: Sequence[str]) -> dict[str, Any]:
    """Arrays that lie beside a state dict, in the dictionaries around it; the inner ones win."""
    found: dict[str, Any] = {}
    node = tree
    for name in path:
        if not isinstance(node, Mapping):
            break
        found |= {_name(k): v for k, v in node.items() if _is_leaf(v)}
        node = next((v for k, v in node.items() if _name(k) == name), None)
    return found


def _is_leaf(value: object) -> bool:
    if isinstance(value, Mapping | Record | str | bytes):
        return False
    return hasattr(value, "array") or (hasattr(value, "shape") and hasattr(value, "dtype"))


def _name(key: object) -> str:
    """A key as text; Python 2 wrote bytes."""
    if isinstance(key, bytes):
        return key.decode("latin-1")
    return key if isinstance(key, str) else refusal.shown(key)


def _shapes(leaves: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {key: layout.shape_of(leaf) for key, leaf in leaves.items() if not layout.is_count(key)}
