"""The stacked hourglass trunk that EmoNet and FAN share (Newell 2016; Bulat & Tzimiropoulos 2017).

EmoNet pools with the maximum, FAN with the mean. Maps are [B, H, W, C]: pictures of 256 x 256 give
64 x 64 of 256 channels. Layer names are those of both official repositories.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from emojax.experts import layers, spec
from emojax.experts.layers import Params

SIDE = 256  # of the pictures
FEATURES = 256
NUM_POINTS = 68
DEPTH = 4  # halvings inside an hourglass

Pool = Callable[[jax.Array], jax.Array]


def maximum(x: jax.Array) -> jax.Array:
    """Returns `x` at half size, by the largest of four (EmoNet)."""
    return layers.max_pool(x, 2, stride=2)


def mean(x: jax.Array) -> jax.Array:
    """Returns `x` at half size, by the mean of four (FAN)."""
    return layers.avg_pool(x, 2, stride=2)


def block(params: Params, name: str, x: jax.Array) -> jax.Array:
    """Returns a pre-activated block: three convolutions side by side, plus what came in.

    Args:
      params: of the network.
      name: of the block.
      x: [B, H, W, C].
    """
    parts = []
    out = x
    for i in (1, 2, 3):
        out = jax.nn.relu(layers.batch_norm(params, f"{name}.bn{i}", out))
        out = layers.conv(params, f"{name}.conv{i}", out, padding=1)
        parts.append(out)
    if f"{name}.downsample.2.weight" in params:
        x = jax.nn.relu(layers.batch_norm(params, f"{name}.downsample.0", x))
        x = layers.conv(params, f"{name}.downsample.2", x)
    return jnp.concatenate(parts, axis=-1) + x


def block_layout(name: str, out: int, inside: int) -> spec.Shapes:
    """Returns the layout of `block`.

    Args:
      name: of the block.
      out: channels.
      inside: channels.
    """
    shapes: dict[str, spec.Shape] = {}
    widths = (inside, out // 2, out // 4, out // 4)
    for i in (1, 2, 3):
        shapes |= spec.norm(f"{name}.bn{i}", widths[i - 1])
        shapes |= spec.conv(f"{name}.conv{i}", widths[i], widths[i - 1], 3, bias=False)
    if out != inside:
        shapes |= spec.norm(f"{name}.downsample.0", inside)
        shapes |= spec.conv(f"{name}.downsample.2", out, inside, 1, bias=False)
    return shapes


def stem(params: Params, image: jax.Array, pool: Pool) -> dict[str, jax.Array]:
    """Returns the maps before the hourglasses, under the names of their layers; last is conv4.

    Args:
      params: of the network.
      image: [B, 256, 256, 3], 0 to 1.
      pool: halves a map.
    """
    first = layers.conv(params, "conv1", image, stride=2, padding=3)
    second = block(params, "conv2", jax.nn.relu(layers.batch_norm(params, "bn1", first)))
    third = block(params, "conv3", pool(second))
    return {"conv1": first, "conv2": second, "conv4": block(params, "conv4", third)}


def hourglass(params: Params, name: str, x: jax.Array, pool: Pool) -> jax.Array:
    """Returns what one hourglass makes of `x`, at the same size.

    Args:
      params: of the network.
      name: of the hourglass.
      x: [B, H, W, C]; H and W are divisible by 16.
      pool: halves a map.
    """
    return _level(params, name, x, pool, DEPTH)


def _level(params: Params, name: str, x: jax.Array, pool: Pool, level: int) -> jax.Array:
    """One halving and what lies below it."""
    aside = block(params, f"{name}.b1_{level}", x)
    low = block(params, f"{name}.b2_{level}", pool(x))
    if level > 1:
        low = _level(params, name, low, pool, level - 1)
    else:
        low = block(params, f"{name}.b2_plus_1", low)
    low = block(params, f"{name}.b3_{level}", low)
    return aside + layers.nearest(low, aside.shape[1:3])


def stack(params: Params, x: jax.Array, pool: Pool, num_modules: int) -> dict[str, jax.Array]:
    """Returns the maps of all hourglasses by name.

    For module i: m{i} its output, ll{i} what it hands on (bl{i} but for the last), heatmap{i}.

    Args:
      params: of the network.
      x: [B, 64, 64, 256] of `stem`.
      pool: halves a map.
      num_modules: hourglasses, one after the other.
    """
    maps: dict[str, jax.Array] = {}
    for i in range(num_modules):
        maps[f"m{i}"] = hourglass(params, f"m{i}", x, pool)
        top = block(params, f"top_m_{i}", maps[f"m{i}"])
        top = layers.conv(params, f"conv_last{i}", top)
        top = jax.nn.relu(layers.batch_norm(params, f"bn_end{i}", top))
        maps[f"heatmap{i}"] = layers.conv(params, f"l{i}", top)
        if i < num_modules - 1:
            top = layers.conv(params, f"bl{i}", top)
            x = x + top + layers.conv(params, f"al{i}", maps[f"heatmap{i}"])
        maps[f"ll{i}"] = top
    return maps


def layout(num_modules: int) -> spec.Shapes:
    """Returns the layout of `stem` and `stack` with `num_modules` hourglasses."""
    shapes: dict[str, spec.Shape] = {}
    shapes |= spec.conv("conv1", 64, 3, 7) | spec.norm("bn1", 64)
    shapes |= block_layout("conv2", 128, 64) | block_layout("conv3", 128, 128)
    shapes |= block_layout("conv4", FEATURES, 128)
    for i in range(num_modules):
        blocks = [f"b{j}_{level}" for level in range(DEPTH, 0, -1) for j in (1, 2, 3)]
        for part in (*blocks, "b2_plus_1"):
            shapes |= block_layout(f"m{i}.{part}", FEATURES, FEATURES)
        shapes |= block_layout(f"top_m_{i}", FEATURES, FEATURES)
        shapes |= spec.conv(f"conv_last{i}", FEATURES, FEATURES, 1)
        shapes |= spec.norm(f"bn_end{i}", FEATURES)
        shapes |= spec.conv(f"l{i}", NUM_POINTS, FEATURES, 1)
        if i < num_modules - 1:
            shapes |= spec.conv(f"bl{i}", FEATURES, FEATURES, 1)
            shapes |= spec.conv(f"al{i}", FEATURES, NUM_POINTS, 1)
    return shapes
