"""The puppet before a camera: image, depth, normals and regions, all exact.

World: metres, x to the image right, y up, z out of the face of a head at rest, whose centre is the
origin (`Controls` moves and turns it; the body stays). Cameras are `emojax.types.Camera`.

Only pixels near the puppet are marched: their numbers are gathered into chunks of a fixed size, and
the loop runs over as many chunks as there are. Nothing is compiled anew for another person,
instant, camera or scene of the same size.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from flax import struct

from emojax.puppet import light, muscles, palette, raycast, rig, skin
from emojax.puppet.controls import Controls
from emojax.puppet.identity import Identity
from emojax.puppet.light import Scene
from emojax.puppet.masks import Region
from emojax.puppet.rig import METERS, Rig
from emojax.types import Camera

CHUNK = 8192  # rays at a time on a CPU: what one stage leaves to the next fits into the cache
_CHANNELS = 8  # red, green, blue, distance, normal x, y, z, region


@struct.dataclass
class Picture:
    """What a camera sees of the puppet, and the truth about it.

    Attributes:
      image: [H, W, 3] 0 to 1, as displayed (not linear).
      depth: [H, W] metres along the optical axis; infinite where the background is.
      normals: [H, W, 3] unit vectors out of the surface, world axes; 0 where the background is.
      labels: uint8 [H, W] of `masks.Region`.
    """

    image: jax.Array
    depth: jax.Array
    normals: jax.Array
    labels: jax.Array


def portrait(width: int, height: int, *, distance: float = 1.15, fill: float = 0.66) -> Camera:
    """Returns a camera that looks at the face straight from the front.

    Args:
      width: pixels.
      height: pixels.
      distance: metres from the head's centre.
      fill: share of the picture's height that an average head takes.
    """
    focal = fill * height * distance / METERS
    eye = jnp.array([0.0, -0.08 * METERS, distance])
    flip = jnp.diag(jnp.array([1.0, -1.0, -1.0]))  # world axes to OpenCV's
    top = jnp.concatenate([flip, -(flip @ eye)[:, None]], axis=-1)
    return Camera(
        world_to_camera=jnp.concatenate([top, jnp.array([[0.0, 0.0, 0.0, 1.0]])]),
        focal=jnp.full(2, focal, jnp.float32),
        principal=jnp.array([width / 2, height / 2], jnp.float32),
        width=width,
        height=height,
    )


def draw(
    identity: Identity,
    controls: Controls,
    camera: Camera,
    *,
    scene: Scene | None = None,
    samples: int = 1,
) -> Picture:
    """Returns what the camera sees. Compiled once for each size of picture and number of samples.

    Args:
      identity: one person.
      controls: of one instant.
      camera: outside of the puppet.
      scene: light and room; `light.studio` of key 0 by default.
      samples: 1 or 4 rays for the colour of pixels at edges; truth is that of the pixel's centre.

    Returns:
      One `Picture`; batch with `jax.vmap`.

    Raises:
      ValueError: `samples` is neither 1 nor 4.
    """
    if samples not in (1, 4):
        raise ValueError(f"expected samples of 1 or 4; got {samples}; 4 smooths edges")
    scene = light.studio(jax.random.key(0)) if scene is None else scene
    return _draw(identity, controls, camera, scene, samples=samples)


@functools.partial(jax.jit, static_argnames=("samples",))
def _draw(identity, controls, camera, scene, *, samples) -> Picture:
    view = _View(identity, controls, camera, scene)
    height, width = camera.height, camera.width
    num = height * width
    index = jnp.arange(num, dtype=jnp.int32)
    u, v = (index % width) + 0.5, (index // width) + 0.5
    direction = view.directions(u, v)
    start, end = view.bounds(direction)
    near = start < end
    rays, count = _gather(near, num)
    values = view.trace(lambda j: _pixel(rays[jnp.minimum(j, num - 1)], width), count, num)
    slot = jnp.maximum(jnp.cumsum(near) - 1, 0)
    found = [value[slot] for value in values]
    region = jnp.where(near, jnp.round(found[7]), 0).astype(jnp.uint8)
    hit = region > 0
    back = light.display(view.background(direction))
    color = [jnp.where(hit, c, b) for c, b in zip(found[:3], back, strict=True)]
    if samples == 4:
        color = _smooth_edges(view, color, found[3], region, width, height)
    color = jnp.stack(color, axis=-1)
    normals = jnp.stack(found[4:7], axis=-1)
    normals = jnp.einsum("ij,nj->ni", view.turn, normals, precision="highest")
    depth = jnp.where(hit, found[3] * METERS * view.along(direction), jnp.inf)
    return Picture(
        image=color.reshape(height, width, 3),
        depth=depth.reshape(height, width),
        normals=jnp.where(hit[:, None], normals, 0.0).reshape(height, width, 3),
        labels=region.reshape(height, width),
    )


def _gather(chosen: jax.Array, num: int) -> tuple[jax.Array, jax.Array]:
    """Numbers of the chosen pixels, padded, and how many there are."""
    (numbers,) = jnp.nonzero(chosen, size=num, fill_value=0)
    return numbers.astype(jnp.int32), jnp.sum(chosen, dtype=jnp.int32)


def _pixel(index: jax.Array, width: int) -> tuple[jax.Array, jax.Array]:
    """Centres (u, v) of pixels."""
    return (index % width) + 0.5, (index // width) + 0.5


def _smooth_edges(view, color, distance, region, width, height):
    """Replaces the colour of pixels at edges by the mean of four rays."""
    num = width * height
    labels = region.reshape(height, width)
    far = jnp.where(region > 0, distance, 9.0).reshape(height, width)
    edge = jnp.zeros((height, width), bool)
    for axis in (0, 1):
        change = jnp.diff(labels.astype(jnp.int32), axis=axis) != 0
        change |= jnp.abs(jnp.diff(far, axis=axis)) > 0.04
        pad = [(0, 0), (0, 0)]
        pad[axis] = (1, 0)
        edge |= jnp.pad(change, pad)
        pad[axis] = (0, 1)
        edge |= jnp.pad(change, pad)
    edge = edge.reshape(num)
    rays, count = _gather(edge, num)

    def place(j):
        u, v = _pixel(rays[jnp.minimum(j // 4, num - 1)], width)
        return u + 0.5 * (j % 2) - 0.25, v + 0.5 * ((j // 2) % 2) - 0.25

    values = view.trace(place, 4 * count, 4 * num)[:3]
    slot = jnp.maximum(jnp.cumsum(edge) - 1, 0)
    means = [value.reshape(num, 4).mean(axis=1)[slot] for value in values]
    return [jnp.where(edge, m, c) for m, c in zip(means, color, strict=True)]


class _View:
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
        self.origin, self.lights, self.turn, self.center = origin, inside, turn, center
        self.focal, self.principal = camera.focal, camera.principal
        self.scene = scene
        self.flag = camera.focal[0] > 0  # true, which no compiler knows
        self.to_head = jnp.matmul(rotation, self.turn, precision="highest")

    def directions(self, u, v):
        """Unit directions of pixels in the head frame, three of [n]."""
        px = (u - self.principal[0]) / self.focal[0]
        py = (v - self.principal[1]) / self.focal[1]
        scale = jax.lax.rsqrt(px * px + py * py + 1)
        m = self.to_head
        return tuple((px * m[0, k] + py * m[1, k] + m[2, k]) * scale for k in range(3))

    def along(self, direction):
        """Share of a ray's length that goes along the optical axis, [n]."""
        m = self.to_head
        return direction[0] * m[2, 0] + direction[1] * m[2, 1] + direction[2] * m[2, 2]

    def bounds(self, direction):
        """Distances [n] at which rays come near the puppet, and leave; start > end: they do not."""
        start, end = jnp.full(direction[0].shape, jnp.inf), jnp.zeros(direction[0].shape)
        for center, radii in _bounding(self.rig):
            to = [(center[k] - self.origin[k]) / radii[k] for k in range(3)]
            ray = [direction[k] / radii[k] for k in range(3)]
            square = 1 / (ray[0] ** 2 + ray[1] ** 2 + ray[2] ** 2)
            ahead = (to[0] * ray[0] + to[1] * ray[1] + to[2] * ray[2]) * square
            away = (to[0] ** 2 + to[1] ** 2 + to[2] ** 2 - 1) * square
            inside = ahead * ahead - away
            half = jnp.sqrt(jnp.maximum(inside, 0))
            start = jnp.where(inside > 0, jnp.minimum(start, ahead - half), start)
            end = jnp.where(inside > 0, jnp.maximum(end, ahead + half), end)
        return jnp.maximum(start, 0.0), end

    def background(self, direction):
        """Light of the wall where rays meet it, linear, three of [n]."""
        t = self.turn
        world = [sum(t[j, k] * direction[k] for k in range(3)) for j in range(3)]
        reach = (light.WALL_Z - self.center[2]) / jnp.minimum(world[2], -0.05)
        x, y = self.center[0] + reach * world[0], self.center[1] + reach * world[1]
        return light.room(self.scene, x, y)

    def trace(self, place, count, capacity):
        """Colours and truth, eight arrays [capacity], of `count` rays; place(j) is (u, v)."""
        size = CHUNK if jax.default_backend() == "cpu" else capacity
        num_chunks = -(-capacity // size)
        values = tuple(jnp.zeros(num_chunks * size, jnp.float32) for _ in range(_CHANNELS))

        def body(state):
            k, values = state
            u, v = place(k * size + jnp.arange(size, dtype=jnp.int32))
            chunk = self.shade(u, v)
            put = jax.lax.dynamic_update_slice
            return k + 1, tuple(put(a, c, (k * size,)) for a, c in zip(values, chunk, strict=True))

        state = (jnp.int32(0), values)
        _, values = jax.lax.while_loop(lambda s: s[0] * size < count, body, state)
        return tuple(value[:capacity] for value in values)

    def shade(self, u, v):
        """Colours and truth of the rays through (u, v) [n] of the picture: eight arrays [n]."""
        apart = functools.partial(raycast.apart, self.flag)
        origin = tuple(self.origin[k] for k in range(3))
        direction = apart(self.directions, u, v)

        def march(direction):
            start, end = self.bounds(direction)
            start, cone = jnp.minimum(start, end), 0.5 / self.focal[0]
            t, hit = raycast.march(self.rig, origin, direction, start, end, cone=cone)
            # Rays that miss end at a point of the head, so that no number there is large.
            point = tuple(
                jnp.where(hit, o + t * d, 0.1) for o, d in zip(origin, direction, strict=True)
            )
            return t, hit, point

        t, hit, point = apart(march, direction)
        normal = apart(lambda p: raycast.normal(self.rig, *p), point)
        key, fill, up = (tuple(self.lights[j, k] for k in range(3)) for j in range(3))
        open_, shadow = apart(lambda p, n: raycast.openness(self.rig, *p, n, key), point, normal)
        surface = skin.paint(self.rig, self.look, *point, apart=apart)

        def develop(surface, normal, direction, open_, shadow, hit):
            view = tuple(-d for d in direction)
            linear = light.shade(self.scene, surface, normal, view, key, open_, shadow, up, fill)
            back = self.background(direction)
            return light.display(
                tuple(jnp.where(hit, c, b) for c, b in zip(linear, back, strict=True))
            )

        color = apart(develop, surface, normal, direction, open_, shadow, hit)
        region = jnp.where(hit, surface.region, int(Region.BACKGROUND)).astype(jnp.float32)
        return *color, t, *normal, region


def _bounding(rig_: Rig):
    """Ellipsoids (centre, radii), head frame, that hold head, neck with hair, and body."""
    hair = rig_.hair
    grown = hair.thickness * 1.4 + 0.03
    cranium = rig_.face.cranium
    head = ((0.0, -0.02, -0.06), (cranium.rx + 0.06 + grown, 0.53 + grown, 0.47 + grown))
    fall = rig_.hair.fall
    reach = fall.r0 + 0.04
    low = fall.y1 - fall.r1 - 0.03
    neck = ((0.0, 0.5 * low - 0.1, -0.14), (1.15 * reach, 0.32 - 0.6 * low, 1.3 * reach))
    r, t = rig_.body.rotation, rig_.body.shift
    chest = rig_.body.chest
    # The body's centre seen from the head: inverse of the rotation.
    offset = (0.0 - t[0], -1.27 - t[1], -0.17 - t[2])
    center = tuple(sum(r[3 * j + k] * offset[j] for j in range(3)) for k in range(3))
    return head, neck, (center, (1.5 * chest.rx + 0.15, 0.72, 1.5 * chest.rx + 0.15))
