"""One performance at many emotions: every frame of a script, drawn at P points of the disc at once.

`jax.vmap` over the emotion alone: what an emotion does not change (how the head moves while it
speaks, the inside of its mouth, the backdrop) is computed once for all points. Points go to the
device in chunks of equal shape, so that the whole sweep is one compiled program.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from emojax import head as heads
from emojax.data import ahead
from emojax.data.clip import Clip
from emojax.data.errors import DataError
from emojax.drive import script as scripts
from emojax.drive.script import Scenes, Script
from emojax.emotion import circumplex
from emojax.head import Head
from emojax.types import Camera, Condition

# What one point takes while it is drawn: pictures, their compositing, and copies of both in XLA;
# moved Gaussians, their projections and lists of tiles.
BYTES_PER_PIXEL, BYTES_PER_GAUSSIAN = 64, 512
# What a pixel of every point takes while a frame is put together and compared: bytes, joined and
# copied, and differences in 16 bits.
BYTES_HELD = 24


def disc(directions: int, radii: tuple[float, ...]) -> np.ndarray:
    """Returns points on rings about the neutral state, float32 [D R, 2], ring by ring.

    Args:
      directions: D, evenly apart, counter-clockwise from pleasure.
      radii: R of them, 0 to 1.

    Raises:
      DataError: no direction, no radius, or one outside of 0 to 1.
    """
    rings = np.asarray(radii, np.float64)
    if directions < 1 or not len(rings) or not ((rings >= 0) & (rings <= 1)).all():
        raise DataError(
            expected="one direction or more, and radii from 0 to 1",
            got=f"{directions} directions, radii {list(radii)}",
            fix="--directions 8 --radii 0.4,0.8 is a good start.",
        )
    angles = 2 * np.pi * np.arange(directions) / directions
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return np.float32((rings[:, None, None] * ring).reshape(-1, 2))


def points_at_once(trained: Head, size: int, count: int, *, memory: float) -> int:
    """Returns how many points are drawn at once, at least 1: chunks as equal as they can be.

    Args:
      trained: head.
      size: side of the pictures, pixels.
      count: of all points, 1 or more.
      memory: bytes.

    Raises:
      DataError: not even one fits, or the pictures of all points do not.
    """
    one = BYTES_PER_PIXEL * size**2 + BYTES_PER_GAUSSIAN * trained.face.capacity
    held = BYTES_HELD * size**2 * count
    # Written so that NaN is refused, too.
    if not max(one, held) <= memory < math.inf:
        raise DataError(
            expected=f"memory for {count} pictures of {size} pixels, drawn one by one: "
            f"{max(one, held) / 2**30:.3f} GiB",
            got=f"{memory / 2**30:.3f} GiB",
            fix="Ask for fewer points, or allow more with --memory.",
        )
    chunks = -(-count // int(memory // one))
    return -(-count // chunks)


def render(
    trained: Head, clip: Clip, script: Script, points: np.ndarray, *, memory: float = 2.0**30
) -> Iterator[np.ndarray]:
    """Yields for each frame the pictures of all points, uint8 [P, S, S, 3].

    Args:
      trained: head, of `frames.ready`, that shows emotions.
      clip: that it was trained on.
      script: of the performance; its own emotion is not used.
      points: [P, 2] valence and arousal; those outside the disc are moved to its rim.
      memory: bytes that the drawing of one chunk may take, roughly, and the pictures of a frame.

    Raises:
      DataError: the head shows no emotions, there are no points, or they do not fit into memory.
    """
    if trained.config.emotion == "none":
        raise DataError(
            expected="a head that was trained with emotions",
            got="one without",
            fix="Make emotional pictures of the data set with experiments/emotional_faces.py and "
            "train again.",
        )
    points = np.asarray(points, np.float32).reshape(-1, 2)
    if not len(points):
        raise DataError(expected="one point or more", got="none", fix="Name some.")
    points = np.stack(circumplex.inside(points[:, 0], points[:, 1]), axis=-1)
    count = len(points)
    most = points_at_once(trained, clip.size, count, memory=memory)
    chunks = -(-count // most)
    padded = np.concatenate([points, np.tile(points[-1:], (chunks * most - count, 1))])
    parts = jnp.asarray(padded.reshape(chunks, most, 2))
    focal, principal = jnp.asarray(clip.focal), jnp.asarray(clip.principal)
    scenes = (scripts.scenes(script, clip, np.array([t])) for t in range(len(script)))
    for some in ahead.ahead(scenes):
        drawn = [np.asarray(draw(trained, some, focal, principal, part)) for part in parts]
        yield np.concatenate(drawn)[:count]


@jax.jit
def draw(
    trained: Head, some: Scenes, focal: jax.Array, principal: jax.Array, points: jax.Array
) -> jax.Array:
    """Returns one frame at some points, uint8 [P, S, S, 3]; compiles once for each P.

    Args:
      trained: head.
      some: scenes, one of them; its emotion is replaced.
      focal: [2] of the clip, pixels.
      principal: [2] of the clip, pixels.
      points: [P, 2] valence and arousal.
    """
    condition = jax.tree.map(lambda x: x[0], some.condition)
    height, width = some.backdrops.shape[1:3]
    camera = Camera(some.world_to_camera[0], focal, principal, width=width, height=height)
    backdrop = some.backdrops[0] / jnp.float32(255)

    def one(condition: Condition) -> jax.Array:
        return heads.render(trained, condition, camera, backdrop).image

    each = Condition(audio=None, action_units=None, emotion=0)
    drawn = jax.vmap(one, in_axes=(each,))(condition.replace(emotion=points))
    return jnp.uint8(jnp.clip(drawn, 0, 1) * 255 + 0.5)
