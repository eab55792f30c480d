"""What muscles and bones do: (identity, controls) -> the rig.

Lengths are head heights of the head frame (`emojax.puppet.rig`). The sizes of the actions are ours,
fitted by eye and with an independent landmark detector; which way every unit moves what is FACS
(Ekman, Friesen 1978). Shorthands: `i` an identity, `a` levels 0 to 1 by number of action unit.
"""

from __future__ import annotations

import jax.numpy as jnp

from emojax.puppet import controls as controls_lib
from emojax.puppet import outfit
from emojax.puppet.controls import Controls
from emojax.puppet.identity import Identity
from emojax.puppet.primitives import Ball, Rod
from emojax.puppet.rig import Brow, Eye, Face, Folds, Mouth, Rig

HINGE = (-0.12, -0.02)  # y, z of the jaw's axis, before the ear
JAW_ANGLE = 0.24  # radians at AU 26 = 5


def pose(identity: Identity, controls: Controls) -> Rig:
    """Returns where every part of the head is.

    Args:
      identity: one person.
      controls: of one instant.
    """
    i = identity
    level = jnp.clip(controls.action_units / controls_lib.MAX_INTENSITY, 0, 1)
    a = {number: level[k] for k, number in enumerate(controls_lib.ACTION_UNITS)}
    pucker, press, bite = (
        jnp.clip(v, 0, 1) for v in (controls.pucker, controls.press, controls.bite)
    )
    angle = JAW_ANGLE * a[26]
    sin, cos = jnp.sin(angle), jnp.cos(angle)

    def hang(y, z):
        """A point (y, z) of the jaw, turned about its hinge."""
        y, z = y - HINGE[0], z - HINGE[1]
        return HINGE[0] + cos * y - sin * z, HINGE[1] + cos * z + sin * y

    width = 1 + 0.06 * i.face_width
    mouth_y = -0.300 + 0.010 * i.mouth_height - 0.006 * i.nose_length
    mouth = _mouth(i, a, pucker, press, bite, controls.tongue, mouth_y, hang)
    eye = _eye(i, a, controls.gaze)
    brow = _brow(i, a)
    face = _face(i, a, pucker, width, mouth, brow, eye, hang)
    lined = 0.05 + 0.55 * i.age
    folds = Folds(
        brow_inner=jnp.clip(a[1] + 0.25 * a[2] + 0.35 * lined * i.age, 0, 1),
        brow_outer=jnp.clip(a[2] + 0.25 * i.age * lined, 0, 1),
        frown=jnp.clip(a[4] + 0.25 * a[9] + 0.3 * i.age * lined, 0, 1),
        crow=jnp.clip(a[6] + 0.25 * a[12] + 0.3 * i.age * lined, 0, 1),
        bag=jnp.clip(0.8 * a[6] + 0.25 * a[7] + 0.5 * i.age * lined, 0, 1),
        nose=jnp.clip(a[9] + 0.15 * a[10], 0, 1),
        smile=jnp.clip(
            0.22 + a[12] + 0.6 * a[9] + 0.6 * a[10] + 0.3 * a[6] + lined * i.age, 0, 1.3
        ),
        dimple=a[14] + 0.25 * a[12],
        chin=a[17],
        wing_x=face.wing.x + face.wing.rx + 0.006,
        wing_y=face.wing.y + 0.012,
    )
    return Rig(face, eye, brow, mouth, folds, outfit.hair(i), outfit.body(i, controls))


