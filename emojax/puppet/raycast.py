"""Rays against the puppet: where they hit, which way the surface looks, how much light gets there.

Everything is in the head frame and head heights (`emojax.puppet.rig`); rays share one origin and
are given by unit directions as three arrays [n].

Speed on a CPU hangs on XLA's habit to compute a shared intermediate anew for every result that
needs it (4 to 6 times the whole picture's cost). So every loop here has one costly result, written
to memory, and cheap ones that are derived from it; `apart` does the same between stages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from emojax.puppet import shape
from emojax.puppet.rig import Rig

RELAX = 0.86  # of the distance a step goes: the fields are bounds, not distances
# Steps of all rays, then of those that are left, and so on: after each round those still under way
# are put together. A few that graze an edge would need very many steps: they have arrived when they
# are so many times farther from the surface than the rest, at most 0.4 pixels.
ROUNDS = (4, 6, 12, 24)
GRAZING = (1.0, 1.0, 1.5, 2.0)
BATCHES = 8  # into which rays are divided on a CPU
FEW = 1024  # rays that are not worth dividing
FINE_STEPS = 3  # on the wrinkled surface, from the smooth one
ARRIVED = 0.4  # of half a pixel: a ray that is this near the surface has arrived
TAP = 0.0015  # between the taps of a normal
CLEAR = 2.0  # radii of a cone: a step of RELAX d from d >= 2 r leaves all of the cone in the sphere
_SHADOW_REACH = (0.03, 0.075, 0.14)
_OPEN_REACH = (0.03, 0.10)

# A tetrahedron: four taps give the gradient (Quilez, "Normals for an SDF").
_TAPS = ((1.0, -1.0, -1.0), (-1.0, -1.0, 1.0), (-1.0, 1.0, -1.0), (1.0, 1.0, 1.0))


def apart(flag: jax.Array, function: Callable, *arguments: Any) -> Any:
    """Returns function(*arguments), computed and written to memory on its own.

    XLA does not fuse across a branch. (Its optimisation barriers are gone before fusion on a CPU.)

    Args:
      flag: bool [], true, but not so that a compiler could know.
      function: of arrays.
      *arguments: pytrees.
    """
    if jax.default_backend() != "cpu":
        return function(*arguments)
    shapes = jax.eval_shape(function, *arguments)

    def nothing(*_):
        return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    return jax.lax.cond(flag, function, nothing, *arguments)


def march(
    rig: Rig,
    origin: tuple,
    direction: tuple,
    start: jax.Array,
    end: jax.Array,
    *,
    cone: jax.Array | float,
) -> tuple[jax.Array, jax.Array]:
    """Returns how far along rays the surface lies, and whether it is hit.

    Args:
      rig: of one instant.
      origin: three of [].
      direction: unit vectors, three of [n].
      start: [n] distance from which to look.
      end: [n] distance beyond which there is nothing.
      cone: [] half a pixel's width per unit of distance: rays that pass nearer have hit.

    Returns:
      distance [n]; hit [n] bool.
    """
    state = _arrive(rig, origin, direction, start, end, ARRIVED * cone)

    def refine(_, state):
        t, d = state
        t = t + RELAX * jnp.clip(d, -0.02, 0.02)
        return t, shape.field(rig, *_at(origin, direction, t), fine=True)

    t, _ = jax.lax.fori_loop(0, FINE_STEPS, refine, state)
    return t, t < end


def scout(
    rig: Rig,
    origin: tuple,
    direction: tuple,
    start: jax.Array,
    end: jax.Array,
    *,
    radius: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Returns how far cones about rays are free for certain, and whether they meet anything.

    Args:
      rig: of one instant.
      origin: three of [].
      direction: unit vectors, three of [n].
      start: [n] distance from which to look.
      end: [n] distance beyond which there is nothing.
      radius: [] of the cones, per unit of distance.

    Returns:
      distance [n] before which there is nothing; meets [n] bool.
    """
    t, _ = _arrive(rig, origin, direction, start, end, CLEAR * radius)
    return t, t < end


def _at(origin, direction, t):
    """Points at distance t along rays."""
    return tuple(o + t * d for o, d in zip(origin, direction, strict=True))


def _going(t, d, end, near):
    """Whether rays at distance t, the surface d away, have not arrived and may still."""
    return (d > near * t) & (t < end)


