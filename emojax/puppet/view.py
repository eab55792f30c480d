"""The puppet seen from one camera: rays through pixels, what they meet, and how it is lit.

Rays are given by (u, v) in the picture; all geometry is in the head frame and head heights
(`emojax.puppet.rig`), where rays share one origin.

A picture is traced in two steps. First one ray for each cell of `CELL` x `CELL` pixels, with the
cone of them all about it, goes as far as the cone is free; cells whose cone meets nothing show the
background. Then the pixels' own rays start where the cone of their cell ended.

Rays go in chunks of a fixed size through all stages, over as many chunks as there are.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from emojax.puppet import bounds, light, muscles, palette, raycast, rig, skin
from emojax.puppet.masks import Region
from emojax.puppet.rig import METERS

CELL = 4
# Half a cell's diagonal, and a little for rays that leave a pixel's centre, in pixels.
_CELL_RADIUS = 0.5 * CELL * math.sqrt(2)
# Rays at a time: on a CPU what one stage leaves to the next fits into the cache.
CHUNK, GPU_CHUNK = 2048, 65536
CHANNELS = 8  # red, green, blue, distance, normal x, y, z, region


class Cells(NamedTuple):
    """What the cones about cells of pixels found, row by row, each [n].

    Attributes:
      free: distance before which there is nothing.
      hit: whether there may be something beyond.
      width: of the grid, cells; static.
    """

    free: jax.Array
    hit: jax.Array
    width: int

    def at(self, u: jax.Array, v: jax.Array) -> jax.Array:
        """Returns the number of the cell of points (u, v) of the picture, int32 [...]."""
        across, down = (jnp.floor(x / CELL).astype(jnp.int32) for x in (u, v))
        return down * self.width + across


class View:
    """The camera and the light in the head frame, with the rig: what all rays share."""

    def __init__(self, identity, controls, camera, scene):
        pose = rig.head_to_world(controls)
        turn = pose[:3, :3]
        rotation, shift = camera.world_to_camera[:3, :3], camera.world_to_camera[:3, 3]
        center = -jnp.matmul(rotation.T, shift, precision="highest")
        origin = jnp.matmul(turn.T, center - pose[:3, 3], precision="highest") / METERS
        inside = jnp.stack([scene.key, scene.fill, jnp.array([0.0, 1.0, 0.0])])
        inside = jnp.matmul(inside, turn, precision="highest")  # lights and up, head frame
        self.rig, self.look = muscles.pose(identity, controls), palette.look(identity)
        self.origin, self.lights = tuple(origin[k] for k in range(3)), inside
        self.turn, self.center = turn, center
        self.focal, self.principal = camera.focal, camera.principal
        self.width, self.height = camera.width, camera.height
        self.scene = scene
        self.flag = camera.focal[0] > 0  # true, which no compiler knows
        self.to_head = jnp.matmul(rotation, self.turn, precision="highest")

    def directions(self, u: jax.Array, v: jax.Array) -> tuple:
        """Returns the unit directions of rays through (u, v) in the head frame, three of [n]."""
        px = (u - self.principal[0]) / self.focal[0]
        py = (v - self.principal[1]) / self.focal[1]
        scale = jax.lax.rsqrt(px * px + py * py + 1)
        m = self.to_head
        return tuple((px * m[0, k] + py * m[1, k] + m[2, k]) * scale for k in range(3))

    def along(self, direction: tuple) -> jax.Array:
        """Returns the share of a ray's length that goes along the optical axis, [n]."""
        m = self.to_head
        return direction[0] * m[2, 0] + direction[1] * m[2, 1] + direction[2] * m[2, 2]

    def background(self, direction: tuple) -> tuple:
        """Returns the light of the wall where rays meet it, linear, three of [n]."""
        t = self.turn
        world = [sum(t[j, k] * direction[k] for k in range(3)) for j in range(3)]
        return light.wall(self.scene, self.center, world)

    def scout(self) -> Cells:
        """Returns what lies before the cells of the picture."""
        across, down = -(-self.width // CELL), -(-self.height // CELL)
        index = jnp.arange(across * down, dtype=jnp.int32)
        u, v = ((k + 0.5) * CELL for k in (index % across, index // across))
        direction = self.directions(u, v)
        radius = _CELL_RADIUS / self.focal[0]
        start, end = bounds.along(self.rig, self.origin, direction, margin=radius)
        start = jnp.minimum(start, end)  # finite, where the bounds are missed
        free, hit = raycast.scout(self.rig, self.origin, direction, start, end, radius=radius)
        return Cells(free, hit, across)

    def trace(self, cells: Cells, u: jax.Array, v: jax.Array, count: jax.Array) -> tuple:
        """Returns the colours and truth of the first `count` rays, eight arrays [capacity].

        Args:
          cells: of `scout`.
          u: [capacity] where rays go through the picture, as v.
          v: [capacity].
          count: [] how many there are.
        """
        capacity = u.shape[0]
        size = min(CHUNK if jax.default_backend() == "cpu" else GPU_CHUNK, capacity)
        num_chunks = -(-capacity // size)
        fill = (0, num_chunks * size - capacity)
        u, v = jnp.pad(u, fill), jnp.pad(v, fill)
        values = tuple(jnp.zeros(num_chunks * size, jnp.float32) for _ in range(CHANNELS))

        def body(state):
            k, values = state
            some = [jax.lax.dynamic_slice(x, (k * size,), (size,)) for x in (u, v)]
            chunk = self.shade(cells, *some)
            put = jax.lax.dynamic_update_slice
            return k + 1, tuple(put(a, c, (k * size,)) for a, c in zip(values, chunk, strict=True))

        state = (jnp.int32(0), values)
        _, values = jax.lax.while_loop(lambda s: s[0] * size < count, body, state)
        return tuple(value[:capacity] for value in values)

    def shade(self, cells: Cells, u: jax.Array, v: jax.Array) -> tuple:
        """Returns the colours and truth of the rays through (u, v) [n]: eight arrays [n]."""
        apart = functools.partial(raycast.apart, self.flag)
        direction = apart(self.directions, u, v)

        def march(direction):
            cell = cells.at(u, v)
            _, end = bounds.along(self.rig, self.origin, direction, margin=0.0)
            end = jnp.where(cells.hit[cell], end, 0.0)
            start = jnp.minimum(cells.free[cell], end)
            cone = 0.5 / self.focal[0]
            t, hit = raycast.march(self.rig, self.origin, direction, start, end, cone=cone)
            # Rays that miss end at a point of the head, so that no number there is large.
            point = tuple(
                jnp.where(hit, o + t * d, 0.1) for o, d in zip(self.origin, direction, strict=True)
            )
            return t, hit, point

        t, hit, point = apart(march, direction)
        normal = apart(lambda p: raycast.normal(self.rig, *p), point)
        key, fill, up = (tuple(self.lights[j, k] for k in range(3)) for j in range(3))
        open_, shadow = apart(lambda p, n: raycast.openness(self.rig, *p, n, key), point, normal)
        surface = skin.paint(self.rig, self.look, *point, apart=apart)

        def develop(surface, normal, direction, open_, shadow, hit):
            to_camera = tuple(-d for d in direction)
            linear = light.shade(
                self.scene, surface, normal, to_camera, key, open_, shadow, up, fill
            )
            back = self.background(direction)
            return light.display(
                tuple(jnp.where(hit, c, b) for c, b in zip(linear, back, strict=True))
            )

        color = apart(develop, surface, normal, direction, open_, shadow, hit)
        region = jnp.where(hit, surface.region, int(Region.BACKGROUND)).astype(jnp.float32)
        return *color, t, *normal, region
