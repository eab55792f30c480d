"""The puppet before a camera: image, depth, normals and regions, all exact.

World: metres, x to the image right, y up, z out of the face of a head at rest, whose centre is the
origin (`Controls` moves and turns it; the body stays). Cameras are `emojax.types.Camera`.

`view` has the way from a pixel to its colour. Nothing is compiled anew for another person, instant,
camera or scene of the same size.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from flax import struct

from emojax.puppet import edges, light
from emojax.puppet.controls import Controls
from emojax.puppet.identity import Identity
from emojax.puppet.light import Scene
from emojax.puppet.rig import METERS
from emojax.puppet.view import CHANNELS, View
from emojax.types import Camera


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
      samples: 1 or 4 rays for the colour of pixels at edges (of at most half of all); truth is that
        of the pixel's centre.

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
    seen = View(identity, controls, camera, scene)
    height, width = camera.height, camera.width
    num = height * width
    u, v = _centers(jnp.arange(num, dtype=jnp.int32), width)
    cells = seen.scout()
    near = cells.hit[cells.at(u, v)]
    (pixels,) = jnp.nonzero(near, size=num, fill_value=0)
    first = (*_centers(pixels.astype(jnp.int32), width), jnp.sum(near, dtype=jnp.int32))
    slot = jnp.maximum(jnp.cumsum(near) - 1, 0)
    direction = seen.directions(u, v)
    back = light.display(seen.background(direction))

    def frame(values):
        """Colours, distance, normal and region of all pixels."""
        found = [value[slot] for value in values]
        region = jnp.where(near, jnp.round(found[7]), 0).astype(jnp.uint8)
        color = [jnp.where(region > 0, c, b) for c, b in zip(found[:3], back, strict=True)]
        return color, found[3], found[4:7], region

    if samples == 1:
        color, distance, normals, region = frame(seen.trace(cells, *first))
    else:
        # Both passes run the same program, which is compiled once: pixels, then those at edges.
        capacity = 2 * num
        room = (0, capacity - num)
        blank = tuple(jnp.zeros(capacity, jnp.float32) for _ in range(CHANNELS))

        def go(k, state):
            (u, v, count), edge, values, before = state
            before, values = values, seen.trace(cells, u, v, count)
            color, distance, _, region = frame(values)
            edge = jnp.where(k == 0, edges.find(color, distance, region, width), edge)
            return edges.rays(edge, width, capacity), edge, values, before

        start = (jnp.pad(first[0], room), jnp.pad(first[1], room), first[2])
        state = (start, jnp.zeros(num, bool), blank, blank)
        _, edge, corners, values = jax.lax.fori_loop(0, 2, go, state)
        color, distance, normals, region = frame(values)
        color = edges.smooth(color, edge, corners[:3])
    hit = region > 0
    normals = jnp.einsum("ij,nj->ni", seen.turn, jnp.stack(normals, axis=-1), precision="highest")
    depth = jnp.where(hit, distance * METERS * seen.along(direction), jnp.inf)
    return Picture(
        image=jnp.stack(color, axis=-1).reshape(height, width, 3),
        depth=depth.reshape(height, width),
        normals=jnp.where(hit[:, None], normals, 0.0).reshape(height, width, 3),
        labels=region.reshape(height, width),
    )


def _centers(index: jax.Array, width: int) -> tuple[jax.Array, jax.Array]:
    """Centres (u, v) of pixels."""
    return (index % width) + 0.5, (index // width) + 0.5


@jax.jit
def empty(scene: Scene, camera: Camera) -> jax.Array:
    """Returns the room without the puppet, as displayed, [H, W, 3] 0 to 1.

    Args:
      scene: light and room.
      camera: before the wall.
    """
    u, v = jnp.meshgrid(jnp.arange(camera.width) + 0.5, jnp.arange(camera.height) + 0.5)
    px, py = ((x - c) / f for x, c, f in zip((u, v), camera.principal, camera.focal, strict=True))
    rotation, shift = camera.world_to_camera[:3, :3], camera.world_to_camera[:3, 3]
    world = [px * rotation[0, k] + py * rotation[1, k] + rotation[2, k] for k in range(3)]
    center = -jnp.matmul(rotation.T, shift, precision="highest")
    return jnp.stack(light.display(light.wall(scene, center, world)), axis=-1)
