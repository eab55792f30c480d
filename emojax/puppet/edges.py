"""Where a picture needs more than one ray for a pixel: jagged edges between unlike things.

What is painted on skin has soft borders of its own; only outlines of bodies are jagged, and only
where they can be told from what is behind them.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from emojax.puppet.masks import Region

RAYS = 4  # for a pixel at an edge, in a 2 x 2 grid
CONTRAST = 0.02  # displayed colour: less is not seen
STEP = 0.04  # head heights of distance from one pixel to the next that are an outline
_FAR = 9.0  # head heights, stands for the background
# Regions that are paint on one body.
_BODY = np.arange(len(Region))
_BODY[[Region.EAR, Region.BROW, Region.LIPS, Region.NECK]] = Region.SKIN


def find(color: list, distance: jax.Array, region: jax.Array, width: int) -> jax.Array:
    """Returns which pixels lie at an edge, bool [H W].

    Args:
      color: three of [H W], as displayed.
      distance: [H W] head heights.
      region: uint8 [H W].
      width: W of the picture.
    """
    body = jnp.asarray(_BODY)[region].reshape(-1, width)
    far = jnp.where(region > 0, distance, _FAR).reshape(-1, width)
    color = [c.reshape(-1, width) for c in color]
    edge = jnp.zeros(body.shape, bool)
    for axis in (0, 1):
        outline = (jnp.diff(body, axis=axis) != 0) | (jnp.abs(jnp.diff(far, axis=axis)) > STEP)
        contrast = sum(jnp.abs(jnp.diff(c, axis=axis)) for c in color)
        change = outline & (contrast > 3 * CONTRAST)
        pad = [(0, 0), (0, 0)]
        pad[axis] = (1, 0)
        edge |= jnp.pad(change, pad)
        pad[axis] = (0, 1)
        edge |= jnp.pad(change, pad)
    return edge.reshape(-1)


def rays(edge: jax.Array, width: int, capacity: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns the rays (u, v) [capacity] of pixels at edges, and how many there are.

    Args:
      edge: bool [H W]. Of more than capacity / 4 the last are left out.
      width: W of the picture.
      capacity: of the arrays.
    """
    (pixels,) = jnp.nonzero(edge, size=capacity // RAYS, fill_value=0)
    pixels = jnp.repeat(pixels.astype(jnp.int32), RAYS)
    corner = jnp.arange(capacity, dtype=jnp.int32) % RAYS
    u = (pixels % width) + 0.25 + 0.5 * (corner % 2)
    v = (pixels // width) + 0.25 + 0.5 * (corner // 2)
    count = jnp.minimum(RAYS * jnp.sum(edge, dtype=jnp.int32), capacity)
    return u, v, count


def smooth(color: list, edge: jax.Array, values: tuple) -> list:
    """Returns colours in which pixels at edges have the mean of their rays.

    Args:
      color: three of [H W].
      edge: bool [H W].
      values: three of [capacity], colours of `rays`.
    """
    means = [value.reshape(-1, RAYS).mean(axis=1) for value in values]
    slot = jnp.cumsum(edge) - 1
    chosen = edge & (slot < means[0].shape[0])
    slot = jnp.clip(slot, 0, means[0].shape[0] - 1)
    return [jnp.where(chosen, m[slot], c) for m, c in zip(means, color, strict=True)]
