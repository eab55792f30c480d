"""Up-sampling, filtering and down-sampling in one (Karras et al. 2020), and biased activations.

Maps are [B, H, W, C]. Filters [h, w] are flipped: this is a convolution, not a correlation. Padding
counts output pixels before filtering, and may be negative, which crops.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

SLOPE = 0.2
GAIN = 2**0.5


def upfirdn2d(
    x: jax.Array,
    kernel: jax.Array,
    *,
    up: int = 1,
    down: int = 1,
    padding: tuple[int, int] = (0, 0),
    gain: float = 1.0,
) -> jax.Array:
    """Returns a map with zeros put between its pixels, padded, filtered and thinned out.

    Args:
      x: [B, H, W, C].
      kernel: [h, w].
      up: pixels that each becomes, the first being itself.
      down: every so many-th pixel is kept.
      padding: before and after, for both axes.
      gain: multiplies the filter.
    """
    before, after = padding
    side = (before, after + up - 1, up - 1)  # zeros also follow the last pixel
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), side, side, (0, 0, 0)))
    taps = jnp.flip(kernel) * gain
    rows, columns = (
        length - size + 1 for length, size in zip(x.shape[1:3], kernel.shape, strict=True)
    )
    # A sum of shifted maps: one fused loop, where a convolution of single channels is slow.
    return sum(
        taps[i, j] * x[:, i : i + rows : down, j : j + columns : down]
        for i in range(kernel.shape[0])
        for j in range(kernel.shape[1])
    )


def bias_act(x: jax.Array, bias: jax.Array, *, clamp: float | None = None) -> jax.Array:
    """Returns sqrt(2) leaky_relu(x + bias), which keeps the variance of unit normal input.

    Args:
      x: [..., C].
      bias: [C].
      clamp: largest magnitude, after the gain.
    """
    out = jax.nn.leaky_relu(x + bias, SLOPE) * GAIN
    return out if clamp is None else jnp.clip(out, -clamp, clamp)