def _mouth(i, a, pucker, press, bite, tongue, mouth_y, hang) -> Mouth:
    """Lips, cavity and tongue."""
    rest = jnp.float32(mouth_y)
    jaw_y, jaw_z = hang(rest, jnp.float32(0.318))
    drop, retreat = rest - jaw_y, jaw_z - 0.318
    free = 1 - press
    part = a[25]
    open_low = (0.024 * part + drop + 0.004 * a[26]) * free * (1 - bite)
    # Of speech alone, whatever is felt: a raised upper lip (10) takes the lower one along.
    open_up = (0.009 * part + 0.004 * a[26]) * free
    open_up = jnp.maximum(open_up, 0.013 * bite * free)
    half = 0.112 * (1 + 0.13 * i.mouth_width)
    spread = 1 + 0.17 * a[12] + 0.19 * a[20] + 0.03 * a[14] - 0.07 * a[23] - 0.03 * a[15]
    half = half * spread * (1 - 0.36 * pucker) * (1 - 0.10 * a[26] * part * (1 - 0.6 * a[12]))
    # Shut lips follow a jaw that drops a little; the corners follow an open one.
    y = (
        rest
        - 0.25 * drop * (press + (1 - press) * 0.1)
        + 0.008 * a[17]
        + 0.004 * a[10]
        + 0.004 * a[9]
    )
    lift = 0.007 + 0.036 * a[12] - 0.032 * a[15] - 0.008 * a[20] + 0.004 * a[14] - 0.22 * open_low
    thin = (1 - 0.45 * press) * (1 - 0.42 * a[23]) * (1 - 0.16 * a[12]) * (1 - 0.25 * a[20])
    full = 1 + 0.18 * pucker
    upper = 0.031 * (1 + 0.32 * i.upper_lip) * thin * full * (1 - 0.12 * a[10])
    lower = 0.041 * (1 + 0.28 * i.lower_lip) * thin * full * (1 + 0.12 * a[17]) * (1 - 0.35 * bite)
    forward = 0.034 * pucker - 0.008 * a[12] - 0.006 * press - 0.006 * a[20]
    z = 0.328 + forward
    tongue_y, tongue_z = hang(rest - 0.056, jnp.float32(0.165))
    cavity = Ball(
        jnp.float32(0.0),
        rest - 0.5 * drop,
        jnp.float32(0.185),
        jnp.float32(0.105),
        0.055 + 0.55 * drop,
        jnp.float32(0.11),
    )
    return Mouth(
        y=y,
        z=z,
        bend=1.9 + 1.6 * pucker,
        half_width=half,
        lift=lift,
        open_up=open_up,
        open_low=open_low,
        upper=upper,
        lower=lower,
        cupid=0.22 + 0.14 * i.cupid_bow,
        round=jnp.clip(pucker + 0.4 * a[26], 0, 1),
        tight=jnp.clip(0.7 * press + 0.6 * a[23] + 0.3 * bite, 0, 1),
        drop=drop,
        retreat=retreat,
        low_shift=0.9 * retreat * free * (1 - bite) - 0.014 * bite + 0.006 * a[17],
        cavity=cavity,
        tongue=Ball(
            jnp.float32(0.0),
            # The tip comes between the teeth, under the edge of the upper ones.
            tongue_y + (0.018 + 0.6 * drop) * tongue,
            tongue_z + 0.052 * tongue,
            0.070 - 0.012 * tongue,
            jnp.float32(0.030),
            jnp.float32(0.085),
        ),
        teeth_z=jnp.float32(0.293),
        rest_y=rest,
    )


def _eye(i, a, gaze) -> Eye:
    """The eye and its lids."""
    spread = 0.010 * i.eye_spacing
    closure = jnp.clip(a[45] + 0.16 * a[7] * (1 - a[45]) - 0.06 * a[5] * (1 - a[45]), 0, 1)
    openness = 1.08 + 0.20 * i.eye_size
    # The upper lid follows the gaze; tightened lids narrow from below.
    upper = 0.0255 * openness + 0.013 * a[5] + 0.030 * jnp.clip(gaze[1], -0.5, 0.4)
    upper = upper - 0.004 * a[4] - 0.004 * a[12] - 0.003 * a[6]
    lower = 0.0165 * openness * (1 - 0.50 * a[7] - 0.40 * a[6] - 0.12 * a[12] - 0.2 * a[9])
    ca, sa = jnp.cos(gaze[0]), jnp.sin(gaze[0])
    cb, sb = jnp.cos(gaze[1]), jnp.sin(gaze[1])
    return Eye(
        ball_x=0.136 + spread,
        ball_y=jnp.float32(0.0),
        ball_z=jnp.float32(0.180),
        radius=jnp.float32(0.072),
        x=0.141 + spread,
        y=jnp.float32(0.0),
        half_width=0.059 * (1 + 0.09 * i.eye_width),
        tilt=0.06 + 0.09 * i.eye_tilt,
        upper=upper,
        lower=lower * (1 - 0.35 * a[45]) + 0.0,
        closure=closure,
        crease=0.35 + 0.35 * i.lid_crease,
        look_x=cb * sa,
        look_y=sb,
        look_z=cb * ca,
    )


def _brow(i, a) -> Brow:
    """The brow's curve; frowning draws the inner ends down and together."""
    base = 0.006 * i.brow_height
    inner = 0.042 * a[1] + 0.010 * a[2] - 0.034 * a[4] - 0.012 * a[9]
    middle = 0.020 * a[1] + 0.046 * a[2] - 0.022 * a[4] - 0.006 * a[9] - 0.006 * a[6]
    outer = 0.036 * a[2] - 0.010 * a[4] - 0.004 * a[6]
    return Brow(
        x0=0.050 - 0.014 * a[4] - 0.006 * a[9] + 0.004 * i.eye_spacing,
        x1=0.232 + 0.008 * i.eye_spacing,
        inner=0.078 + base + inner,
        middle=0.118 + base + 0.020 * i.brow_arch + middle,
        outer=0.064 + base + 0.014 * i.brow_tilt + outer,
        thickness=0.0125 * (1 + 0.38 * i.brow_thickness),
        lift=(inner + middle + outer) / 3,
    )


