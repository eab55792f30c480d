"""What lies behind the head: the same neck and clothes in the same light, as if there was no head.

A rendered head moves against its torso; where the chin rises, neck has to show. Data sets therefore
have the body in pictures of its own (`torso_imgs`). In-painting guesses what the head hides; here
it is drawn, with the shade that chin and jaws throw on it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import struct

from emojax.puppet import bounds, light, shape, skin
from emojax.puppet.controls import Controls
from emojax.puppet.identity import Identity
from emojax.puppet.light import Scene
from emojax.puppet.primitives import ellipsoid
from emojax.puppet.rig import Rig
from emojax.puppet.skin import Surface
from emojax.puppet.view import View
from emojax.types import Camera

_STEPS, _RELAX = 40, 0.9
_ARRIVED, _HIT = 0.0005, 0.01  # head heights: near enough; of all that came so near, the surface
_TAP = 0.002
_TAPS = ((1.0, -1.0, -1.0), (-1.0, -1.0, 1.0), (-1.0, 1.0, -1.0), (1.0, 1.0, 1.0))
_REACH = (0.03, 0.10)
# Deep inside the head it would be dark: what comes to light there later is shaded by a chin that
# is elsewhere.
_DARKEST = 0.35
_BATCH = 1024  # rays at a time


@struct.dataclass
class Behind:
    """The body without the head.

    Attributes:
      image: [H, W, 3] 0 to 1, as displayed; the empty room's where there is no body.
      covered: [H, W] bool, where the body is.
    """

    image: jax.Array
    covered: jax.Array


@jax.jit
def behind(
    identity: Identity, controls: Controls, camera: Camera, scene: Scene, wanted: jax.Array
) -> Behind:
    """Returns the body behind the head.

    Args:
      identity: one person.
      controls: of one instant.
      camera: outside of the puppet.
      scene: light and room.
      wanted: [H, W] bool, the pixels to draw; all others count as not covered.
    """
    seen = View(identity, controls, camera, scene)
    height, width = camera.height, camera.width
    num = height * width
    (pixels,) = jnp.nonzero(wanted.reshape(num), size=num, fill_value=0)
    count = jnp.sum(wanted, dtype=jnp.int32)
    size = min(_BATCH, num)
    pixels = jnp.pad(pixels.astype(jnp.int32), (0, -num % size))
    image, covered = jnp.zeros((num, 3)), jnp.zeros(num, bool)

    def go(state):
        k, image, covered = state
        some = jax.lax.dynamic_slice(pixels, (k * size,), (size,))
        color, hit = _trace(seen, (some % width) + 0.5, (some // width) + 0.5)
        real = k * size + jnp.arange(size) < count
        place = jnp.where(real, some, num)  # dropped
        image = image.at[place].set(jnp.stack(color, axis=-1), mode="drop")
        return k + 1, image, covered.at[place].set(hit, mode="drop")

    _, image, covered = jax.lax.while_loop(
        lambda state: state[0] * size < count, go, (jnp.int32(0), image, covered)
    )
    return Behind(image.reshape(height, width, 3), covered.reshape(height, width))


def _trace(seen: View, u: jax.Array, v: jax.Array) -> tuple[tuple, jax.Array]:
    """Displayed colour, three of [n], and whether the body is hit, of rays through (u, v) [n]."""
    direction = seen.directions(u, v)
    start, end = bounds.along(seen.rig, seen.origin, direction, margin=0.0)
    start = jnp.minimum(start, end)

    def field(x, y, z):
        return jnp.minimum(*shape.body(seen.rig, x, y, z))

    def at(t):
        return tuple(o + t * d for o, d in zip(seen.origin, direction, strict=True))

    def is_under_way(state):
        step, t, d = state
        return (step < _STEPS) & jnp.any((d > _ARRIVED) & (t < end))

    def go(state):
        step, t, d = state
        t = t + _RELAX * d
        return step + 1, t, field(*at(t))

    _, t, d = jax.lax.while_loop(is_under_way, go, (0, start, field(*at(start))))
    hit = (d < _HIT) & (t < end)
    point = tuple(jnp.where(hit, p, 0.1) for p in at(t))
    normal = _normal(field, point)
    key, fill, up = (tuple(seen.lights[j, k] for k in range(3)) for j in range(3))
    neck, cloth = shape.body(seen.rig, *point)
    is_cloth = cloth < neck
    paints = zip(skin.cloth(seen.rig, seen.look, *point), skin.bare(seen.look, *point), strict=True)
    bare = jnp.where(is_cloth, 0.0, 1.0)
    surface = Surface(
        color=tuple(jnp.where(is_cloth, woven, naked) for woven, naked in paints),
        gloss=0.16 * bare,
        shine=jnp.zeros_like(bare),
        soft=bare,
        region=jnp.zeros(bare.shape, jnp.int32),
    )
    open_ = _openness(seen.rig, point, normal)
    to_camera = tuple(-d for d in direction)
    lit = light.shade(seen.scene, surface, normal, to_camera, key, open_, open_, up, fill)
    back = seen.background(direction)
    return light.display(tuple(jnp.where(hit, c, b) for c, b in zip(lit, back, strict=True))), hit


def _normal(field, point: tuple) -> tuple:
    """Unit gradient of a field, three of [n]."""
    found = [field(*(p + _TAP * e for p, e in zip(point, tap, strict=True))) for tap in _TAPS]
    n = [sum(tap[axis] * f for tap, f in zip(_TAPS, found, strict=True)) for axis in range(3)]
    scale = jax.lax.rsqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2] + 1e-20)
    return tuple(each * scale for each in n)


def _openness(rig: Rig, point: tuple, normal: tuple) -> jax.Array:
    """How open the body lies under chin and jaws, [n]."""
    hidden = 0.0
    for reach in _REACH:
        x, y, z = (p + reach * n for p, n in zip(point, normal, strict=True))
        ax = jnp.abs(x)
        near = ellipsoid(rig.face.face, ax, y, z)
        for part in (rig.face.jaw, rig.face.chin):
            near = jnp.minimum(near, ellipsoid(part, ax, y, z))
        near = jnp.minimum(near, jnp.minimum(*shape.body(rig, x, y, z)))
        hidden = hidden + jnp.clip(1 - near / reach, 0, 1)
    open_ = jnp.maximum(1 - 0.55 * hidden, 0)
    return jnp.maximum(open_ * (0.4 + 0.6 * open_), _DARKEST)