def _arrive(rig, origin, direction, start, end, near):
    """Goes along rays until all are near the surface; distances along them and to the surface."""
    num = start.shape[0]
    is_divided = jax.default_backend() == "cpu" and num > FEW
    batch = -(-num // BATCHES) if is_divided else num
    steps, factors = jnp.array(ROUNDS, jnp.int32), jnp.array(GRAZING)

    def under_way(state):
        number, t, d = state
        return (number == 0) | _going(t, d, end, near * factors[number])

    def go_round(state):
        number, t, d = state
        left = under_way(state)
        late = jnp.nonzero(left, size=num, fill_value=num)[0]
        count = jnp.sum(left, dtype=jnp.int32)

        def go_on(carry):
            k, t, d = carry
            chosen = jax.lax.dynamic_slice(late, (jnp.minimum(k * batch, num - batch),), (batch,))
            picked = [v.at[chosen].get(mode="clip") for v in (*direction, t, d, end)]
            there, away = _approach(
                rig,
                origin,
                tuple(picked[:3]),
                *picked[3:],
                near * factors[number],
                steps[number],
                number == 0,
            )
            return k + 1, t.at[chosen].set(there, mode="drop"), d.at[chosen].set(away, mode="drop")

        _, t, d = jax.lax.while_loop(lambda c: c[0] * batch < count, go_on, (jnp.int32(0), t, d))
        return number + 1, t, d

    def is_unfinished(state):
        return (state[0] < len(ROUNDS)) & jnp.any(under_way(state))

    state = (jnp.int32(0), start, jnp.zeros_like(start))
    return jax.lax.while_loop(is_unfinished, go_round, state)[1:]


def _approach(rig, origin, direction, t, d, end, near, max_steps, is_fresh):
    """Takes at most so many steps along rays; where d is not known yet, it is asked for first."""

    def go_on(state):
        i, t, d = state
        return (i < max_steps) & (((i == 0) & is_fresh) | jnp.any(_going(t, d, end, near)))

    # A step moves by the distance found in the step before: the loop then has one costly result,
    # which XLA computes once; two results that need it would each compute it anew.
    def step(state):
        i, t, d = state
        t = jnp.where(_going(t, d, end, near), t + RELAX * d, t)
        return i + 1, t, shape.field(rig, *_at(origin, direction, t), fine=False)

    _, t, d = jax.lax.while_loop(go_on, step, (jnp.int32(0), t, d))
    return t, d


def normal(rig: Rig, x: jax.Array, y: jax.Array, z: jax.Array) -> tuple:
    """Returns the gradient's direction at points, three of [n].

    Args:
      rig: of one instant.
      x: [n] head frame, as y and z.
      y: [n].
      z: [n].
    """
    taps = TAP * jnp.array(_TAPS)

    def tap(k, found):
        ex, ey, ez = taps[k, 0], taps[k, 1], taps[k, 2]
        return found.at[k].set(shape.field(rig, x + ex, y + ey, z + ez, fine=True))

    found = jnp.zeros((len(_TAPS), *x.shape), x.dtype)
    found = jax.lax.fori_loop(0, len(_TAPS), tap, found)
    nx, ny, nz = (sum(_TAPS[k][axis] * found[k] for k in range(len(_TAPS))) for axis in range(3))
    scale = jax.lax.rsqrt(nx * nx + ny * ny + nz * nz + 1e-20)
    return nx * scale, ny * scale, nz * scale


def openness(
    rig: Rig, x: jax.Array, y: jax.Array, z: jax.Array, normals: tuple, key: tuple
) -> tuple[jax.Array, jax.Array]:
    """Returns how open points lie to the sky, and how much of a soft key light reaches them.

    Args:
      rig: of one instant.
      x: [n] head frame, as y and z.
      y: [n].
      z: [n].
      normals: three of [n].
      key: unit vector toward the light, three of [].

    Returns:
      occlusion [n], 0 hidden to 1 open; shadow [n], 0 dark to 1 lit.
    """
    reach = jnp.array(_OPEN_REACH + _SHADOW_REACH)
    is_key = jnp.array([0.0] * len(_OPEN_REACH) + [1.0] * len(_SHADOW_REACH))
    toward = jnp.stack([jnp.asarray(k) for k in key])

    def tap(k, found):
        lit, h = is_key[k], reach[k]
        # Shadow rays leave a little above the surface, or it would shade itself.
        lift = h * (1 - lit) + 0.015 * lit
        along = lit * h
        d = shape.field(
            rig,
            x + normals[0] * lift + toward[0] * along,
            y + normals[1] * lift + toward[1] * along,
            z + normals[2] * lift + toward[2] * along,
            fine=False,
        )
        return found.at[k].set(d)

    found = jnp.zeros((len(reach), *x.shape), x.dtype)
    found = jax.lax.fori_loop(0, len(reach), tap, found)
    num = len(_OPEN_REACH)
    hidden = sum(jnp.clip(1 - found[k] / h, 0, 1) for k, h in enumerate(_OPEN_REACH))
    shadow = jnp.ones_like(x)
    for k, h in enumerate(_SHADOW_REACH):
        # A large lamp: what is far away throws a softer shadow.
        passes = 0.25 + 1.2 * h + (2.4 - 5 * h) * found[num + k] / (h + 0.02)
        shadow = jnp.minimum(shadow, jnp.clip(passes, 0, 1))
    open_ = jnp.maximum(1 - 0.55 * hidden, 0)
    return open_ * (0.4 + 0.6 * open_), shadow
