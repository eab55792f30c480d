"""The rig: where every part of the head is at one instant, and the frames in which that is told.

`Rig` holds nothing but numbers [], all that change from frame to frame or person to person.
`muscles` makes it; `shape`, `skin` and `landmarks` read it and know neither identity nor controls.

Head frame: lengths in head heights (chin to crown = 1 of an average head), x to the image right of
a face that looks at the camera, y up, z out of the face; the origin lies mid-head at the height of
the eyes. Paired parts are given for x > 0. The body's frame is the head's at rest, and both are the
world's but for `METERS`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from emojax.puppet.controls import Controls
from emojax.puppet.primitives import Ball, Rod

METERS = 0.23  # one head height: Farkas 1994, 22 to 24 cm between chin and crown

PIVOT = (-0.32, -0.12)  # y, z of the joint about which the head turns


class Face(NamedTuple):
    """Bodies of skull and soft tissue."""

    cranium: Ball
    face: Ball
    jaw: Ball
    chin: Ball
    cheek: Ball
    muzzle: Ball
    socket: Ball
    ridge: Rod
    bridge: Rod
    tip: Ball
    wing: Ball
    nostril: Ball
    ear: Ball
    concha: Ball
    lean: jax.Array  # x of the mid-line rises by lean * y


class Eye(NamedTuple):
    """An eye: ball, the opening of the lids about (x, y), gaze."""

    ball_x: jax.Array
    ball_y: jax.Array
    ball_z: jax.Array
    radius: jax.Array
    x: jax.Array
    y: jax.Array
    half_width: jax.Array
    tilt: jax.Array  # slope of the line through the corners, outer one up
    upper: jax.Array  # height of the open upper lid's arc
    lower: jax.Array
    closure: jax.Array  # 0 open to 1 shut
    crease: jax.Array  # depth of the upper lid's fold
    look_x: jax.Array  # gaze, a unit vector; x to the image right for both eyes
    look_y: jax.Array
    look_z: jax.Array


class Brow(NamedTuple):
    """A brow: y = inner (1 - s)^2 + 2 middle s (1 - s) + outer s^2, s = 0 to 1 from x0 to x1."""

    x0: jax.Array
    x1: jax.Array
    inner: jax.Array
    middle: jax.Array
    outer: jax.Array
    thickness: jax.Array
    lift: jax.Array  # mean rise above rest


class Mouth(NamedTuple):
    """Lips along curves of s = x / half_width, and what is behind them."""

    y: jax.Array
    z: jax.Array
    bend: jax.Array  # the lips' front is z - bend x^2
    half_width: jax.Array
    lift: jax.Array  # of the corners above the middle
    open_up: jax.Array
    open_low: jax.Array
    upper: jax.Array  # height of the upper lip's red
    lower: jax.Array
    cupid: jax.Array
    round: jax.Array  # 0 almond to 1 round opening
    tight: jax.Array  # 0 to 1, lips rolled in
    drop: jax.Array  # of the lower teeth
    retreat: jax.Array  # z of the lower teeth against shut jaws, 0 or below
    low_shift: jax.Array  # z of the lower lip's front against the upper one's
    cavity: Ball
    tongue: Ball
    teeth_z: jax.Array
    rest_y: jax.Array  # of the seam with the jaw shut: the teeth's height


class Folds(NamedTuple):
    """How deep folds of the skin are, 0 to 1."""

    brow_inner: jax.Array
    brow_outer: jax.Array
    frown: jax.Array
    crow: jax.Array
    bag: jax.Array
    nose: jax.Array
    smile: jax.Array
    dimple: jax.Array
    chin: jax.Array
    wing_x: jax.Array  # start of the fold from nose to mouth
    wing_y: jax.Array


class Body(NamedTuple):
    """Where the body is, seen from the head, and what it wears."""

    rotation: tuple  # 9 numbers: body = rotation head + shift
    shift: tuple  # 3 numbers
    neck: Rod  # head frame, not mirrored
    trapezius: Rod  # body frame, as all that follow
    chest: Ball
    arm: Rod
    neckline: jax.Array


class Hair(NamedTuple):
    """The cut of the hair."""

    front: jax.Array  # y of the hairline over the forehead
    thickness: jax.Array
    sides: jax.Array  # thickness at the sides, share of that on top
    parting: jax.Array  # depth of the parting, share of the thickness
    fall: Rod  # long hair
    curl: jax.Array
    recede: jax.Array
    beard: jax.Array


class Rig(NamedTuple):
    """A head at one instant."""

    face: Face
    eye: Eye
    brow: Brow
    mouth: Mouth
    folds: Folds
    hair: Hair
    body: Body


def rotation_matrix(rotation: jax.Array) -> jax.Array:
    """Returns the matrix of pitch, yaw and roll, world from head, [3, 3].

    Args:
      rotation: [3] radians, as `Controls.rotation`.
    """
    pitch, yaw, roll = rotation[0], rotation[1], rotation[2]
    cx, sx = jnp.cos(pitch), jnp.sin(pitch)
    cy, sy = jnp.cos(yaw), jnp.sin(yaw)
    cz, sz = jnp.cos(roll), jnp.sin(roll)
    one, zero = jnp.ones_like(cx), jnp.zeros_like(cx)
    about_x = jnp.array([[one, zero, zero], [zero, cx, -sx], [zero, sx, cx]])
    about_y = jnp.array([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]])
    about_z = jnp.array([[cz, -sz, zero], [sz, cz, zero], [zero, zero, one]])
    return jnp.matmul(
        about_y, jnp.matmul(about_x, about_z, precision="highest"), precision="highest"
    )


def head_to_world(controls: Controls) -> jax.Array:
    """Returns the rigid transform from the head frame, in metres, to the world, [4, 4].

    Args:
      controls: of one instant.
    """
    turn = rotation_matrix(controls.rotation)
    pivot = METERS * jnp.array([0.0, *PIVOT])
    shift = pivot - jnp.matmul(turn, pivot, precision="highest") + controls.translation
    top = jnp.concatenate([turn, shift[:, None]], axis=-1)
    return jnp.concatenate([top, jnp.array([[0.0, 0.0, 0.0, 1.0]])])
