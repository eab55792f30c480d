"""Ellipsoids that hold the puppet: between them and beyond them rays need not look."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emojax.puppet.rig import Rig


def ellipsoids(rig: Rig) -> tuple:
    """Returns (centre, radii), three numbers each, head frame: head, neck with hair, body.

    Args:
      rig: of one instant.
    """
    hair = rig.hair
    grown = hair.thickness * 1.4 + 0.03
    cranium = rig.face.cranium
    head = ((0.0, -0.02, -0.06), (cranium.rx + 0.06 + grown, 0.53 + grown, 0.47 + grown))
    fall = rig.hair.fall
    reach = fall.r0 + 0.04
    low = fall.y1 - fall.r1 - 0.03
    neck = ((0.0, 0.5 * low - 0.1, -0.14), (1.15 * reach, 0.32 - 0.6 * low, 1.3 * reach))
    r, t = rig.body.rotation, rig.body.shift
    chest = rig.body.chest
    # The body's centre seen from the head: inverse of the rotation.
    offset = (0.0 - t[0], -1.27 - t[1], -0.17 - t[2])
    center = tuple(sum(r[3 * j + k] * offset[j] for j in range(3)) for k in range(3))
    return head, neck, (center, (1.6 * chest.rx + 0.20, 0.80, 1.5 * chest.rx + 0.15))


def along(
    rig: Rig, origin: tuple, direction: tuple, *, margin: jax.Array | float
) -> tuple[jax.Array, jax.Array]:
    """Returns the distances [n] at which rays come near the puppet, and leave.

    Args:
      rig: of one instant.
      origin: three of [].
      direction: unit vectors, three of [n].
      margin: by which all bodies are larger, per unit of distance from the origin.

    Returns:
      start and end; start > end for rays that come near nothing.
    """
    start, end = jnp.full(direction[0].shape, jnp.inf), jnp.zeros(direction[0].shape)
    for center, radii in ellipsoids(rig):
        to = [center[k] - origin[k] for k in range(3)]
        grown = margin * jnp.sqrt(to[0] ** 2 + to[1] ** 2 + to[2] ** 2)
        to = [to[k] / (radii[k] + grown) for k in range(3)]
        ray = [direction[k] / (radii[k] + grown) for k in range(3)]
        square = 1 / (ray[0] ** 2 + ray[1] ** 2 + ray[2] ** 2)
        ahead = (to[0] * ray[0] + to[1] * ray[1] + to[2] * ray[2]) * square
        away = (to[0] ** 2 + to[1] ** 2 + to[2] ** 2 - 1) * square
        inside = ahead * ahead - away
        half = jnp.sqrt(jnp.maximum(inside, 0))
        start = jnp.where(inside > 0, jnp.minimum(start, ahead - half), start)
        end = jnp.where(inside > 0, jnp.maximum(end, ahead + half), end)
    return jnp.maximum(start, 0.0), end
