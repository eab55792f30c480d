"""Numerical functions whose values *and gradients* stay finite where the textbook form fails.

A gradient through `jnp.where(ok, f(x), 0)` is NaN wherever f'(x) is, also where `ok` is false
(0 * NaN). Every function here therefore guards the *input* of the dangerous operation (the
"double where") rather than its output.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def safe_sqrt(x: jax.Array) -> jax.Array:
    """Returns sqrt(max(x, 0)), with derivative 0 (not infinity) where x <= 0.

    Args:
      x: any shape, floating.
    """
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1)), 0)


def safe_normalize(x: jax.Array) -> jax.Array:
    """Returns x / |x| along the last axis, and 0 with zero gradient where x = 0.

    Args:
      x: [..., D] vectors.
    """
    # The largest component is taken out first, so that neither tiny nor huge vectors lose |x|^2.
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=-1, keepdims=True))
    nonzero = largest > 0
    x = x / jnp.where(nonzero, largest, 1)
    squared = jnp.sum(x * x, axis=-1, keepdims=True)
    return jnp.where(nonzero, x * jax.lax.rsqrt(jnp.where(nonzero, squared, 1)), 0)


def inverse_softplus(y: jax.Array) -> jax.Array:
    """Returns x with softplus(x) = y, in the form y + log(1 - e^-y) that is exact for small y.

    Args:
      y: any shape, > 0.
    """
    return y + jnp.log(-jnp.expm1(-y))
