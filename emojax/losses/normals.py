"""How far drawn normals are from what they should be, how rough they are, how large residuals are.

EmoTalkingGaussian (arXiv 2502.00654) Eq. 11 and 14, unweighted; the paper does not say which norms,
these are means of absolute values (L1), and of the residuals' lengths. Pictures of normals are
[H, W, 3], x right, y up, z to the viewer, drawn over 0: an opacity below 1 makes them shorter. They
are compared with target times mask (`head.draw` says how they are drawn).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emojax import numerics


def difference(normals: jax.Array, target: jax.Array, mask: jax.Array) -> jax.Array:
    """Returns the mean absolute difference over the mask, [], 0 where it covers nothing.

    Args:
      normals: [H, W, 3] as drawn.
      target: [H, W, 3] unit vectors.
      mask: [H, W], 0 to 1: where there is a target.
    """
    return _mean_over(jnp.mean(jnp.abs(normals - target), axis=-1), mask)


def roughness(normals: jax.Array, mask: jax.Array) -> jax.Array:
    """Returns the total variation: mean |forward difference| along rows and columns, summed, [].

    Args:
      normals: [H, W, 3] as drawn.
      mask: [H, W]; a difference counts where both of its pixels do.
    """
    total = 0.0
    for axis in (0, 1):
        steps = jnp.mean(jnp.abs(jnp.diff(normals, axis=axis)), axis=-1)
        count = mask.shape[axis]
        both = jax.lax.slice_in_dim(mask, 1, count, axis=axis) * jax.lax.slice_in_dim(
            mask, 0, count - 1, axis=axis
        )
        total = total + _mean_over(steps, both)
    return total


def residual_size(residuals: jax.Array, alive: jax.Array) -> jax.Array:
    """Returns the mean length of the residuals of living Gaussians, [].

    Args:
      residuals: [N, 3].
      alive: [N] bool.
    """
    kept = jnp.where(alive[:, None], residuals, 0)
    return _mean_over(numerics.safe_sqrt(jnp.sum(kept * kept, axis=-1)), alive)


def _mean_over(values: jax.Array, mask: jax.Array) -> jax.Array:
    mask = jnp.asarray(mask, values.dtype)
    covered = jnp.sum(mask)
    return jnp.sum(values * mask) / jnp.where(covered > 0, covered, 1)
