"""The curves on which lids, lips and brows lie: shared by the shape, the paint and the landmarks.

Everything is a closed form of the head frame's x (`emojax.puppet.rig`), for x >= 0 where parts are
paired. Lips are functions of s = x / half_width, lids of u, the coordinate along the line through
the corners of an eye, brows of their own parameter.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from emojax.puppet.primitives import hump
from emojax.puppet.rig import Brow, Eye, Mouth

# Shut lids meet this share of the lower lid's arc below the corners: the upper one does most.
_MEETING = 0.55
_LID_SKEW = 0.14  # upper lids peak toward the nose, lower ones sag toward the temple


class Lips(NamedTuple):
    """Heights of the four edges at some x, and the front, each [...]."""

    upper_outer: jax.Array
    upper_inner: jax.Array
    lower_inner: jax.Array
    lower_outer: jax.Array
    front: jax.Array  # of the upper lip
    low_front: jax.Array  # of the lower lip, which goes back with the jaw


def lips(mouth: Mouth, x: jax.Array) -> Lips:
    """Returns the edges of the lips.

    Args:
      mouth: of a rig.
      x: [...] distance from the mid-line; beyond the corners the edges run on together.

    Returns:
      Heights y, and z of the front, head heights.
    """
    s = jnp.abs(x) * (1 / mouth.half_width)
    q = jnp.minimum(s * s, 1)
    seam = mouth.y + mouth.lift * q * (1.35 - 0.35 * q)
    almond = (1 - q) * (1 + 0.45 * q)
    opening = almond + mouth.round * (0.25 * q * (1 - q))
    dip = hump(s * 3.3)
    arch = (1 - q) * (1 + 0.55 * q) * (1 - mouth.cupid * dip)
    bowl = (1 - q) * (1 + 0.65 * q)
    upper = seam + mouth.open_up * opening
    lower = seam - mouth.open_low * opening
    front = mouth.z - mouth.bend * x * x - 0.010 * q * q
    low_front = front - 0.003 + mouth.low_shift * (1 - q)
    return Lips(
        upper + mouth.upper * arch, upper, lower, lower - mouth.lower * bowl, front, low_front
    )


class Lids(NamedTuple):
    """Eye coordinates of some (x, y), and the lids' heights there, each [...]."""

    u: jax.Array  # along the line through the corners, outward
    v: jax.Array  # across it, up
    upper: jax.Array
    lower: jax.Array


def lids(eye: Eye, x: jax.Array, y: jax.Array) -> Lids:
    """Returns the edges of the lids in the coordinates (u, v) of an eye.

    Args:
      eye: of a rig.
      x: [...] >= 0.
      y: [...].
    """
    dx, dy = x - eye.x, y - eye.y
    u, v = dx + eye.tilt * dy, dy - eye.tilt * dx
    upper, lower = lid_heights(eye, u)
    return Lids(u, v, upper, lower)


def lid_heights(eye: Eye, u: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the heights v of the upper and the lower lid at u [...] of an eye."""
    s = u * (1 / eye.half_width)
    q = jnp.minimum(s * s, 1)
    arc = (1 - q) * (1 + 0.35 * q)
    upper = eye.upper * arc * (1 - _LID_SKEW * s)
    lower = -eye.lower * arc * (1 + _LID_SKEW * s)
    meeting = _MEETING * lower
    return upper + (meeting - upper) * eye.closure, lower + (meeting - lower) * eye.closure


def eye_point(eye: Eye, u: jax.Array, v: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns (x, y) of the point (u, v) of an eye: the inverse of the map in `lids`."""
    scale = 1 / (1 + eye.tilt * eye.tilt)
    return eye.x + (u - eye.tilt * v) * scale, eye.y + (v + eye.tilt * u) * scale


def brow_height(brow: Brow, s: jax.Array) -> jax.Array:
    """Returns y of the brow's middle line at s [...], 0 at the inner and 1 at the outer end."""
    return brow.inner * (1 - s) * (1 - s) + 2 * brow.middle * s * (1 - s) + brow.outer * s * s


def brow_half(brow: Brow, s: jax.Array) -> jax.Array:
    """Returns half the brow's thickness at s [...]: blunt inside, tapered outside."""
    return brow.thickness * (1 - 0.62 * s * s) * (0.75 + 0.25 * hump(s - 0.35))
