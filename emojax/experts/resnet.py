"""Residual stages that several parsers and recognisers share (He et al. 2016).

Maps are [B, H, W, C]. A stage is a list of blocks; the first may change size and width and then has
a `downsample` of a convolution and a batch normalisation. Names are torchvision's.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax

from emojax.experts import layers, spec
from emojax.experts.layers import Params

WIDTHS = (64, 128, 256, 512)
DEPTH_50 = (3, 4, 6, 3)
EXPANSION = 4  # of a bottleneck's output over its width


def basic(params: Params, name: str, x: jax.Array, *, stride: int) -> jax.Array:
    """Returns a block of two 3 x 3 convolutions.

    Args:
      params: of the network.
      name: of the block.
      x: [B, H, W, C].
      stride: of the first convolution.
    """
    out = layers.conv(params, f"{name}.conv1", x, stride=stride, padding=1)
    out = jax.nn.relu(layers.batch_norm(params, f"{name}.bn1", out))
    out = layers.conv(params, f"{name}.conv2", out, padding=1)
    out = layers.batch_norm(params, f"{name}.bn2", out)
    return jax.nn.relu(out + _aside(params, name, x, stride))


def bottleneck(
    params: Params, name: str, x: jax.Array, *, stride: int, stride_first: bool = False
) -> jax.Array:
    """Returns a block of 1 x 1, 3 x 3 and 1 x 1 convolutions.

    Args:
      params: of the network.
      name: of the block.
      x: [B, H, W, C].
      stride: of the 3 x 3 convolution.
      stride_first: the stride is the first convolution's instead, as in Caffe.
    """
    strides = (stride, 1) if stride_first else (1, stride)
    out = layers.conv(params, f"{name}.conv1", x, stride=strides[0])
    out = jax.nn.relu(layers.batch_norm(params, f"{name}.bn1", out))
    out = layers.conv(params, f"{name}.conv2", out, stride=strides[1], padding=1)
    out = jax.nn.relu(layers.batch_norm(params, f"{name}.bn2", out))
    out = layers.conv(params, f"{name}.conv3", out)
    out = layers.batch_norm(params, f"{name}.bn3", out)
    return jax.nn.relu(out + _aside(params, name, x, stride))


def basic_stage(params: Params, name: str, x: jax.Array, *, stride: int) -> jax.Array:
    """Returns what the two blocks of a stage of ResNet-18 make of a map.

    Args:
      params: of the network.
      name: of the stage; its blocks are numbered from 0.
      x: [B, H, W, C].
      stride: of the first block.
    """
    x = basic(params, f"{name}.0", x, stride=stride)
    return basic(params, f"{name}.1", x, stride=1)


def bottleneck_stage(
    params: Params, name: str, x: jax.Array, *, depth: int, stride: int, stride_first: bool = False
) -> jax.Array:
    """Returns what a stage of ResNet-50 makes of a map.

    Args:
      params: of the network.
      name: of the stage; its blocks are numbered from 0.
      x: [B, H, W, C].
      depth: number of blocks.
      stride: of the first block.
      stride_first: see `bottleneck`.
    """
    for i in range(depth):
        step = stride if i == 0 else 1
        x = bottleneck(params, f"{name}.{i}", x, stride=step, stride_first=stride_first)
    return x


def basic_layout(name: str, out: int, inside: int) -> spec.Shapes:
    """Returns the layout of `basic_stage`.

    Args:
      name: of the stage.
      out: channels.
      inside: channels.
    """
    found: dict[str, spec.Shape] = {}
    for i, first in enumerate((inside, out)):
        block = f"{name}.{i}"
        found |= spec.conv(f"{block}.conv1", out, first, 3, bias=False)
        found |= spec.norm(f"{block}.bn1", out)
        found |= spec.conv(f"{block}.conv2", out, out, 3, bias=False)
        found |= spec.norm(f"{block}.bn2", out)
        if first != out:
            found |= _aside_layout(block, out, first)
    return found


def bottleneck_layout(name: str, width: int, inside: int, depth: int) -> spec.Shapes:
    """Returns the layout of `bottleneck_stage`.

    Args:
      name: of the stage.
      width: channels of the 3 x 3 convolutions.
      inside: channels of the stage's input.
      depth: number of blocks.
    """
    found: dict[str, spec.Shape] = {}
    out = EXPANSION * width
    for i in range(depth):
        block = f"{name}.{i}"
        first = inside if i == 0 else out
        for j, entry in enumerate(((width, first, 1), (width, width, 3), (out, width, 1)), 1):
            found |= spec.conv(f"{block}.conv{j}", *entry, bias=False)
            found |= spec.norm(f"{block}.bn{j}", entry[0])
        if i == 0:
            found |= _aside_layout(block, out, first)
    return found


def layout_50(prefix: str, *, widths: Sequence[int] = WIDTHS) -> spec.Shapes:
    """Returns the layout of the four stages of a ResNet-50.

    Args:
      prefix: before layer1 ... layer4, with its dot.
      widths: of the stages.
    """
    found: dict[str, spec.Shape] = {}
    inside = widths[0]
    for i, (width, depth) in enumerate(zip(widths, DEPTH_50, strict=True), 1):
        found |= bottleneck_layout(f"{prefix}layer{i}", width, inside, depth)
        inside = EXPANSION * width
    return found


def _aside(params: Params, name: str, x: jax.Array, stride: int) -> jax.Array:
    """What a block adds: its input, brought to the output's size."""
    if f"{name}.downsample.0.weight" not in params:
        return x
    x = layers.conv(params, f"{name}.downsample.0", x, stride=stride)
    return layers.batch_norm(params, f"{name}.downsample.1", x)


def _aside_layout(name: str, out: int, inside: int) -> spec.Shapes:
    """The layout of `_aside`."""
    return {
        **spec.conv(f"{name}.downsample.0", out, inside, 1, bias=False),
        **spec.norm(f"{name}.downsample.1", out),
    }
