"""What is known of a frozen network: what it takes and gives, its official file, its layout.

A layout is data: official key -> shape as PyTorch (or TensorFlow) stores it. Networks of one kind
that differ in size have one layout function, which reads the size from the shapes of the file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from emojax.experts import layers

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
Outputs = dict[str, Any]


class Extra(NamedTuple):
    """An output that takes further inputs or a pass of its own.

    Attributes:
      run: (params, outputs of `forward`, *inputs) -> the output.
      inputs: how many of the network's inputs it takes, the first ones.
      is_asked: given only when asked for by its name: it reads its inputs otherwise.
    """

    run: Callable[..., Any]
    inputs: int = 1
    is_asked: bool = False


@dataclasses.dataclass(frozen=True)
class Spec:
    """A network, without its weights.

    Attributes:
      name: under which it is loaded.
      task: what it does, in a line.
      inputs: what `forward` takes after the parameters, in order: name -> meaning, shape, range.
      outputs: what it gives: name -> meaning and shape.
      forward: (params, *inputs) -> outputs and intermediates, these under "mid.NAME".
      layout: shapes found in a file -> those that the network must have. Never raises; of a
        strange file it returns the usual official layout.
      official: file and page of the official weights.
      licence: of these weights.
      gradients: what can be differentiated.
      further: inputs after these, which only some of `extras` take.
      extras: outputs that cost a pass of their own, or take further inputs.
      front: host-side preparation of inputs (sound is not differentiated): inputs as given -> those
        of `forward`, its static options, and outputs that are ready.
      optional: patterns of keys that may be absent.
      ignored: patterns of keys that official files carry and the network does not use.
      renames: (regular expression, replacement) for keys of other releases.
      prefixes: that keys may carry.
      products: patterns of keys whose products may run in another type.
      prepare: (key, array) -> array as `forward` takes it.
    """

    name: str
    task: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    forward: Callable[..., Outputs]
    layout: Callable[[Shapes], Shapes]
    official: str
    licence: str
    gradients: str
    further: Mapping[str, str] = dataclasses.field(default_factory=dict)
    extras: Mapping[str, Extra] = dataclasses.field(default_factory=dict)
    front: Callable[..., tuple[tuple, dict[str, Any], Outputs]] | None = None
    optional: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    renames: tuple[tuple[str, str], ...] = ()
    prefixes: tuple[str, ...] = ()
    products: tuple[str, ...] = ("*.weight",)
    prepare: Callable[[str, np.ndarray], np.ndarray] = layers.kernels_last


def conv(name: str, out: int, inside: int, *kernel: int, bias: bool = True) -> dict[str, Shape]:
    """Returns the entries of a convolution.

    Args:
      name: of the layer.
      out: channels.
      inside: channels.
      *kernel: its sides; one number is a square.
      bias: whether it has one.
    """
    sides = kernel * 2 if len(kernel) == 1 else kernel
    return dense(name, out, inside, *sides, bias=bias)


def dense(name: str, out: int, inside: int, *more: int, bias: bool = True) -> dict[str, Shape]:
    """Returns the entries of a linear layer.

    Args:
      name: of the layer.
      out: outputs.
      inside: inputs.
      *more: further axes of the weight.
      bias: whether it has one.
    """
    shapes: dict[str, Shape] = {f"{name}.weight": (out, inside, *more)}
    return {**shapes, f"{name}.bias": (out,)} if bias else shapes


def norm(name: str, channels: int) -> dict[str, Shape]:
    """Returns the entries of a batch normalisation `name` of so many `channels`."""
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in parts}
