"""How far two pictures are apart, pixel by pixel (L1) and in local structure (SSIM).

Pictures are [H, W, C] floats, 0 to 1. SSIM follows Wang et al. 2004 with the constants of 3DGS and
TalkingGaussian (utils/loss_utils.py): an 11 x 11 Gaussian window, zeros beyond the border, each
channel by itself. It is in every training step, so its gradient is written out by hand: seven
blurred maps instead of fifteen, and no tape. `C` below is a map, not a channel count.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

RADIUS, SIGMA = 5, 1.5  # pixels, of the window
C1, C2 = 0.01**2, 0.03**2  # keep the quotients finite where a picture is black or flat


def _window() -> tuple[float, ...]:
    """The window's profile, of sum 1; the window is its outer product."""
    profile = np.exp(-0.5 * np.square(np.arange(-RADIUS, RADIUS + 1) / SIGMA))
    return tuple(float(value) for value in profile / profile.sum())


_WINDOW = _window()


def l1(
    image: jax.Array,
    target: jax.Array,
    *,
    mask: jax.Array | None = None,
) -> jax.Array:
    """Returns the mean absolute difference, [].

    Args:
      image: [H, W, C].
      target: [H, W, C].
      mask: [H, W] bool or 0 to 1; the mean is over what it covers, 0 where that is nothing. All
        pixels by default.
    """
    difference = jnp.mean(jnp.abs(image - target), axis=-1)
    if mask is None:
        return jnp.mean(difference)
    mask = jnp.asarray(mask, difference.dtype)
    covered = jnp.sum(mask)
    # The sum over an empty mask is 0: any divisor will do.
    return jnp.sum(difference * mask) / jnp.where(covered > 0, covered, 1)


def ssim(image: jax.Array, target: jax.Array) -> jax.Array:
    """Returns the mean structural similarity, [], 1 for equal pictures.

    Args:
      image: [H, W, C].
      target: [H, W, C].
    """
    return jnp.mean(ssim_map(image, target))


def dssim(image: jax.Array, target: jax.Array) -> jax.Array:
    """Returns 1 - SSIM, [], as the field's losses use it (no division by two).

    Args:
      image: [H, W, C].
      target: [H, W, C].
    """
    return 1 - ssim(image, target)


def ssim_map(image: jax.Array, target: jax.Array) -> jax.Array:
    """Returns the structural similarity around every pixel (Wang et al. 2004, Eq. 13).

    Args:
      image: [H, W, C].
      target: [H, W, C].

    Returns:
      [H, W, C], at most 1; reverse-mode differentiable in both pictures.
    """
    return jnp.moveaxis(_ssim(jnp.moveaxis(image, -1, 0), jnp.moveaxis(target, -1, 0)), 0, -1)


def _blur(planes: jax.Array) -> jax.Array:
    """Planes [P, H, W] under the window, zeros beyond the border; its own transpose."""
    for axis in (-2, -1):
        size = planes.shape[axis]
        padding = [(0, 0), (0, 0), (0, 0)]
        padding[axis] = (RADIUS, RADIUS)
        # Without the barrier XLA fuses the padding into each of the eleven reads, as branches:
        # 4 times slower on CPUs. Depthwise convolution is 60 times, a band matrix 6 times slower.
        padded = jax.lax.optimization_barrier(jnp.pad(planes, padding))
        planes = sum(
            weight * jax.lax.slice_in_dim(padded, i, i + size, axis=axis)
            for i, weight in enumerate(_WINDOW)
        )
    return planes


def _moments(x: jax.Array, y: jax.Array) -> tuple[jax.Array, ...]:
    """Means of x and y, and the four factors of SSIM: two above the bar, two below; [C, H, W]."""
    # The variances only occur as a sum: one map for both.
    blurred = _blur(jnp.concatenate([x, y, x * x + y * y, x * y]))
    mean_x, mean_y, squares, product = jnp.split(blurred, 4)
    both, crossed = mean_x * mean_x + mean_y * mean_y, mean_x * mean_y
    above = 2 * crossed + C1, 2 * (product - crossed) + C2
    below = both + C1, squares - both + C2
    return mean_x, mean_y, *above, *below


@jax.custom_vjp
def _ssim(x: jax.Array, y: jax.Array) -> jax.Array:
    """SSIM maps of planes [C, H, W]."""
    _, _, light, structure, bright, spread = _moments(x, y)
    return light * structure / (bright * spread)


def _forward(x: jax.Array, y: jax.Array) -> tuple:
    """The maps and what the backward pass needs."""
    moments = _moments(x, y)
    _, _, light, structure, bright, spread = moments
    return light * structure / (bright * spread), (x, y, moments)


def _backward(saved: tuple, cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Gradients by both pictures, through the four blurred maps."""
    x, y, (mean_x, mean_y, light, structure, bright, spread) = saved
    scaled = cotangent / (bright * spread)
    value = light * structure * scaled  # SSIM times the cotangent
    by_product = 2 * light * scaled
    by_squares = -value / spread
    by_crossed = 2 * (structure - light) * scaled
    by_both = value * (1 / spread - 1 / bright)

    # Each picture has its own blur of its mean's share, so that the target's is never computed
    # where nobody asks for it.
    by_squares, by_product, through_x = jnp.split(
        _blur(
            jnp.concatenate([by_squares, by_product, mean_y * by_crossed + 2 * mean_x * by_both])
        ),
        3,
    )
    through_y = _blur(mean_x * by_crossed + 2 * mean_y * by_both)
    return (
        through_x + 2 * x * by_squares + y * by_product,
        through_y + 2 * y * by_squares + x * by_product,
    )


_ssim.defvjp(_forward, _backward)
