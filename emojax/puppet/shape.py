"""The puppet as a signed distance: skin, eyes, teeth, tongue, hair, cloth.

All functions take head-frame coordinates (`emojax.puppet.rig`) as separate arrays of one shape and
return distances of that shape, in head heights, negative inside. They are bounds, not distances:
step along a ray by less (`raycast.RELAX`). Paired parts are evaluated once, at |x|.

Openings of lids and lips are regions of (x, y), carved out along z; what is merely coloured has no
shape (`skin`).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from emojax.puppet import curves, noise
from emojax.puppet.folds import folds
from emojax.puppet.primitives import capsule, cut, ellipsoid, hump, join, ramp
from emojax.puppet.rig import Rig

_FOLD_EPSILON = 1e-6  # rounds |x|, so that normals exist on the mid-line
_JAW_ROUND = 0.004  # squared length over which |x| is rounded for the jaw
_LID = 0.008  # thickness of the lids over the ball
_LID_SHRINK = 0.002  # smooth cutting narrows an opening: how much is given back
_UPRIGHT = 0.85  # |gradient| of curve distances in the prism of the lips stays below 1 / this
_TUCK = 0.010  # lips go on behind the opening's edges: shut ones touch in a line, not in a furrow
_LIP_DEPTH = 0.045  # behind the lips' front the cavity is wider than their opening
_CAVITY_BACK = 0.10  # z of its back wall
_TEETH_BEND = 2.4  # the teeth's front is teeth_z - 2.4 x^2
_FLESH = 0.006  # of lips and cheeks over the teeth, at least
_HAIR_GAP = 0.04  # between long hair and the neck that it falls around
BARE = 0.012  # where hair or cloth ends, its surface is this far under the skin


class Distances(NamedTuple):
    """Distances to what the puppet is made of, each [...]."""

    skin: jax.Array
    eye: jax.Array
    teeth: jax.Array
    tongue: jax.Array
    hair: jax.Array
    cloth: jax.Array
    neck: jax.Array  # part of `skin`, told apart for the labels


def fold_x(rig: Rig, x: jax.Array, y: jax.Array) -> jax.Array:
    """Returns |x| of the straightened face, rounded at 0, for x and y [...] of `rig`."""
    x = x + rig.face.lean * y
    return jnp.sqrt(x * x + _FOLD_EPSILON)


def to_body(rig: Rig, x: jax.Array, y: jax.Array, z: jax.Array) -> tuple:
    """Returns the body's coordinates (x, y, z) of head coordinates x, y, z [...] for a `rig`."""
    r, t = rig.body.rotation, rig.body.shift
    return (
        r[0] * x + r[1] * y + r[2] * z + t[0],
        r[3] * x + r[4] * y + r[5] * z + t[1],
        r[6] * x + r[7] * y + r[8] * z + t[2],
    )


def distances(rig: Rig, x: jax.Array, y: jax.Array, z: jax.Array, *, fine: bool) -> Distances:
    """Returns the distances to all parts.

    Args:
      rig: of one instant.
      x: [...] head frame, as y and z.
      y: [...].
      z: [...].
      fine: with wrinkles, brow hair and locks; without, the surface lies up to `FINE` off.
    """
    ax = fold_x(rig, x, y)
    bx, by, bz = to_body(rig, x, y, z)
    abs_bx = jnp.sqrt(bx * bx + _FOLD_EPSILON)
    cranium = ellipsoid(rig.face.cranium, ax, y, z)
    skin = _head(rig, cranium, ax, y, z)
    if fine:
        skin = skin - folds(rig, ax, y, z)[0] - _brow_relief(rig, ax, y, z)
    neck, cloth = _body(rig, x, y, z, abs_bx, by, bz)
    skin = join(skin, neck, blend=0.05)
    skin, teeth, tongue = _mouth(rig, skin, ax, y, z)
    skin, eye = _eye(rig, skin, ax, y, z)
    hair = _hair(rig, cranium, neck, x, ax, y, z, fine)
    return Distances(skin, eye, teeth, tongue, hair, cloth, neck)


