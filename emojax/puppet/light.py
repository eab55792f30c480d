"""Light, camera response, and the still room behind the puppet.

World axes: x to the image right, y up, z from the wall to the camera. The wall is a plane behind
the actor on which panels hang; light is a key, a fill and the sky, all far away. A `Scene` holds
every number of it, so that a new world is another argument and not another program.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import struct

from emojax.puppet import noise
from emojax.puppet.primitives import mix, ramp
from emojax.puppet.skin import Surface

NUM_PANELS = 6
WALL_Z = -0.55  # metres behind the head's centre
_UNDER = (0.30, 0.12, 0.06)  # how far light wraps around soft surfaces, red the farthest
_DISPLAY_SHOULDER = 0.18  # highlights are compressed by c / (1 + 0.18 c)


@struct.dataclass
class Scene:
    """Light and room.

    Attributes:
      key: [3] unit vector toward the key light, world.
      key_color: [3] its strength, linear RGB.
      fill: [3] unit vector toward the fill light, world.
      fill_color: [3].
      sky: [3] light from above; from below comes a warmer third of it.
      wall: [3] linear reflectance of the wall.
      panels: [NUM_PANELS, 4] centre x, y and half width and height on the wall, metres.
      panel_colors: [NUM_PANELS, 3] linear.
      blur: [] metres, softness of the panels' edges: a wall out of focus.
    """

    key: jax.Array
    key_color: jax.Array
    fill: jax.Array
    fill_color: jax.Array
    sky: jax.Array
    wall: jax.Array
    panels: jax.Array
    panel_colors: jax.Array
    blur: jax.Array


def _unit(*vector: float) -> jax.Array:
    vector = jnp.array(vector, jnp.float32)
    return vector / jnp.linalg.norm(vector)


def studio(key: jax.Array) -> Scene:
    """Returns the soft light of a studio before a wall with random panels.

    Args:
      key: consumed; decides wall and panels, and moves the lights a little.
    """
    key_wall, key_panels, key_colors, key_light = jax.random.split(key, 4)
    wall = jax.random.uniform(key_wall, (3,), minval=-0.05, maxval=0.05)
    level = jax.random.uniform(key_wall, (), minval=0.16, maxval=0.42)
    low, high = jnp.array([-0.34, -0.26, 0.03, 0.03]), jnp.array([0.34, 0.32, 0.11, 0.13])
    panels = low + (high - low) * jax.random.uniform(key_panels, (NUM_PANELS, 4))
    colors = jax.random.uniform(key_colors, (NUM_PANELS, 3), minval=0.25, maxval=0.75) ** 2
    gray = jnp.mean(colors, axis=-1, keepdims=True)
    shift = jax.random.uniform(key_light, (3,), minval=-0.12, maxval=0.12)
    return Scene(
        key=_normalize(jnp.array([-0.45, 0.55, 0.75]) + shift),
        key_color=jnp.array([1.00, 0.95, 0.88]) * 0.84,
        fill=_unit(0.80, 0.05, 0.60),
        fill_color=jnp.array([0.90, 0.96, 1.00]) * 0.42,
        sky=jnp.array([0.92, 0.97, 1.00]) * 0.30,
        wall=level + wall,
        panels=panels,
        panel_colors=gray + 0.6 * (colors - gray),
        blur=jnp.float32(0.012),
    )


def window(key: jax.Array) -> Scene:
    """Returns the light of a window on the other side and of a warm lamp: not that of `studio`.

    Args:
      key: consumed; decides wall and panels, and moves the lights a little.
    """
    room_ = studio(key)
    key_light, key_level = jax.random.split(jax.random.fold_in(key, 1))
    shift = jax.random.uniform(key_light, (3,), minval=-0.15, maxval=0.15)
    level = jax.random.uniform(key_level, (), minval=0.85, maxval=1.1)
    return room_.replace(
        key=_normalize(jnp.array([0.80, 0.40, 0.60]) + shift),
        key_color=jnp.array([0.86, 0.95, 1.08]) * 0.95 * level,
        fill=_unit(-0.85, -0.10, 0.50),
        fill_color=jnp.array([1.00, 0.78, 0.55]) * 0.30 * level,
        sky=jnp.array([0.85, 0.95, 1.10]) * 0.22 * level,
        wall=0.4 * room_.wall + jnp.array([0.04, 0.06, 0.09]),
        panel_colors=room_.panel_colors[:, ::-1],
    )


def _normalize(vector: jax.Array) -> jax.Array:
    return vector / jnp.linalg.norm(vector)


def shade(
    scene: Scene,
    surface: Surface,
    normal: tuple,
    view: tuple,
    key: tuple,
    occlusion: jax.Array,
    shadow: jax.Array,
    up: tuple,
    fill: tuple,
) -> tuple:
    """Returns the light that leaves a surface toward the camera, linear RGB, three of [...].

    Directions are unit vectors, three numbers each, in one frame of the caller's choice.

    Args:
      scene: for the colours of the lights.
      surface: paint at the points.
      normal: three of [...].
      view: from the points to the camera, three of [...].
      key: toward the key light, three of [].
      occlusion: [...] 0 hidden to 1 open to the sky.
      shadow: [...] 0 to 1, share of the key light that arrives.
      up: the world's up, three of [].
      fill: toward the fill light, three of [].
    """
    to_key = _dot(normal, key)
    to_fill = jnp.maximum(_dot(normal, fill) * 0.8 + 0.2, 0)
    above = 0.5 + 0.5 * _dot(normal, up)
    half = tuple(v + k for v, k in zip(view, key, strict=True))
    length = jax.lax.rsqrt(_dot(half, half) + 1e-6)
    # Below 0.6 the highest power is nothing, and denormal numbers are slow.
    aligned = jnp.maximum(_dot(normal, half) * length, 0.6)
    p4 = (aligned * aligned) * (aligned * aligned)
    p16 = (p4 * p4) * (p4 * p4)
    p64 = (p16 * p16) * (p16 * p16)
    facing = jnp.clip(1 - _dot(normal, view), 0, 1)
    rim = facing * facing * facing
    lit = shadow * jnp.maximum(to_key, 0)
    highlight = surface.gloss * (p16 + 0.5 * rim) * (0.25 + 0.75 * shadow)
    highlight = highlight * occlusion + 0.9 * surface.shine * p64 * p64
    result = []
    for channel in range(3):
        wrap = surface.soft * _UNDER[channel]
        diffuse = jnp.maximum(to_key + wrap, 0) / (1 + wrap) * mix(shadow, 0.5 + 0.5 * shadow, wrap)
        sky = scene.sky[channel] * (0.35 + 0.65 * above) * (1.15 if channel == 0 else 1.0)
        light = scene.key_color[channel] * diffuse
        light = light + (scene.fill_color[channel] * to_fill + sky) * occlusion
        gleam = highlight * scene.key_color[channel] * (0.35 + 0.65 * lit)
        result.append(surface.color[channel] * light + gleam)
    return tuple(result)


def display(linear: tuple) -> tuple:
    """Returns what the camera writes of `linear` light, three of [...]: 0 to 1, gamma 2."""
    return tuple(
        jnp.sqrt(jnp.clip(c * (1 + _DISPLAY_SHOULDER) / (1 + _DISPLAY_SHOULDER * c), 0, 1))
        for c in linear
    )


def wall(scene: Scene, center: jax.Array, direction: Sequence[jax.Array]) -> tuple:
    """Returns the light of the wall where rays meet it, linear RGB, three of [...].

    Args:
      scene: with the wall.
      center: [3] metres, world, where the rays begin.
      direction: three of [...], world, of any length.
    """
    reach = (WALL_Z - center[2]) / jnp.minimum(direction[2], -0.05)
    return room(scene, center[0] + reach * direction[0], center[1] + reach * direction[1])


def room(scene: Scene, x: jax.Array, y: jax.Array) -> tuple:
    """Returns the light of the wall, linear RGB, three of [...].

    Args:
      scene: with the wall and its panels.
      x: [...] metres on the wall, as y.
      y: [...].
    """
    level = (0.85 + 0.35 * y - 0.25 * x) * (1 + 0.03 * noise.wave(7 * x) * noise.wave(5 * y))
    color = tuple(scene.wall[c] * level for c in range(3))
    soft = scene.blur
    for k in range(NUM_PANELS):
        dx = jnp.abs(x - scene.panels[k, 0]) - scene.panels[k, 2]
        dy = jnp.abs(y - scene.panels[k, 1]) - scene.panels[k, 3]
        inside = 1 - ramp(jnp.maximum(dx, dy), -soft, soft)
        frame = 1 - 0.35 * ramp(jnp.maximum(dx, dy), -0.014 - soft, -0.014 + soft)
        color = tuple(
            mix(c, scene.panel_colors[k, j] * (1.3 - 0.6 * frame) * level, inside)
            for j, c in enumerate(color)
        )
    return color


def _dot(a: tuple, b: tuple) -> jax.Array:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
