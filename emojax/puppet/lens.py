"""Where the camera stands and how much it sees: lenses, and rigs of several of them.

World: metres, x to the image right, y up, z out of the face of a head at rest, whose centre is the
origin. Cameras are `emojax.types.Camera`. Zooming goes with distance: a head fills the same share
of the picture from near and far, and only its perspective tells.
"""

from __future__ import annotations

import dataclasses
import math

import jax.numpy as jnp

from emojax import geometry
from emojax.puppet.rig import METERS
from emojax.types import Camera

AIM = (0.0, -0.08 * METERS, 0.0)  # a little below the eyes: shoulders show, hair is not cut off
# Farther to a side, light on the far cheek and most landmarks are lost, and the wall ends.
WIDEST = 0.9  # radians


@dataclasses.dataclass(frozen=True)
class Lens:
    """A place to look from.

    Attributes:
      distance: metres from the head.
      fill: share of the picture's height that an average head takes.
      azimuth: radians, the camera stands to the image right of the face.
      elevation: radians, it stands above the face.
    """

    distance: float = 1.15
    fill: float = 0.66
    azimuth: float = 0.0
    elevation: float = 0.0


def camera(lens: Lens, size: int) -> Camera:
    """Returns the camera of a lens.

    Args:
      lens: where it stands.
      size: side of its pictures, pixels.
    """
    level = math.cos(lens.elevation)
    away = (
        math.sin(lens.azimuth) * level,
        math.sin(lens.elevation),
        math.cos(lens.azimuth) * level,
    )
    eye = [a + lens.distance * d for a, d in zip(AIM, away, strict=True)]
    pose = geometry.look_at(jnp.array(eye), jnp.array(AIM), jnp.array([0.0, 1.0, 0.0]))
    focal = lens.fill * size * lens.distance / METERS
    return Camera(
        world_to_camera=pose,
        focal=jnp.full(2, focal, jnp.float32),
        principal=jnp.full(2, size / 2, jnp.float32),
        width=size,
        height=size,
    )


def around(lens: Lens, count: int, *, spread: float = 0.5) -> tuple[Lens, ...]:
    """Returns lenses on an arc around the face: a rig for several views at once.

    Args:
      lens: the first, from the front.
      count: how many more; they stand to the right and left in turn, ever farther out, every second
        pair of them above.
      spread: radians to the farthest.

    Raises:
      ValueError: `spread` is beyond `WIDEST`.
    """
    if not 0 < spread <= WIDEST:
        raise ValueError(
            f"expected a spread up to {WIDEST} rad; got {spread}; choose a smaller one"
        )
    pairs = max((count + 1) // 2, 1)
    return tuple(
        dataclasses.replace(
            lens,
            azimuth=lens.azimuth + (-1) ** k * spread * (k // 2 + 1) / pairs,
            elevation=lens.elevation + 0.15 * (k // 2 % 2),
        )
        for k in range(count)
    )
