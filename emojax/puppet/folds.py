"""Wrinkles and folds of the skin: relief and darkening that come with the muscles.

Every fold is a valley along a closed-form curve of the head frame's (|x|, y); `Folds` of the rig
says how deep it is. The same function shapes the surface (`relief`) and tints it (`crease`): what
is too fine for the light to show at 128 pixels is still seen.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emojax.puppet import curves
from emojax.puppet.primitives import hump, ramp
from emojax.puppet.rig import Rig

_FOREHEAD_PITCH = 0.040  # between lines of the forehead
_CROW_PITCH = 0.42  # slope between the lines of crow's feet
_CHIN_PITCH = 0.026


def _valley(t: jax.Array, share: float) -> jax.Array:
    """A valley of width `share` in every period of t: 1 at integers, 0 between."""
    return hump((t - jnp.floor(t + 0.5)) * (2 / share))


def folds(rig: Rig, x: jax.Array, y: jax.Array, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns how far folds lift the skin, and how deep in a crease a point lies.

    Args:
      rig: of one instant.
      x: [...] >= 0, head frame, as y and z.
      y: [...].
      z: [...].

    Returns:
      relief [...], head heights outward; crease [...], 0 to 1.
    """
    f, mouth, eye, brow = rig.folds, rig.mouth, rig.eye, rig.brow
    # Forehead: lines above the brow, in the middle with AU 1, at the sides with AU 2.
    top = y - brow.lift * 0.6
    across = hump(x * 6.2) * f.brow_inner + hump((x - 0.165) * 7.5) * f.brow_outer
    height = hump((top - 0.205) * 11.5)
    lines = _valley((top + 0.35 * x * x) / _FOREHEAD_PITCH, 0.62) * height * across
    # Between the brows: two upright lines and the bulge of flesh beside them.
    between = hump((y - 0.085 - brow.inner * 0.2) * 15)
    frown = hump((x - 0.021) * 90) * between * f.frown
    bulge = hump((x - 0.046) * 34) * hump((y - brow.inner) * 22) * f.frown
    # Bridge of the nose, wrinkled obliquely.
    nose = _valley((y - 0.7 * x) / 0.030, 0.7) * hump((y + 0.005) * 17) * hump((x - 0.030) * 26)
    nose = nose * f.nose
    # Crow's feet: rays from behind the outer corner.
    dx, dy = x - (eye.x + eye.half_width + 0.006), y - 0.006
    slope = dy / jnp.maximum(dx + 0.030, 0.010)
    fan = hump((dx - 0.028) * 28) * hump(slope * 0.85)
    crow = _valley(slope / _CROW_PITCH, 0.55) * fan * f.crow
    # Under the eye: the lower edge of the ring muscle.
    u, v = (x - eye.x) / 0.075, y + 0.050 + 0.006 * f.bag
    bag = hump((v - 0.016 * u * u) * 85) * hump(u) * f.bag
    pouch = hump((v - 0.016 - 0.014 * u * u) * 60) * hump(u) * f.bag
    # From the wing of the nose around the corner of the mouth.
    end_x, end_y = mouth.half_width + 0.026, mouth.y + mouth.lift - 0.018
    s = (f.wing_y - y) / (f.wing_y - end_y)
    inside = ramp(s, -0.10, 0.15) * (1 - ramp(s, 0.75, 1.20))
    off = x - (f.wing_x + (end_x - f.wing_x) * s * (1.30 - 0.30 * s))
    smile = hump(off * 44) * inside * f.smile
    cheek = hump((off - 0.036) * 24) * inside * f.smile
    # Pit beside the corner of the mouth.
    pit_x, pit_y = x - mouth.half_width - 0.020, y - mouth.y - mouth.lift
    dimple = hump(jnp.minimum(pit_x * pit_x + pit_y * pit_y, 1e-3) * 1200) * f.dimple
    # Chin: orange peel under AU 17, and the furrow below the lip.
    cx, cy = x / _CHIN_PITCH, (y + 0.405) / _CHIN_PITCH
    peel = (_valley(cx + 0.37 * cy, 0.9) + _valley(cy - 0.31 * cx, 0.9)) * 0.5
    peel = peel * hump(x * 11) * hump((y + 0.400) * 13) * f.chin
    lip = curves.lips(mouth, x)
    furrow = hump((y - lip.lower_outer + 0.020) * 42) * hump(x * 10) * (0.05 + 0.95 * f.chin)
    # Gutter from nose to lip.
    gutter = hump(x * 65) * hump((y - 0.5 * (f.wing_y - 0.03 + lip.upper_outer)) * 26)
    front = ramp(z, 0.02, 0.10)
    relief = (
        -0.0050 * lines
        - 0.0060 * frown
        + 0.0050 * bulge
        - 0.0035 * nose
        - 0.0030 * crow
        - 0.0030 * bag
        + 0.0035 * pouch
        - 0.0045 * smile
        + 0.0050 * cheek
        - 0.0085 * dimple
        - 0.0035 * peel
        - 0.0040 * furrow
        - 0.0035 * gutter
    )
    crease = (
        0.55 * lines
        + 0.70 * frown
        + 0.5 * nose
        + 0.45 * crow
        + 0.35 * bag
        + 0.22 * smile
        + 0.45 * dimple
        + 0.40 * peel
        + 0.25 * furrow
    )
    return front * relief, front * jnp.minimum(crease, 1)
