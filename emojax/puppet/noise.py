"""Cheap deterministic noise for surfaces: sums of triangle waves along turned axes.

Sines and table look-ups cost several times as much as all the rest of the paint; a triangle wave is
a subtraction and a rounding. Three of them along incommensurable directions, each bent by the one
before, look random at the sizes at which skin and hair are seen. All values lie in -1 to 1 and
average to about 0.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def wave(t: jax.Array) -> jax.Array:
    """Returns a triangle wave of t [...] with period 1: -1 at integers, 1 between."""
    return 1 - 4 * jnp.abs(t - jnp.floor(t) - 0.5)


def soft(t: jax.Array) -> jax.Array:
    """Returns `wave` of t [...] with its edges rounded: nearly a sine."""
    a = wave(t)
    return a * (1.5 - 0.5 * a * a)


def bumps(x: jax.Array, y: jax.Array, z: jax.Array) -> jax.Array:
    """Returns smooth noise with features of about one unit of x, y, z [...]."""
    a = soft(0.71 * x + 0.43 * y - 0.29 * z)
    b = soft(0.47 * y - 0.63 * x + 0.31 * z + 0.31 * a)
    c = soft(0.93 * z + 0.57 * x + 0.81 * y + 0.37 * b)
    d = soft(1.31 * x - 1.13 * y + 0.79 * z + 0.41 * c + 0.27 * a)
    return 0.55 * (a * b + c * d) + 0.30 * d


def locks(x: jax.Array, y: jax.Array, z: jax.Array, curl: jax.Array) -> jax.Array:
    """Returns the relief of hair: long strands, or curls.

    Args:
      x: [...] head frame, as y and z.
      y: [...].
      z: [...].
      curl: [] 0 straight to 1 curled.
    """
    # Strands run down at the sides and from front to back over the crown.
    beside = jnp.clip(2.2 - 5 * y, 0.15, 1)
    straight = bumps(24 * x, 3 * y, 17 * z * beside)
    curled = bumps(17 * x, 17 * y, 17 * z)
    return straight + (curled - straight) * curl