def _face(i, a, pucker, width, mouth, brow, eye, hang) -> Face:
    """Skull and soft tissue."""
    f = jnp.float32
    jaw_y, jaw_z = hang(-0.24, 0.05)
    chin_y, chin_z = hang(-0.405 - 0.020 * i.chin_length, 0.200 + 0.022 * i.chin_forward)
    chin_y = chin_y + 0.014 * a[17]
    raised = a[6] + 0.55 * a[12] + 0.3 * a[9]
    nose_y = -0.165 - 0.014 * i.nose_length + 0.010 * a[9] + 0.004 * i.nose_tip
    tip_z = 0.350 + 0.012 * i.nose_bridge - 0.006 * i.nose_width
    wing_y = nose_y - 0.012 + 0.014 * a[9] + 0.007 * a[10]
    wing_x = 0.047 * (1 + 0.16 * i.nose_width) + 0.004 * a[9] + 0.005 * a[12]
    ridge_in, ridge_out = brow.inner + 0.002, 0.35 * brow.middle + 0.65 * brow.outer + 0.005
    ridge = 0.010 * i.brow_ridge
    return Face(
        cranium=Ball(
            f(0.0),
            0.12 + 0.010 * i.skull_height,
            f(-0.10),
            0.325 * width,
            0.385 + 0.020 * i.skull_height,
            0.42 + 0.012 * i.forehead,
        ),
        face=Ball(f(0.0), f(-0.08), 0.030 - 0.012 * i.face_depth, 0.280 * width, f(0.36), f(0.285)),
        jaw=Ball(
            0.108 * width * (1 + 0.20 * i.jaw_width),
            jaw_y,
            jaw_z,
            0.140 * (1 + 0.06 * i.jaw_width),
            0.170 * (1 + 0.05 * i.jaw_width),
            f(0.19),
        ),
        chin=Ball(f(0.0), chin_y, chin_z, 0.112 * (1 + 0.22 * i.chin_width), f(0.092), f(0.085)),
        cheek=Ball(
            0.165 * width + 0.006 * raised,
            -0.095 + 0.012 * i.cheek_bone + 0.030 * raised,
            0.165 + 0.014 * i.cheek_bone + 0.016 * raised,
            0.095 + 0.010 * i.cheek_fat,
            0.085 + 0.014 * i.cheek_fat,
            0.090 + 0.012 * i.cheek_fat,
        ),
        muzzle=Ball(
            f(0.0),
            mouth.rest_y - 0.35 * mouth.drop,
            0.180 + 0.018 * pucker,
            0.160 + 0.25 * (mouth.half_width - 0.112),
            0.120 + 0.35 * mouth.drop,
            f(0.125),
        ),
        socket=Ball(eye.x, eye.y + 0.010, f(0.320), f(0.085), f(0.052), f(0.020)),
        ridge=Rod(
            f(0.02),
            ridge_in,
            0.247 + ridge,
            f(0.20),
            ridge_out,
            0.163 + 0.6 * ridge,
            f(0.043),
            f(0.040),
        ),
        bridge=Rod(
            f(0.0),
            f(0.055),
            0.272 + 0.014 * i.nose_bridge,
            f(0.0),
            nose_y - 0.004,
            tip_z - 0.004,
            0.024 + 0.004 * i.nose_width,
            0.033 + 0.005 * i.nose_width,
        ),
        tip=Ball(
            f(0.0),
            nose_y + 0.006 * i.nose_tip,
            tip_z,
            0.040 + 0.006 * i.nose_width,
            f(0.038),
            f(0.043),
        ),
        wing=Ball(wing_x, wing_y, f(0.310), 0.026 + 0.004 * i.nose_width, f(0.026), f(0.040)),
        nostril=Ball(
            0.028 * (1 + 0.2 * i.nose_width),
            wing_y - 0.030 + 0.006 * i.nose_tip,
            f(0.340),
            0.013 * (1 + 0.25 * i.nose_width),
            f(0.013),
            f(0.018),
        ),
        ear=Ball(
            0.325 * width, f(-0.045), f(-0.075), f(0.030), 0.105 * (1 + 0.14 * i.ear_size), f(0.060)
        ),
        concha=Ball(0.362 * width, f(-0.055), f(-0.045), f(0.028), f(0.062), f(0.040)),
        lean=0.018 * i.lean,
    )
