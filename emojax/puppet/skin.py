"""Paint: colours of skin, lips, brows, eyes, teeth, hair and cloth, and the region of every point.

Colours are linear reflectances. Everything that is coloured rather than shaped is a soft mask over
the head frame's (|x|, y), along the curves that also carry shape and landmarks (`curves`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from emojax.puppet import curves, noise, shape
from emojax.puppet.folds import folds
from emojax.puppet.masks import Region
from emojax.puppet.palette import Look, blend
from emojax.puppet.primitives import ellipsoid, hump, mix, ramp
from emojax.puppet.rig import Rig

_IRIS, _PUPIL = 0.37, 0.15  # radians seen from the ball's centre
_MATERIALS = 6  # skin, eye, teeth, tongue, hair, cloth
_SAME = 1e-5  # distances that differ by less count as equal: fusions round differently


class Surface(NamedTuple):
    """What light meets at points [...]."""

    color: tuple  # three of [...], linear reflectance
    gloss: jax.Array  # strength of a broad highlight
    shine: jax.Array  # strength of a sharp one
    soft: jax.Array  # 0 to 1, light that goes under the surface
    region: jax.Array  # int32, of `Region`


def paint(
    rig: Rig,
    looks: Look,
    x: jax.Array,
    y: jax.Array,
    z: jax.Array,
    *,
    apart: Callable = lambda function, *arguments: function(*arguments),
) -> Surface:
    """Returns colour, gloss and region of points on the surface.

    Args:
      rig: of one instant.
      looks: of the person.
      x: [...] head frame, as y and z.
      y: [...].
      z: [...].
      apart: apart(f, *arguments) computes a stage and writes it to memory (`raycast.apart`).
    """
    d = apart(lambda *p: shape.distances(rig, *p, fine=True), x, y, z)
    masks = apart(lambda *p: _masks(rig, looks, *p), x, y, z)

    def compose(d, masks, x, y, z):
        ax = shape.fold_x(rig, x, y)
        color, gloss, region = _skin(looks, d, masks)
        shine, soft = jnp.zeros_like(x), jnp.ones_like(x)
        best = d.skin + _SAME
        parts = (
            (d.eye, _eyeball(rig, looks, x, ax, y, z), Region.EYE, 0.05, 1.0, 1.0),
            (d.teeth, _teeth(rig, ax, y, z), Region.TEETH, 0.10, 0.25, 0.3),
            (d.tongue, _tongue(rig, ax, y, z), Region.TONGUE, 0.25, 0.1, 0.8),
            (d.hair, _hair(rig, looks, x, y, z), Region.HAIR, 0.07, 0.0, 0.3),
            (d.cloth, cloth(rig, looks, x, y, z), Region.TORSO, 0.0, 0.0, 0.0),
        )
        for distance, other, number, broad, sharp, under in parts:
            nearer = distance < best
            best = jnp.where(nearer, distance, best)
            color = tuple(jnp.where(nearer, o, c) for o, c in zip(other, color, strict=True))
            gloss, shine = jnp.where(nearer, broad, gloss), jnp.where(nearer, sharp, shine)
            soft = jnp.where(nearer, under, soft)
            region = jnp.where(nearer, int(number), region)
        return Surface(color, gloss, shine, soft, region)

    return apart(compose, d, masks, x, y, z)


class _Masks(NamedTuple):
    """Amounts of paint on the skin, each [...]."""

    grain: jax.Array
    red: jax.Array
    spots: jax.Array
    tired: jax.Array
    whiskers: jax.Array
    dark: jax.Array
    hairs: jax.Array
    red_lip: jax.Array
    seam: jax.Array
    inner: jax.Array
    depth: jax.Array
    ink: jax.Array
    ear: jax.Array


def _masks(rig, looks, x, y, z):
    """How much of every paint lies on the skin at points."""
    ax = shape.fold_x(rig, x, y)
    front = ramp(z, 0.02, 0.10)
    mouth, eye, face = rig.mouth, rig.eye, rig.face
    grain = noise.bumps(61 * x, 61 * y, 61 * z)
    blotch = noise.bumps(9 * x + 3, 9 * y, 9 * z)
    # Blood: cheeks, tip of the nose, ears.
    cheek = hump(jnp.minimum((ax - 0.175) ** 2 * 50 + (y + 0.115) ** 2 * 70, 1))
    tip = hump(jnp.minimum(ax * ax * 260 + (y - face.tip.y) ** 2 * 200, 1))
    ear = ramp(ax, 0.315, 0.345) * (1 - front)
    red = looks.blood * ((cheek + 0.8 * tip) * front + 0.8 * ear + 0.15 + 0.25 * blotch)
    spots = noise.bumps(39 * x + 2 * blotch, 43 * y, 17 * z + 5) + 0.35 * blotch
    spots = ramp(spots, 0.40, 0.75) * looks.freckles * front * hump(jnp.clip((y + 0.07) * 5, -1, 1))
    around = jnp.minimum((ax - eye.x) ** 2 * 90 + (y + 0.012) ** 2 * 230, 1)
    tired = hump(around) * front
    # Beard: below a line from the sideburn to the nose; denser under the lip and along the jaw.
    lip = curves.lips(mouth, ax)
    line = rig.folds.wing_y - 0.045 - 0.10 * ax + 1.75 * jnp.maximum(ax - 0.165, 0)
    clear = jnp.minimum(jnp.maximum(y - lip.upper_outer, lip.lower_outer - y), 0.03)
    clear = jnp.where(ax > mouth.half_width, 0.03, clear)
    whiskers = ramp(line - y, 0.0, 0.05) * ramp(clear, 0.0, 0.012) * ramp(z, -0.06, 0.02)
    whiskers = whiskers * ramp(y, -0.60, -0.50) * (0.85 + 0.22 * grain)
    whiskers = jnp.clip(whiskers * looks.beard, 0, 0.92)
    nostril = hump(
        jnp.minimum((ax - face.nostril.x) ** 2 * 2600 + (y - face.nostril.y - 0.004) ** 2 * 3600, 1)
    )
    dark = (1 - 0.40 * folds(rig, ax, y, z)[1]) * (1 - 0.35 * nostril * front)
    # Brows.
    b = rig.brow
    s = (ax - b.x0) / (b.x1 - b.x0)
    t = (y - curves.brow_height(b, s)) / curves.brow_half(b, jnp.clip(s, 0, 1))
    strands = noise.wave(55 * ax + 30 * y + 0.4 * grain) * noise.wave(38 * ax - 75 * y)
    hairs = ramp(1.35 - jnp.abs(t) + 0.35 * strands, 0.0, 1.25) * front
    hairs = hairs * ramp(s, -0.03, 0.10) * (1 - ramp(s, 0.93, 1.05))
    # Lips and the seam between them, which opens into the mouth.
    inside_x = ramp(mouth.half_width - ax, -0.003, 0.006)
    red_lip = ramp(jnp.minimum(lip.upper_outer - y, y - lip.lower_outer), -0.004, 0.004)
    red_lip = red_lip * inside_x * front
    middle = 0.5 * (lip.upper_inner + lip.lower_inner)
    gap = lip.upper_inner - lip.lower_inner
    seam = hump((y - middle) * 190) * (1 - ramp(gap, 0.0, 0.014))
    seam = seam * ramp(mouth.half_width - ax, -0.002, 0.012) * front
    slit = jnp.minimum(lip.upper_inner - y, y - lip.lower_inner)
    behind = jnp.minimum(lip.front, lip.low_front) - z
    inner = ramp(behind, 0.016, 0.040) * ramp(slit, -0.035, -0.010) * ramp(z, 0.0, 0.05)
    inner = inner * ramp(mouth.half_width - ax, -0.03, 0.0)
    # Inside of the cheeks, which a narrow mouth shows from the side.
    walls = ramp(-ellipsoid(mouth.cavity, ax, y, z), -0.014, -0.006)
    inner = jnp.maximum(inner, walls * ramp(behind, 0.030, 0.045))
    # Lashes and the fold of the upper lid.
    lid = curves.lids(eye, ax, y)
    along = hump(lid.u / (eye.half_width * 1.12))
    # Shut lashes hang below the line.
    hang = 0.006 * eye.closure
    lash = hump((lid.v - lid.upper + hang) * (125 - 68 * eye.closure))
    lash = jnp.minimum(1.6 * lash, 1) * jnp.minimum(2 * along, 1)
    lower_lash = hump((lid.v - lid.lower + 0.002) * 160) * along
    crease = hump((lid.v - lid.upper - 0.016) * 120) * along
    # The line between shut lids is dark on anyone.
    full = mix(looks.lashes, 0.95, eye.closure)
    ink = front * jnp.clip(lash * full + 0.35 * lower_lash * looks.lashes, 0, 0.95)
    dark = dark * (1 - 0.45 * eye.crease * crease * front * (1 - 0.9 * eye.closure))
    depth = ramp(behind, 0.015, 0.085)
    return _Masks(
        grain, red, spots, tired, whiskers, dark, hairs, red_lip, seam, inner, depth, ink, ear
    )


def _skin(looks, d, m):
    """Colour, gloss and region of skin: face, lips, brows, lashes, inside of the mouth, neck."""
    shade = (1 + 0.035 * m.grain - 0.10 * m.tired - 0.34 * m.spots) * m.dark
    color = (
        looks.skin[0] * shade * (1 - 0.05 * m.red),
        looks.skin[1] * shade * (1 - 0.42 * m.red - 0.05 * m.tired - 0.1 * m.spots),
        looks.skin[2] * shade * (1 - 0.42 * m.red - 0.02 * m.tired - 0.2 * m.spots),
    )
    color = blend(color, looks.whisker, m.whiskers)
    color = blend(color, looks.brow, 0.88 * m.hairs)
    lip_shade = 1 + 0.06 * m.grain
    color = blend(color, tuple(c * lip_shade for c in looks.lip), m.red_lip)
    color = tuple(c * (1 - a * m.seam) for c, a in zip(color, (0.60, 0.68, 0.68), strict=True))
    dim = 1 - 0.92 * m.depth
    flesh = (0.22 * dim, 0.055 * dim, 0.052 * dim)
    color = blend(color, flesh, m.inner)
    color = blend(color, tuple(0.2 * c for c in looks.brow), m.ink)
    region = jnp.where(m.ear > 0.5, int(Region.EAR), int(Region.SKIN))
    region = jnp.where(m.hairs > 0.5, int(Region.BROW), region)
    region = jnp.where(m.red_lip > 0.5, int(Region.LIPS), region)
    region = jnp.where(m.inner > 0.5, int(Region.MOUTH), region)
    is_neck = (d.neck < d.skin + 0.004) & (m.inner < 0.5)
    region = jnp.where(is_neck, int(Region.NECK), region)
    gloss = 0.16 + 0.14 * m.red_lip - 0.08 * m.whiskers - 0.12 * m.hairs
    gloss = gloss * (1 - 0.9 * m.inner)
    return color, gloss, region


def _eyeball(rig, looks, x, ax, y, z):
    """White, iris, pupil; the lid shades the top, the inner corner is pink."""
    e = rig.eye
    scale = 1 / e.radius
    side = jnp.where(x >= 0, 1.0, -1.0)
    nx, ny, nz = (ax - e.ball_x) * scale, (y - e.ball_y) * scale, (z - e.ball_z) * scale
    aside = nx - side * e.look_x
    apart = aside * aside + (ny - e.look_y) ** 2 + (nz - e.look_z) ** 2
    angle = jnp.sqrt(apart + 1e-9)
    iris = 1 - ramp(angle, _IRIS - 0.03, _IRIS + 0.03)
    ring = ramp(angle, 0.24, _IRIS)
    pupil = 1 - ramp(angle, _PUPIL - 0.03, _PUPIL + 0.03)
    rays = 1 + 0.25 * noise.wave(9 * aside / (angle + 0.05)) * (1 - ring)
    lid = curves.lids(e, ax, y)
    shadow = 0.55 + 0.45 * ramp(lid.upper - lid.v, -0.002, 0.016)
    pink = 1 - ramp(lid.u + e.half_width, 0.004, 0.018)
    white = ((0.86 - 0.2 * pink), (0.83 - 0.45 * pink), (0.81 - 0.45 * pink))
    level = (1.25 - 0.85 * ring) * rays * (1 - 0.94 * pupil)
    return tuple(mix(w, i * level, iris) * shadow for w, i in zip(white, looks.iris, strict=True))


def _teeth(rig, ax, y, z):
    """Enamel with gaps between teeth, darker toward the back; gums above the upper ones."""
    m = rig.mouth
    gaps = (0.0, 0.036, 0.063, 0.090)
    gap = sum(hump(jnp.clip((ax - g) * 320, -1, 1)) for g in gaps)
    back = ramp(ax, 0.03, 0.09)
    level = (1 - 0.55 * jnp.minimum(gap, 1)) * (1 - 0.55 * back)
    gum = ramp(y - m.rest_y, 0.030, 0.036)
    return blend((0.58 * level, 0.54 * level, 0.46 * level), (0.42, 0.13, 0.12), gum)


def _tongue(rig, ax, y, z):
    """Pink, with a furrow along the middle."""
    furrow = 1 - 0.35 * hump(jnp.clip(ax * 70, -1, 1))
    dim = furrow * (0.25 + 0.75 * ramp(z - rig.mouth.tongue.z, -0.02, 0.08))
    return 0.30 * dim, 0.090 * dim, 0.090 * dim


def _hair(rig, looks, x, y, z):
    """Strands lighter and darker."""
    locks = noise.locks(x, y, z, rig.hair.curl)
    strands = noise.soft(52 * x + 14 * z + 1.2 * locks) * noise.soft(37 * z + 5 * y + locks)
    level = jnp.maximum(1 + 0.34 * locks + 0.20 * strands, 0.3)
    return tuple(c * level for c in looks.hair)


def cloth(rig: Rig, looks: Look, x: jax.Array, y: jax.Array, z: jax.Array) -> tuple:
    """Returns the colour of the cloth: weave, and stripes where the pattern has some.

    Args:
      rig: of one instant.
      looks: of the person.
      x: [...] head frame, as y and z.
      y: [...].
      z: [...].
    """
    bx, by, bz = shape.to_body(rig, x, y, z)
    weave = 1 + 0.06 * noise.wave(80 * bx + 9 * by) * noise.wave(80 * by)
    worn = 1 + 0.10 * noise.bumps(5 * bx, 5 * by, 5 * bz)
    stripe = ramp(noise.wave(11 * by), 0.15, 0.35)
    return tuple(
        mix(c, s, stripe) * weave * worn for c, s in zip(looks.cloth, looks.stripe, strict=True)
    )


def bare(looks: Look, x: jax.Array, y: jax.Array, z: jax.Array) -> tuple:
    """Returns the colour of skin far from everything in the face: of the neck.

    Args:
      looks: of the person.
      x: [...] head frame, as y and z.
      y: [...].
      z: [...].
    """
    shade = 1 + 0.035 * noise.bumps(61 * x, 61 * y, 61 * z)
    red = looks.blood * (0.15 + 0.25 * noise.bumps(9 * x + 3, 9 * y, 9 * z))
    rates = (0.05, 0.42, 0.42)
    return tuple(c * shade * (1 - rate * red) for c, rate in zip(looks.skin, rates, strict=True))
