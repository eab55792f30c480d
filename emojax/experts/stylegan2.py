"""StyleGAN2's generator (Karras et al. 2020): latent codes to pictures, whatever the file's layout.

Two key layouts hold the same network: `stylegan2_ada` (NVIDIA) and `stylegan2_rosinality` (e4e,
EmoStyle); each turns its parameters into a `Generator`. Codes are W+, [B, n, 512] with
n = 2 log2(S) - 2 styles; pictures are [B, 3, S, S] RGB, about -1 to 1, not clamped. Noise is the
file's own: the same code gives the same picture.

The convolution with modulated kernels is written as a scaling of its input and of its output, which
needs no kernel for each picture; the transposed convolution as one convolution for each of the four
places of an output pixel, which multiplies no zeros.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from emojax.experts import layers, upfirdn

EPSILON = 1e-8  # of demodulation and of the mapping's first normalisation
LEARNING_RATE = 0.01  # of the mapping: its weights are stored divided by this
LATENT = 512
MAPPING_LAYERS = 8
FIRST_SIDE, LARGEST_SIDE = 4, 1024
# Channels at a side are min(512, 32768 / side): config-f.
CHANNEL_BASE, CHANNEL_MAX = 32768, 512
TRUNCATION = 0.7  # towards the mean code, of EmoStyle's samples
# The filter of sum one that all published files have; read from the file where it is there.
USUAL_FIR = np.outer([1, 3, 3, 1], [1, 3, 3, 1]).astype(np.float32) / 64


class Affine(NamedTuple):
    """What makes a style of a code.

    Attributes:
      weight: [C, 512].
      bias: [C].
    """

    weight: jax.Array
    bias: jax.Array


class StyledConv(NamedTuple):
    """A convolution of the synthesis network.

    Attributes:
      kernel: [3, 3, in, out].
      affine: of its style.
      bias: [out].
      noise: [S, S].
      strength: [] of the noise.
      fir: [4, 4] filter of sum one after doubling; None where the side stays.
    """

    kernel: jax.Array
    affine: Affine
    bias: jax.Array
    noise: jax.Array
    strength: jax.Array
    fir: jax.Array | None


class ToRGB(NamedTuple):
    """A layer that adds to the picture.

    Attributes:
      kernel: [1, 1, in, 3].
      affine: of its style.
      bias: [3].
      fir: [4, 4] filter of sum one, by which the picture so far is doubled.
    """

    kernel: jax.Array
    affine: Affine
    bias: jax.Array
    fir: jax.Array


class Generator(NamedTuple):
    """The synthesis network.

    Attributes:
      constant: [4, 4, 512].
      convs: one at the first side, two at each further one.
      to_rgbs: one a side.
    """

    constant: jax.Array
    convs: list[StyledConv]
    to_rgbs: list[ToRGB]


class Synthesis(NamedTuple):
    """What the synthesis network makes.

    Attributes:
      image: [B, 3, S, S].
      convs: maps after each convolution [B, H, W, C].
      before: the same before noise, bias and activation.
      styles: of each convolution [B, C].
      rgbs: the picture after each side [B, H, W, 3].
    """

    image: jax.Array
    convs: list[jax.Array]
    before: list[jax.Array]
    styles: list[jax.Array]
    rgbs: list[jax.Array]


def num_styles(side: int) -> int:
    """Returns the number of styles of pictures of this `side`."""
    return 2 * int(math.log2(side)) - 2


def channels(side: int) -> int:
    """Returns the usual number of channels at a `side`."""
    return min(CHANNEL_MAX, CHANNEL_BASE // side)


def synthesize(generator: Generator, codes: jax.Array, *, noise: bool = True) -> Synthesis:
    """Returns the picture of latent codes, and what led to it.

    Convolution i takes style i; the layer that adds to the picture takes the style after those of
    its side, which the next side's first convolution takes too.

    Args:
      generator: the network.
      codes: [B, n, 512].
      noise: whether the file's noise is added.
    """
    constant = generator.constant
    x = jnp.broadcast_to(constant, (len(codes), *constant.shape))
    convs, before, styles, rgbs = [], [], [], []
    for i, layer in enumerate(generator.convs):
        style = _style(layer.affine, codes[:, i])
        out = _modulated(x, layer.kernel, style, layer.fir)
        styles.append(style)
        before.append(out)
        if noise:
            out = out + (layer.noise * layer.strength)[:, :, None]
        x = upfirdn.bias_act(out, layer.bias)
        convs.append(x)
        if i % 2 == 0:  # the last convolution of a side
            to_rgb = generator.to_rgbs[i // 2]
            style = _style(to_rgb.affine, codes[:, i + 1])
            style = style / math.sqrt(to_rgb.kernel.shape[2])
            out = layers.convolve(x * style[:, None, None], to_rgb.kernel) + to_rgb.bias
            if rgbs:
                out = out + upsample(rgbs[-1], to_rgb.fir)
            rgbs.append(out)
    return Synthesis(layers.channels_first(rgbs[-1]), convs, before, styles, rgbs)


def upsample(image: jax.Array, fir: jax.Array) -> jax.Array:
    """Returns a picture at twice the side.

    Args:
      image: [B, H, W, C].
      fir: [4, 4] of sum one.
    """
    return upfirdn.upfirdn2d(image, fir, up=2, padding=(2, 1), gain=4.0)


def mapping(dense: list[Affine], z: jax.Array) -> jax.Array:
    """Returns codes in W of normal noise, [B, 512].

    Args:
      dense: the layers, as stored.
      z: [B, 512].
    """
    x = z * jax.lax.rsqrt(jnp.mean(jnp.square(z), axis=-1, keepdims=True) + EPSILON)
    for layer in dense:
        scale = LEARNING_RATE / math.sqrt(layer.weight.shape[1])
        x = layers.product("bi,oi->bo", x, layer.weight) * scale
        x = upfirdn.bias_act(x, layer.bias * LEARNING_RATE)
    return x


def truncate(codes: jax.Array, mean: jax.Array) -> jax.Array:
    """Returns codes drawn towards the mean code, 0.7 of the way from it.

    Args:
      codes: [B, 512].
      mean: [512] or [1, 512].
    """
    return mean + TRUNCATION * (codes - mean)


def _style(affine: Affine, code: jax.Array) -> jax.Array:
    """The style [B, C] that a code [B, 512] means."""
    scale = 1 / math.sqrt(affine.weight.shape[1])
    return layers.product("bi,oi->bo", code, affine.weight) * scale + affine.bias


def _modulated(
    x: jax.Array, kernel: jax.Array, style: jax.Array, fir: jax.Array | None
) -> jax.Array:
    """A convolution with kernels scaled by the style, then to unit length; a filter doubles."""
    # Kernels are stored unscaled; the length does not depend on it but for epsilon.
    energy = jnp.sum(jnp.square(kernel.astype(layers.wide(kernel))), axis=(0, 1))
    length = layers.product("bi,io->bo", jnp.square(style), energy)
    x = x * style[:, None, None]
    if fir is not None:
        x = upfirdn.upfirdn2d(_transposed(x, kernel), fir, padding=(1, 1), gain=4.0)
    else:
        x = layers.convolve(x, kernel, padding=1)
    return x * jax.lax.rsqrt(length + EPSILON)[:, None, None]


def _transposed(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The transposed convolution of stride 2 with a 3 x 3 kernel, [B, 2 H + 1, 2 W + 1, C]."""
    batch, height, width, _ = x.shape
    grid = []
    for row in (0, 1):
        line = []
        for column in (0, 1):
            taps = kernel[row::2, column::2][::-1, ::-1]
            # Even places see two neighbours, odd ones sit on a pixel; all are brought to H + 1.
            padded = jnp.pad(x, ((0, 0), (1 - row, 1), (1 - column, 1), (0, 0)))
            line.append(layers.convolve(padded, taps))
        grid.append(jnp.stack(line, axis=3))
    out = jnp.stack(grid, axis=2)  # [B, H + 1, 2, W + 1, 2, C]
    out = out.reshape(batch, 2 * height + 2, 2 * width + 2, -1)
    return out[:, :-1, :-1]
