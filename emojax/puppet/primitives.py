"""Distance functions of simple bodies, and how they are joined.

Coordinates are separate arrays x, y, z of any one shape: on a CPU that is many times faster than
[..., 3]. Lengths are in any one unit. Distances are negative inside; those of ellipsoids are right
to first order near the surface only.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

_TINY = 1e-9  # keeps square roots and quotients defined at centres


class Ball(NamedTuple):
    """An ellipsoid along the axes: centre x, y, z and radii rx, ry, rz, all []."""

    x: jax.Array
    y: jax.Array
    z: jax.Array
    rx: jax.Array
    ry: jax.Array
    rz: jax.Array


class Rod(NamedTuple):
    """A capsule from (x0, y0, z0), radius r0, to (x1, y1, z1), radius r1, all []."""

    x0: jax.Array
    y0: jax.Array
    z0: jax.Array
    x1: jax.Array
    y1: jax.Array
    z1: jax.Array
    r0: jax.Array
    r1: jax.Array


def ellipsoid(ball: Ball, x: jax.Array, y: jax.Array, z: jax.Array) -> jax.Array:
    """Returns k0 (k0 - 1) / k1 with k0 = |p / r| and k1 = |p / r^2|: exact for spheres.

    Args:
      ball: the ellipsoid.
      x: [...].
      y: [...].
      z: [...].
    """
    ix, iy, iz = 1 / ball.rx, 1 / ball.ry, 1 / ball.rz
    px, py, pz = (x - ball.x) * ix, (y - ball.y) * iy, (z - ball.z) * iz
    square = px * px + py * py + pz * pz
    px, py, pz = px * ix, py * iy, pz * iz
    slope = px * px + py * py + pz * pz
    return (square - jnp.sqrt(square)) * jax.lax.rsqrt(slope + _TINY)


def capsule(rod: Rod, x: jax.Array, y: jax.Array, z: jax.Array) -> jax.Array:
    """Returns the distance to a rod with rounded ends whose radius changes linearly.

    Args:
      rod: the capsule.
      x: [...].
      y: [...].
      z: [...].
    """
    bx, by, bz = rod.x1 - rod.x0, rod.y1 - rod.y0, rod.z1 - rod.z0
    scale = 1 / (bx * bx + by * by + bz * bz)
    px, py, pz = x - rod.x0, y - rod.y0, z - rod.z0
    share = jnp.clip((px * bx + py * by + pz * bz) * scale, 0, 1)
    px, py, pz = px - share * bx, py - share * by, pz - share * bz
    return jnp.sqrt(px * px + py * py + pz * pz + _TINY) - (rod.r0 + share * (rod.r1 - rod.r0))


def join(a: jax.Array, b: jax.Array, *, blend: float) -> jax.Array:
    """Returns the smooth minimum of distances: both bodies, their seam rounded.

    It lies at most blend / 4 below the smaller one, where both are equal; it is that one where they
    differ by `blend`.

    Args:
      a: [...].
      b: [...].
      blend: > 0, length.
    """
    h = jnp.maximum(blend - jnp.abs(a - b), 0)
    return jnp.minimum(a, b) - h * h * (0.25 / blend)


def cut(a: jax.Array, b: jax.Array, *, blend: float) -> jax.Array:
    """Returns body a without body b, the edge rounded.

    Args:
      a: [...] distance.
      b: [...] distance.
      blend: > 0, length.
    """
    return -join(-a, b, blend=blend)


def ramp(x: jax.Array, low: jax.Array | float, high: jax.Array | float) -> jax.Array:
    """Returns a smooth step of x [...]: 0 below `low`, 1 above `high`, cubic between."""
    t = jnp.clip((x - low) * (1 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def hump(x: jax.Array) -> jax.Array:
    """Returns (1 - x^2)^2 within |x| < 1 and 0 outside, for x [...]: a bell without exp."""
    t = jnp.maximum(1 - x * x, 0)
    return t * t


def mix(a: jax.Array, b: jax.Array, share: jax.Array) -> jax.Array:
    """Returns a where `share` is 0, b where it is 1, and between them in between."""
    return a + (b - a) * share
