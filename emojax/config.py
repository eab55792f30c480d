"""Configurations: frozen dataclasses changed by path, written to JSON and read back by type.

A path names fields and, in a tuple of dataclasses, the `name` of an element or its number:
`stages.face.rates.means`, `stages.0.degree_every`. An unknown path or a value of another type is
refused with the nearest names; nothing is converted silently but whole numbers to floats.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import types
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def override(config: T, assignments: Sequence[str]) -> T:
    """Returns a configuration with some values replaced.

    Args:
      config: a frozen dataclass of dataclasses, tuples, numbers, text, booleans and None.
      assignments: each "path=value", the value in JSON; bare words are text.

    Raises:
      ValueError: an assignment has no "=", an unknown path, or a value of another type.
    """
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals or not path:
            raise ValueError(f"expected path=value, got {assignment!r}")
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        config = _replace(config, path.split("."), value, type(config), path)
    return config


def to_dict(config: Any) -> Any:
    """Returns a configuration as dictionaries, lists and plain values, ready for JSON.

    Args:
      config: a dataclass, or a part of one.
    """
    if dataclasses.is_dataclass(config):
        return {f.name: to_dict(getattr(config, f.name)) for f in dataclasses.fields(config)}
    if isinstance(config, tuple | list):
        return [to_dict(item) for item in config]
    return config


def from_dict(kind: Any, values: Any, *, path: str = "") -> Any:
    """Returns a configuration from what `to_dict` made of it.

    Args:
      kind: its type.
      values: dictionaries, lists and plain values.
      path: of the part, for messages.

    Raises:
      ValueError: a field is missing, unknown, or of another type.
    """
    if dataclasses.is_dataclass(kind):
        names = [f.name for f in dataclasses.fields(kind)]
        if not isinstance(values, dict):
            fields = ", ".join(names)
            raise ValueError(f"{path or kind.__name__}: expected fields ({fields}), got {values!r}")
        hints = typing.get_type_hints(kind)
        if unknown := sorted(set(values) - set(names)):
            raise ValueError(f"{_join(path, unknown[0])} is unknown{_nearest(unknown[0], names)}")
        if missing := [name for name in names if name not in values]:
            raise ValueError(f"{_join(path, missing[0])} is missing")
        return kind(**{n: from_dict(hints[n], values[n], path=_join(path, n)) for n in names})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if values is None and type(None) in arguments:
            return None
        (inner,) = [a for a in arguments if a is not type(None)]
        try:
            return from_dict(inner, values, path=path)
        except ValueError as error:
            start = f"{path}: expected "
            if not str(error).startswith(start):  # it is about a part
                raise
            raise ValueError(f"{start}null or {str(error).removeprefix(start)}") from error
    if origin is tuple:
        return _tuple(arguments, values, path)
    if origin is typing.Literal:
        if values not in arguments:
            raise ValueError(f"{path}: expected one of {list(arguments)}, got {values!r}")
        return values
    return _plain(kind, values, path)


def differences(before: Any, after: Any) -> list[str]:
    """Returns "path: old -> new" for every value in which two configurations differ.

    Args:
      before: a configuration, or what `to_dict` made of one.
      after: likewise.
    """
    return _differences(to_dict(before), to_dict(after), "")


def _differences(before: Any, after: Any, path: str) -> list[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for name in [*before, *(n for n in after if n not in before)]:
            old, new = before.get(name, "nothing"), after.get(name, "nothing")
            found += _differences(old, new, _join(path, name))
        return found
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        found = []
        for i, (old, new) in enumerate(zip(before, after, strict=True)):
            name = old.get("name", str(i)) if isinstance(old, dict) else str(i)
            found += _differences(old, new, _join(path, name))
        return found
    return [] if before == after else [f"{path}: {before} -> {after}"]


def _replace(part: Any, names: list[str], value: Any, kind: Any, path: str) -> Any:
    """The part with the value at the end of the names replaced; `kind` is the part's type."""
    if not names:
        return from_dict(kind, to_dict(value), path=path)
    name, *rest = names
    if dataclasses.is_dataclass(part):
        fields = [f.name for f in dataclasses.fields(part)]
        if name not in fields:
            raise ValueError(f"{path}: there is no {name!r}{_nearest(name, fields)}")
        # The type as the class declares it: a value of None says nothing of its own.
        hint = typing.get_type_hints(type(part))[name]
        inner = _replace(getattr(part, name), rest, value, hint, path)
        return dataclasses.replace(part, **{name: inner})
    if isinstance(part, tuple):
        labels = [getattr(item, "name", str(i)) for i, item in enumerate(part)]
        numbers = [str(i) for i in range(len(part))]
        if name not in labels and name not in numbers:
            raise ValueError(f"{path}: there is no {name!r}{_nearest(name, labels)}")
        i = labels.index(name) if name in labels else int(name)
        arguments = typing.get_args(kind)
        inner_kind = arguments[0] if len(arguments) == 2 and arguments[1] is ... else arguments[i]
        inner = _replace(part[i], rest, value, inner_kind, path)
        return (*part[:i], inner, *part[i + 1 :])
    raise ValueError(f"{path}: {part!r} has no parts, so no {name!r}")


def _tuple(arguments: tuple, values: Any, path: str) -> tuple:
    if not isinstance(values, list | tuple):
        raise ValueError(f"{path}: expected a list, got {values!r}")
    if len(arguments) == 2 and arguments[1] is ...:
        arguments = (arguments[0],) * len(values)
    if len(arguments) != len(values):
        raise ValueError(f"{path}: expected {len(arguments)} values, got {len(values)}")
    return tuple(
        from_dict(kind, value, path=_join(path, str(i)))
        for i, (kind, value) in enumerate(zip(arguments, values, strict=True))
    )


def _plain(kind: Any, value: Any, path: str) -> Any:
    """A number, a text or a boolean of exactly this type; whole numbers serve as floats."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{path}: expected {kind.__name__}, got {value!r}")
    return value


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _nearest(name: str, names: list[str]) -> str:
    """The names that look most like it, as the end of a sentence."""
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    return f"; did you mean {', '.join(close)}?" if close else f"; there are {', '.join(names)}"
