"""What keeps motion small, opacity where the head is, and attention where it belongs.

Terms of TalkingGaussian's motion stages (train_mouth.py, train_face.py), unweighted. Maps are
[H, W]; masks are bool or 0 to 1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emojax.types import Motion


def motion_size(motion: Motion, alive: jax.Array) -> jax.Array:
    """Returns mean |d| of centres, rotations and sizes, summed over the three, [].

    Each mean is over living Gaussians and components; the original's is over all, but its clouds
    have no empty slots. Its fourth term, the opacity's change, has no use: that is never applied.

    Args:
      motion: of N Gaussians; parts that are None count nothing.
      alive: [N] bool.
    """
    parts = (motion.means, motion.quaternions, motion.scales)
    return sum(_mean_over(jnp.mean(jnp.abs(part), -1), alive) for part in parts if part is not None)


def alpha_against_mask(alpha: jax.Array, mask: jax.Array) -> jax.Array:
    """Returns mean((1 - alpha) mask) + mean(alpha (1 - mask)), over all pixels, [].

    Args:
      alpha: [H, W] accumulated opacity.
      mask: [H, W], where there should be something.
    """
    mask = jnp.asarray(mask, alpha.dtype)
    return jnp.mean((1 - alpha) * mask + alpha * (1 - mask))


def attention_in_region(attention: jax.Array, region: jax.Array) -> jax.Array:
    """Returns the mean attention over the region's pixels, [], 0 where it has none.

    Args:
      attention: [H, W], drawn like a colour.
      region: [H, W], where attention should be low: the lips for action units, hair for both.
    """
    return _mean_over(attention, region)


def _mean_over(values: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean over a mask of the same shape, 0 with zero gradient where the mask is empty."""
    mask = jnp.asarray(mask, values.dtype)
    covered = jnp.sum(mask)
    # Dead slots may hold anything, NaN included: they are replaced, not multiplied by 0.
    kept = jnp.where(mask > 0, values, 0)
    return jnp.sum(kept * mask) / jnp.where(covered > 0, covered, 1)
