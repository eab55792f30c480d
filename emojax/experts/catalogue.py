"""What frozen networks there are, in words, for the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emojax.experts import expert, registry, spec

_INDENT = "    "


def text(names: Sequence[str]) -> str:
    """Returns a description of networks.

    Args:
      names: of those wanted; none for the most important of each.

    Raises:
      CheckpointError: there is no such network.
    """
    if names:
        return "\n".join(_whole(registry.get(name)) for name in names)
    width = max(map(len, registry.names()))
    lines = [f"Converted weights are looked for in {expert.weights_folder()}", ""]
    for name in registry.names():
        network = registry.get(name)
        lines.append(f"{name:{width}}  {_state(name)}: {network.task}")
        lines += [f"{'':{width}}  {line}" for line in _terms(network)]
    lines += ["", "`python -m emojax.experts NAME` says more: shapes, ranges, further outputs."]
    return "\n".join(lines) + "\n"


def _terms(network: spec.Spec) -> list[str]:
    """Contract, gradients, licence and source of a network."""
    return [
        f"{', '.join(network.inputs)} -> {', '.join(network.outputs)}",
        f"gradients: {network.gradients}",
        f"licence: {network.licence}",
        f"official: {network.official}",
    ]


def _state(name: str) -> str:
    """Whether there are weights."""
    return "installed" if expert.is_installed(name) else "not installed"


def _whole(network: spec.Spec) -> str:
    """All that is known of a network."""
    known = [*network.inputs, *network.further]
    lines = [
        f"{network.name}: {network.task}",
        f"weights:   {_state(network.name)}",
        f"official:  {network.official}",
        f"licence:   {network.licence}",
        f"gradients: {network.gradients}",
        *_part("inputs", network.inputs),
        *_part("further inputs, for some outputs", network.further),
        *_part("outputs", network.outputs),
    ]
    if network.extras:
        lines += ["outputs that take further inputs or a pass of their own"]
        lines += [_INDENT + _told(name, extra, known) for name, extra in network.extras.items()]
    return "\n".join(lines) + "\n"


def _told(name: str, extra: spec.Extra, known: Sequence[str]) -> str:
    """An output, what it takes, and whether it has to be asked for."""
    asked = "; only when asked for" if extra.is_asked else ""
    return f"{name}: of {', '.join(known[: extra.inputs])}{asked}"


def _part(title: str, entries: Mapping[str, str]) -> list[str]:
    """A titled list, where there is something to list."""
    if not entries:
        return []
    return [title, *(f"{_INDENT}{name}: {meaning}" for name, meaning in entries.items())]
