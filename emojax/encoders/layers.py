"""Layers of all networks: dense, convolutional and perceptrons, as PyTorch starts and shapes them.

Weights and biases start as U(-1/sqrt(n), 1/sqrt(n)) with n the numbers that one output sums over
(PyTorch's default for Linear and Conv1d), which the learning rates of ER-NeRF and TalkingGaussian
presume. Arrays have the channel last: [..., C], and [..., time, C] for convolutions.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from emojax.encoders import triplane

KERNEL_SIZE = 3  # steps that a convolution sees
ZERO_KERNEL = "zero_kernel"  # name of a last layer that starts at zero


def uniform(fan_in: int) -> jax.nn.initializers.Initializer:
    """Returns an initializer U(-1/sqrt(n), 1/sqrt(n)) of any shape, with n = `fan_in`."""
    limit = fan_in**-0.5

    def init(key, shape, dtype=float):
        return jax.random.uniform(key, shape, dtype, -limit, limit)

    return init


def dense(num_inputs: int, num_outputs: int, *, name: str) -> nn.Dense:
    """Returns a layer with bias, [..., `num_inputs`] -> [..., `num_outputs`], called `name`."""
    start = uniform(num_inputs)
    return nn.Dense(num_outputs, kernel_init=start, bias_init=start, name=name)


def convolution(num_inputs: int, num_outputs: int, *, stride: int, name: str) -> nn.Conv:
    """Returns a convolution over time with bias; a zero is put before the first and after the last.

    Args:
      num_inputs: channels of [..., T, num_inputs].
      num_outputs: channels of [..., ceil(T / stride), num_outputs].
      stride: steps between two outputs.
      name: of the layer within its network.
    """
    start = uniform(KERNEL_SIZE * num_inputs)
    return nn.Conv(
        num_outputs,
        kernel_size=(KERNEL_SIZE,),
        strides=stride,
        padding=(KERNEL_SIZE - 1) // 2,
        kernel_init=start,
        bias_init=start,
        name=name,
    )


class Perceptron(nn.Module):
    """Dense layers without biases, ReLU between them and none after the last: [..., n] -> [..., m].

    Without biases zeros give zeros: where an encoder knows nothing, nothing moves.

    Attributes:
      widths: numbers of inputs, of each hidden layer, and of outputs.
      starts_at_zero: whether the last layer is zero at the start, and so all outputs.
    """

    widths: tuple[int, ...]
    starts_at_zero: bool = False

    def setup(self):
        """Makes `kernels`: a list of [widths[i], widths[i + 1]]."""
        shapes = list(itertools.pairwise(self.widths))
        kernels = [(f"kernel_{i}", uniform(shape[0]), shape) for i, shape in enumerate(shapes)]
        if self.starts_at_zero:
            kernels[-1] = (ZERO_KERNEL, nn.initializers.zeros, shapes[-1])
        self.kernels = [self.param(*kernel) for kernel in kernels]

    def __call__(self, x: jax.Array) -> jax.Array:
        """Applies all layers to `x`, [..., widths[0]]; returns [..., widths[-1]]."""
        *hidden, last = self.kernels
        for kernel in hidden:
            x = nn.relu(x @ kernel)
        return x @ last


def start(key: jax.Array, module: nn.Module, *arguments: Any) -> dict[str, Any]:
    """Returns parameters of a network as `module.init` makes them, from one draw.

    Flax draws array by array, and XLA compiles a generator for each: 10 seconds for a face. The
    distributions are the same (a test compares them), the numbers are others.

    Args:
      key: consumed.
      module: the network; its parameters are those of this file's layers, and tri-plane tables.
      *arguments: of its call; only their shapes count.
    """
    shapes = jax.eval_shape(module.init, jax.random.key(0), *arguments)
    leaves, structure = jax.tree_util.tree_flatten_with_path(shapes)
    sizes = [math.prod(leaf.shape) for _, leaf in leaves]
    draw = jax.random.uniform(key, (sum(sizes),), minval=-1, maxval=1)
    parts = jnp.split(draw, list(itertools.accumulate(sizes))[:-1])
    limits = [_limit(path, leaf, shapes) for path, leaf in leaves]
    return jax.tree_util.tree_unflatten(
        structure,
        [
            limit * part.reshape(leaf.shape)
            for limit, part, (_, leaf) in zip(limits, parts, leaves, strict=True)
        ],
    )


def _limit(path: tuple, leaf: jax.ShapeDtypeStruct, shapes: Any) -> float:
    """The largest value that a parameter starts with."""
    *parents, name = (entry.key for entry in path)
    if name == "tables":
        return triplane.INITIAL_RANGE
    if name == ZERO_KERNEL:
        return 0.0
    if name == "bias":  # of as many numbers as its kernel sums over
        for parent in parents:
            shapes = shapes[parent]
        leaf = shapes["kernel"]
    return math.prod(leaf.shape[:-1]) ** -0.5
