"""Layers as PyTorch defines them, of stored weights: what all the frozen networks are made of.

Arrays have the channel last, [B, H, W, C]. `params` are flat, under the official names;
`kernels_last` has put convolution kernels into [..., in, out], the rest is as PyTorch stores it.
Products run at the highest precision, which matters on GPUs, or in bfloat16 where the kernels are
bfloat16; everything else is float32, or float64 where the parameters are.

PyTorch's definitions that differ from `jax.image` and `flax`: nearest neighbours are
floor(i * in / out); bilinear resizing never smooths; normalisation divides by max(length, eps).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

Params = Mapping[str, jax.Array]

BATCH_NORM_EPSILON = 1e-5  # PyTorch's default, which all of these networks keep
UNIT_EPSILON = 1e-12  # of torch.nn.functional.normalize


def kernels_last(name: str, array: np.ndarray) -> np.ndarray:
    """Returns an array of a state dict as `conv` and the other layers take it.

    Args:
      name: its key; the layout does not depend on it.
      array: kernels [out, in, h, w] are turned into [h, w, in, out].
    """
    del name
    if array.ndim < 4:
        return array
    return np.ascontiguousarray(np.moveaxis(array, (0, 1), (-1, -2)))


def fingerprint(params: Params) -> str:
    """Returns 12 digits that name these `params`, for reports."""
    digest = hashlib.sha256()
    for name in sorted(params):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(params[name]).tobytes())
    return digest.hexdigest()[:12]


def channels_last(image: jax.Array) -> jax.Array:
    """Returns `image` [B, C, ...] as [B, ..., C]."""
    return jnp.moveaxis(image, 1, -1)


def channels_first(image: jax.Array) -> jax.Array:
    """Returns `image` [B, ..., C] as [B, C, ...], as PyTorch has it."""
    return jnp.moveaxis(image, -1, 1)


def floats(image: jax.Array, *, scale: float = 255.0, offset: float = 0.0) -> jax.Array:
    """Returns a picture as a network takes it: bytes / scale + offset, floats as they are.

    Args:
      image: any shape, uint8 or floating in the network's own range.
      scale: that bytes are divided by.
      offset: added after that.
    """
    if jnp.issubdtype(image.dtype, jnp.floating):
        return image.astype(wide(image))
    return image.astype(jnp.float32) / scale + offset


def wide(array: jax.Array) -> jnp.dtype:
    """Returns the type of what is computed from an `array`: at least float32."""
    return jnp.promote_types(array.dtype, jnp.float32)


def conv(
    params: Params,
    name: str,
    x: jax.Array,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
) -> jax.Array:
    """Returns a correlation of `x` with a kernel, plus its bias if it has one.

    Args:
      params: with name.weight [..., in, out] and perhaps name.bias [out].
      name: of the layer.
      x: [B, ..., in].
      stride: steps between outputs, one number or one an axis.
      padding: zeros before and after, one number or one an axis.

    Returns:
      [B, ..., out].
    """
    kernel = params[f"{name}.weight"]
    bias = params.get(f"{name}.bias")
    out = convolve(x, kernel, stride=stride, padding=padding)
    return out if bias is None else out + bias


def convolve(
    x: jax.Array,
    kernel: jax.Array,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
) -> jax.Array:
    """Returns the correlation of `x` with a kernel, at least in float32.

    Args:
      x: [B, ..., in].
      kernel: [..., in, out].
      stride: steps between outputs, one number or one an axis.
      padding: zeros before and after, one number or one an axis.
    """
    axes = kernel.ndim - 2
    space = "DHW"[-axes:]
    return jax.lax.conv_general_dilated(
        x.astype(kernel.dtype),
        kernel,
        _each(stride, axes),
        [(pad, pad) for pad in _each(padding, axes)],
        dimension_numbers=(f"N{space}C", f"{space}IO", f"N{space}C"),
        precision=jax.lax.Precision.HIGHEST,
    ).astype(wide(kernel))


def convolve_thin(x: jax.Array, kernel: jax.Array, *, stride: int) -> jax.Array:
    """Returns what `convolve` gives for maps of few channels, without padding, faster on CPUs.

    There a convolution of 15 channels with 7 x 7 kernels takes twice as long as one product for
    each row of the kernel, over columns put side by side (measured with XLA of jaxlib 0.10).

    Args:
      x: [B, H, W, in].
      kernel: [h, w, in, out].
      stride: steps between outputs.
    """

    def rows(x, kernel):
        height, width, inside, out = kernel.shape
        tall, wide = (
            (length - size) // stride + 1
            for length, size in zip(x.shape[1:3], (height, width), strict=True)
        )
        reach = (wide - 1) * stride + 1
        columns = jnp.concatenate([x[:, :, j : j + reach : stride] for j in range(width)], axis=-1)
        reach = (tall - 1) * stride + 1
        flat = kernel.reshape(height, width * inside, out)
        lines = [columns[:, i : i + reach : stride] for i in range(height)]
        return sum(product("bhwi,io->bhwo", line, flat[i]) for i, line in enumerate(lines))

    whole = functools.partial(convolve, stride=stride)
    return jax.lax.platform_dependent(x, kernel, cpu=rows, default=whole)


def linear(params: Params, name: str, x: jax.Array) -> jax.Array:
    """Returns x W^T + b.

    Args:
      params: with name.weight [out, in] and perhaps name.bias [out].
      name: of the layer.
      x: [..., in].
    """
    kernel = params[f"{name}.weight"]
    bias = params.get(f"{name}.bias")
    out = product("...i,oi->...o", x, kernel)
    return out if bias is None else out + bias


def product(subscripts: str, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Returns an einsum of `x` with a stored matrix, at least in float32.

    Args:
      subscripts: of `jnp.einsum`.
      x: the first operand.
      kernel: the second one; its type is that of the products.
    """
    return jnp.einsum(
        subscripts,
        x.astype(kernel.dtype),
        kernel,
        precision=jax.lax.Precision.HIGHEST,
        preferred_element_type=wide(kernel),
    )