def body(rig: Rig, x: jax.Array, y: jax.Array, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the distances to the skin of neck and torso, and to the cloth, without a head.

    Args:
      rig: of one instant.
      x: [...] head frame, as y and z.
      y: [...].
      z: [...].
    """
    bx, by, bz = to_body(rig, x, y, z)
    return _body(rig, x, y, z, jnp.sqrt(bx * bx + _FOLD_EPSILON), by, bz)


def _body(rig, x, y, z, abs_bx, by, bz):
    """Skin and cloth of the body, in the coordinates of head and body."""
    torso = _torso(rig, abs_bx, by, bz)
    neck = join(capsule(rig.body.neck, x, y, z), torso + 0.012, blend=0.10)
    return neck, _cloth(rig, neck, abs_bx, by, bz)


def nearest(d: Distances) -> jax.Array:
    """Returns the distance to the puppet, [...], for its parts d."""
    inner = jnp.minimum(jnp.minimum(d.eye, d.teeth), d.tongue)
    return jnp.minimum(jnp.minimum(d.skin, inner), jnp.minimum(d.hair, d.cloth))


def field(rig: Rig, x: jax.Array, y: jax.Array, z: jax.Array, *, fine: bool) -> jax.Array:
    """Returns the distance to the puppet.

    Args:
      rig: of one instant.
      x: [...] head frame, as y and z.
      y: [...].
      z: [...].
      fine: as for `distances`.
    """
    return nearest(distances(rig, x, y, z, fine=fine))


def _head(rig: Rig, cranium, x, y, z):
    """Skull, soft tissue, nose and ears, without openings."""
    f = rig.face
    d = join(cranium, ellipsoid(f.face, x, y, z), blend=0.08)
    # The two halves of the jaw meet in the middle: rounded there, or they leave a cleft.
    d = join(d, ellipsoid(f.jaw, jnp.sqrt(x * x + _JAW_ROUND), y, z), blend=0.09)
    d = join(d, ellipsoid(f.chin, x, y, z), blend=0.11)
    d = join(d, ellipsoid(f.cheek, x, y, z), blend=0.08)
    d = join(d, capsule(f.ridge, x, y, z), blend=0.06)
    d = join(d, ellipsoid(f.muzzle, x, y, z), blend=0.06)
    d = cut(d, ellipsoid(f.socket, x, y, z), blend=0.06)
    ear = cut(
        ellipsoid(f.ear, x, y, z + 0.35 * (x - f.ear.x)), ellipsoid(f.concha, x, y, z), blend=0.02
    )
    d = join(d, ear, blend=0.02)
    nose = join(capsule(f.bridge, x, y, z), ellipsoid(f.tip, x, y, z), blend=0.03)
    d = join(d, nose, blend=0.060)
    d = join(d, ellipsoid(f.wing, x, y, z), blend=0.022)
    return cut(d, ellipsoid(f.nostril, x, y, z), blend=0.010)


def _mouth(rig: Rig, skin, x, y, z):
    """Lips joined to the skin, the opening carved; teeth and tongue."""
    m = rig.mouth
    lip = curves.lips(m, x)
    beyond = jnp.maximum(x - m.half_width, 0)
    upper = _roll(
        lip.upper_inner - _TUCK, lip.upper_outer, lip.front - beyond, 0.034, m.tight, y, z
    )
    lower = _roll(
        lip.lower_outer, lip.lower_inner + _TUCK, lip.low_front - beyond, 0.040, m.tight, y, z
    )
    skin = join(skin, upper + beyond, blend=0.018)
    skin = join(skin, lower + beyond, blend=0.034)
    slit = jnp.maximum(y - lip.upper_inner, lip.lower_inner - y)
    slit = jnp.maximum(slit, x - m.half_width + 0.006) * _UPRIGHT - 0.0005
    prism = jnp.maximum(slit, lip.front - 0.11 - z)
    behind = z - (lip.low_front - _LIP_DEPTH)
    room = jnp.maximum(jnp.maximum(ellipsoid(m.cavity, x, y, z), behind), _CAVITY_BACK - z)
    whole, skin = skin, cut(skin, jnp.minimum(prism, room), blend=0.006)
    front = m.teeth_z - _TEETH_BEND * x * x
    arch = jnp.abs(z - front + 0.011) - 0.011
    # Edges: incisors a little longer than the teeth beside them.
    edge = m.rest_y - 0.023 + 0.25 * x * x
    above = jnp.maximum(edge - y, y - edge - 0.075)
    low = m.rest_y - 0.034 - m.drop
    below = jnp.maximum(y - low, low - 0.045 - y)
    low_arch = jnp.abs(z - front + 0.013 - m.retreat) - 0.011
    lower = jnp.maximum(jnp.maximum(low_arch, below), x - 0.072)
    teeth = jnp.minimum(jnp.maximum(arch, above), lower)
    teeth = jnp.maximum(teeth, x - 0.086) * 0.75
    # Where flesh is thin (below the lips, in their corners) teeth and tongue stay under it.
    teeth = jnp.maximum(teeth, whole + _FLESH)
    tongue = jnp.maximum(ellipsoid(m.tongue, x, y, z), whole + _FLESH)
    return skin, teeth, tongue


def _roll(low, high, front, depth, tight, y, z):
    """Distance to a lip: in the (y, z) plane an ellipse from low to high that touches the front."""
    ry = jnp.maximum(0.5 * (high - low), 0.004) + 0.002
    rz = depth
    back = 0.010 * tight
    py, pz = (y - 0.5 * (high + low)) / ry, (z - front + back + rz) / rz
    slope = (py / ry) * (py / ry) + (pz / rz) * (pz / rz)
    return (py * py + pz * pz - 1) * 0.5 * jax.lax.rsqrt(slope + 1e-6)


def _eye(rig: Rig, skin, x, y, z):
    """Lids over the ball, their opening carved; the ball."""
    e = rig.eye
    bx, by, bz = x - e.ball_x, y - e.ball_y, z - e.ball_z
    center = jnp.sqrt(bx * bx + by * by + bz * bz + 1e-9)
    skin = join(skin, center - (e.radius + _LID), blend=0.04)
    lid = curves.lids(e, x, y)
    gap = jnp.maximum(lid.v - lid.upper, lid.lower - lid.v)
    gap = jnp.maximum(gap, jnp.abs(lid.u) - e.half_width) - _LID_SHRINK * (1 - e.closure)
    # Fold of the upper lid: a groove that the open lid keeps and the shut one smooths out.
    groove = hump((lid.v - lid.upper - 0.015 + 0.004 * e.closure) * 90) * hump(
        lid.u / (e.half_width * 1.15)
    )
    skin = skin + 0.004 * e.crease * (1 - e.closure) * groove
    skin = cut(skin, jnp.maximum(gap * 0.8, e.ball_z - z), blend=0.009)
    return skin, center - e.radius


def _brow_relief(rig: Rig, x, y, z):
    """Brow hair stands a little off the skin."""
    b = rig.brow
    s = (x - b.x0) / (b.x1 - b.x0)
    t = (y - curves.brow_height(b, s)) / jnp.maximum(curves.brow_half(b, s), 0.003)
    return 0.0035 * hump(t * 0.8) * hump((s - 0.5) * 1.9) * ramp(z, 0.0, 0.05)


def _hair(rig: Rig, cranium, neck, x, ax, y, z, fine):
    """A cap over the skull down to the hairline, and what falls behind."""
    h = rig.hair
    line = hairline(rig, ax, y, z)
    # Without locks the hair lies as low as between them: shadows must not start inside of it.
    locks = noise.locks(x, y, z, h.curl) if fine else -0.9
    grown = ramp(line + 0.012 * locks, -0.01, 0.08)
    # Far below the hairline the cap sinks deep: openings of the face must not show it.
    bare = BARE + 0.5 * jnp.maximum(-line - 0.05, 0)
    top = h.sides + (1 - h.sides) * ramp(y, 0.10, 0.36)
    top = top * (1 - h.parting * hump((x - 0.11) * 14))
    thick = h.thickness * top + (0.003 + 0.05 * h.thickness) * locks
    cap = cranium + bare - grown * (thick + BARE)
    fall = capsule(h.fall, x, y, z * 1.12)
    fall = jnp.maximum(fall, z + 0.03 - 0.06 * hump((y + 0.1) * 2.5)) - 0.006 * locks
    # Hair gives way to neck and shoulders, which a turning head would push it through.
    return join(cap, jnp.maximum(fall, _HAIR_GAP - neck), blend=0.05)


def hairline(rig: Rig, x: jax.Array, y: jax.Array, z: jax.Array) -> jax.Array:
    """Returns how far above the hairline a point lies, in height.

    Args:
      rig: of one instant.
      x: [...] >= 0, head frame, as y and z.
      y: [...].
      z: [...].
    """
    h = rig.hair
    ahead = z + 0.06
    rise = (h.front + 0.05) * (1 / 0.32)
    line = -0.05 + jnp.where(ahead > 0, rise, 0.50) * ahead
    temple = 0.055 * h.recede * hump((x - 0.17) * 9) * ramp(z, 0.02, 0.12)
    return y - line - temple


def _torso(rig: Rig, x, y, z):
    """Shoulders, chest and upper arms; body frame."""
    b = rig.body
    d = join(capsule(b.trapezius, x, y, z), ellipsoid(b.chest, x, y, z), blend=0.16)
    return join(d, capsule(b.arm, x, y, z), blend=0.10)


def _cloth(rig: Rig, neck, x, y, z):
    """Cloth over the torso below the neckline, with a hem."""
    inside = neckline(rig, x, y, z)
    thickness = ramp(inside, -0.004, 0.012) * (0.016 + BARE) + 0.008 * hump((inside - 0.016) * 50)
    return neck + BARE - thickness


def neckline(rig: Rig, x: jax.Array, y: jax.Array, z: jax.Array) -> jax.Array:
    """Returns how far below the edge of the cloth a point of the body lies.

    Args:
      rig: of one instant.
      x: [...] >= 0, body frame, as y and z.
      y: [...].
      z: [...].
    """
    notch = rig.body.neckline * jnp.maximum(1 - x * (1 / 0.17), 0) * ramp(z, -0.10, 0.05)
    return (-0.645 - 0.25 * (z + 0.15)) - 0.20 * notch - y
