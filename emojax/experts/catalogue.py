"""What frozen networks there are, in words, for the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emojax.experts import expert, registry, spec

_INDENT = "    "


def text(names: Sequence[str]) -> str:
    """Returns a description of networks.

    Args:
      names: of those wanted; none for a line or two on each.

    Raises:
      CheckpointError: there is no such network.
    """
    if names:
        return "\n".join(_whole(registry.get(name)) for name in names)
    width = max(map(len, registry.names()))
    lines = [f"Converted weights are looked for in {expert.weights_folder()}", ""]
    for name in registry.names():
        network = registry.get(name)
        lines.append(f"{name:{width}}  {_state(name):13}  {network.task}")
        lines.append(f"{'':{width}}  {'':13}  {network.licence}")
    lines += ["", "`python -m emojax.experts NAME` says more: inputs, outputs, the official file."]
    return "\n".join(lines) + "\n"


def _state(name: str) -> str:
    """Whether there are weights."""
    return "installed" if expert.is_installed(name) else "not installed"


def _whole(network: spec.Spec) -> str:
    """All that is known of a network."""
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
        lines += ["outputs on request", _INDENT + ", ".join(network.extras)]
    return "\n".join(lines) + "\n"


def _part(title: str, entries: Mapping[str, str]) -> list[str]:
    """A titled list, where there is something to list."""
    if not entries:
        return []
    return [title, *(f"{_INDENT}{name}: {meaning}" for name, meaning in entries.items())]