def batch_norm(params: Params, name: str, x: jax.Array) -> jax.Array:
    """Returns a batch normalisation by its running statistics.

    Args:
      params: with name.weight, .bias, .running_mean and .running_var, [C] each.
      name: of the layer.
      x: [..., C].
    """
    scale = params[f"{name}.weight"] / jnp.sqrt(params[f"{name}.running_var"] + BATCH_NORM_EPSILON)
    return x * scale + (params[f"{name}.bias"] - params[f"{name}.running_mean"] * scale)


def prelu(params: Params, name: str, x: jax.Array) -> jax.Array:
    """Returns x where positive, and a learned share of it elsewhere.

    Args:
      params: with name.weight [C].
      name: of the layer.
      x: [..., C].
    """
    return jnp.where(x >= 0, x, params[f"{name}.weight"] * x)


def max_pool(
    x: jax.Array,
    size: int | Sequence[int],
    *,
    stride: int | Sequence[int],
    padding: int | Sequence[int] = 0,
    ceil: bool = False,
) -> jax.Array:
    """Returns the largest value of each window; padding never wins.

    Args:
      x: [B, ..., C].
      size: of the windows, one number or one an axis.
      stride: steps between them.
      padding: before and after.
      ceil: keeps a window that runs over the far edge, as PyTorch's ceil_mode.
    """
    axes = x.ndim - 2
    size, stride, padding = (_each(value, axes) for value in (size, stride, padding))
    pads = []
    for length, window, step, pad in zip(x.shape[1:-1], size, stride, padding, strict=True):
        rest = (length + 2 * pad - window) % step
        pads.append((pad, pad + (step - rest if ceil and rest else 0)))
    return jax.lax.reduce_window(
        x, -jnp.inf, jax.lax.max, (1, *size, 1), (1, *stride, 1), ((0, 0), *pads, (0, 0))
    )


def avg_pool(x: jax.Array, size: int, *, stride: int) -> jax.Array:
    """Returns the mean of each window of a picture, without padding.

    Args:
      x: [B, H, W, C].
      size: side of the windows.
      stride: steps between them.
    """
    window, step = (1, size, size, 1), (1, stride, stride, 1)
    return jax.lax.reduce_window(x, 0.0, jax.lax.add, window, step, "valid") / size**2


def nearest(x: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Returns a picture resized to `size` by PyTorch's nearest neighbours, floor(i * in / out).

    Args:
      x: [B, H, W, C].
      size: rows and columns of the result.
    """
    batch, height, width, channels = x.shape
    if size[0] % height == 0 and size[1] % width == 0:
        rows, columns = size[0] // height, size[1] // width
        tiles = jnp.broadcast_to(
            x[:, :, None, :, None], (batch, height, rows, width, columns, channels)
        )
        return tiles.reshape(batch, *size, channels)
    rows, columns = (
        np.arange(out) * length // out for out, length in zip(size, (height, width), strict=True)
    )
    return x[:, rows][:, :, columns]


def bilinear(x: jax.Array, size: tuple[int, int], *, align_corners: bool) -> jax.Array:
    """Returns a picture resized to `size` by linear interpolation, never smoothed.

    Args:
      x: [B, H, W, C].
      size: rows and columns of the result.
      align_corners: whether corner pixels fall on each other, or corners of the pictures do.
    """
    rows, columns = (
        jnp.asarray(_blend(length, out, align_corners, x.dtype))
        for length, out in zip(x.shape[1:3], size, strict=True)
    )
    x = jnp.einsum("oh,bhwc->bowc", rows, x, precision=jax.lax.Precision.HIGHEST)
    return jnp.einsum("pw,bowc->bopc", columns, x, precision=jax.lax.Precision.HIGHEST)


def smoothed(x: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Returns a picture resized to `size` as Pillow's bilinear filter does, smoothed in shrinking.

    Args:
      x: [B, H, W, C].
      size: rows and columns of the result.
    """
    shape = (len(x), *size, x.shape[-1])
    highest = jax.lax.Precision.HIGHEST
    return jax.image.resize(x, shape, "linear", antialias=True, precision=highest)


def unit(x: jax.Array) -> jax.Array:
    """Returns vectors over their lengths along the last axis of `x`, as torch's `normalize`."""
    squared = jnp.sum(x * x, axis=-1, keepdims=True)
    positive = squared > 0
    length = jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)
    return x / jnp.maximum(length, UNIT_EPSILON)


def _each(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """One number an axis."""
    return (value,) * axes if isinstance(value, int) else tuple(value)


def _blend(length: int, out: int, align_corners: bool, dtype: jnp.dtype) -> np.ndarray:
    """The matrix [out, length] of linear interpolation, rounded where PyTorch rounds."""
    index = np.arange(out, dtype=dtype)
    if align_corners:
        place = index * np.asarray((length - 1) / max(out - 1, 1), dtype)
    else:
        half = np.asarray(0.5, dtype)
        place = np.maximum((index + half) * np.asarray(length / out, dtype) - half, 0)
    low = np.minimum(place.astype(np.int64), length - 1)
    high = np.minimum(low + 1, length - 1)
    share = (place - low).astype(dtype)
    matrix = np.zeros((out, length), dtype)
    np.add.at(matrix, (np.arange(out), low), 1 - share)
    np.add.at(matrix, (np.arange(out), high), share)
    return matrix
