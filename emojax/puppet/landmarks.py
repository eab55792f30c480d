"""The 68 landmarks of the puppet (dlib, iBUG 300-W order), from its own curves.

Lips, lids and brows are closed-form curves, so their landmarks are points of these; depth comes
from one ray against the surface. The contour runs along the jaw, where the head is widest in rays
from the side; it turns with the head and is no silhouette.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from emojax.puppet import curves, muscles, raycast, rig, shape
from emojax.puppet.controls import Controls
from emojax.puppet.identity import Identity
from emojax.puppet.rig import METERS, Rig
from emojax.types import Camera

# Positions along a brow, from the inner to the outer end, of a detector's five points.
_BROW_S = (0.03, 0.27, 0.52, 0.77, 0.98)
_BROW_RISE = 0.35  # they lie above the middle, by this share of half the thickness
# Lids: u of the two upper and lower points, share of the half width.
_LID_U = 0.42
# Lips: s of the outer edge's points between corner and middle, and of the inner edge's.
_OUTER_S = (0.60, 0.25)
_INNER_S, _INNER_CORNER = 0.27, 0.90
_OFF_LID, _OFF_LIP = 0.003, 0.006  # rays for depth start this far beside an opening's edge
_RIM = 0.02  # metres in front of a landmark in which the surface itself may lie
# Contour: heights of points 0 to 8 and angle of their rays off the front, radians.
_CONTOUR_Y = (-0.01, -0.09, -0.17, -0.25, -0.32, -0.375, -0.42, -0.455)
_CONTOUR_ANGLE = (1.50, 1.48, 1.46, 1.42, 1.32, 1.12, 0.80, 0.40)


@struct.dataclass
class Landmarks:
    """The landmarks of one picture.

    Attributes:
      points: [68, 2] pixels (u, v) of `emojax.types.Camera`, whose first pixel has its centre at
        (0.5, 0.5). Detectors that call it 0 read 0.5 less.
      positions: [68, 3] metres, world.
      visible: [68] bool, nothing of the puppet lies between landmark and camera.
    """

    points: jax.Array
    positions: jax.Array
    visible: jax.Array


@jax.jit
def landmarks(identity: Identity, controls: Controls, camera: Camera) -> Landmarks:
    """Returns the landmarks of what `picture.draw` shows.

    Args:
      identity: one person.
      controls: of one instant.
      camera: outside of the puppet.
    """
    posed = muscles.pose(identity, controls)
    local = head_points(posed)
    pose = rig.head_to_world(controls)
    world = jnp.einsum("ij,nj->ni", pose[:3, :3], METERS * local, precision="highest")
    world = world + pose[:3, 3]
    rotation, shift = camera.world_to_camera[:3, :3], camera.world_to_camera[:3, 3]
    seen = jnp.einsum("ij,nj->ni", rotation, world, precision="highest") + shift
    points = camera.focal * seen[:, :2] / seen[:, 2:] + camera.principal
    center = -jnp.matmul(rotation.T, shift, precision="highest")
    origin = jnp.matmul(pose[:3, :3].T, center - pose[:3, 3], precision="highest") / METERS
    away = local - origin
    reach = jnp.linalg.norm(away, axis=-1)
    direction = away / reach[:, None]
    start = jnp.maximum(reach - 1.0, 0.0)
    distance, _ = raycast.march(
        posed,
        tuple(origin[k] for k in range(3)),
        tuple(direction[:, k] for k in range(3)),
        start,
        reach + 1.0,
        cone=0.5 / camera.focal[0],
    )
    return Landmarks(points, world, distance * METERS > reach * METERS - _RIM)


def head_points(posed: Rig) -> jax.Array:
    """Returns the landmarks in the head frame, head heights, [68, 3].

    Args:
      posed: rig of one instant.
    """
    flat = _flat(posed)
    origin, direction, ahead = _rays(posed, flat)
    field = functools.partial(_skin, posed)
    t = jnp.zeros(flat.shape[0])

    def step(_, t):
        p = origin + t[:, None] * direction
        return t + 0.85 * field(p[:, 0], p[:, 1], p[:, 2])

    t = jax.lax.fori_loop(0, 70, step, t)
    found = origin + t[:, None] * direction
    # Where depth was asked beside an edge, the landmark keeps its own place on the curve.
    return jnp.where(ahead[:, None], jnp.concatenate([flat, found[:, 2:]], axis=-1), found)


def _skin(posed: Rig, x, y, z):
    """Distance to face and neck alone: no hair in front of them."""
    return shape.distances(posed, x, y, z, fine=True).skin


def _flat(posed: Rig) -> jax.Array:
    """(x, y) of all landmarks, of the contour too, whose x is yet unknown (0); [68, 2]."""
    half = {}  # of the half with x > 0, in the order from the mid-line outward
    brow, eye, mouth, face = posed.brow, posed.eye, posed.mouth, posed.face
    s = jnp.array(_BROW_S)
    rise = _BROW_RISE * curves.brow_half(brow, s)
    half["brow"] = brow.x0 + s * (brow.x1 - brow.x0), curves.brow_height(brow, s) + rise
    u = eye.half_width * jnp.array([-1.0, -_LID_U, _LID_U, 1.0])
    upper, lower = curves.lid_heights(eye, u)
    half["upper"], half["lower"] = curves.eye_point(eye, u, upper), curves.eye_point(eye, u, lower)
    bridge = jnp.linspace(0.020, face.tip.y, 4)
    base = face.wing.y - 0.028
    nose_x = jnp.stack([0 * face.wing.x, 0.52 * face.wing.x, face.wing.x + 0.2 * face.wing.rx])
    nose_y = base + jnp.array([-0.006, 0.000, 0.010])
    corner = mouth.half_width * _INNER_CORNER
    x = mouth.half_width * jnp.array([0.0, *_OUTER_S[::-1], 1.0])
    outer = curves.lips(mouth, x)
    inner_x = jnp.stack([0 * corner, mouth.half_width * _INNER_S, corner])
    inner = curves.lips(mouth, inner_x)
    middle = 0.5 * (inner.upper_inner + inner.lower_inner)

    points = [None] * 68
    for k in range(9):  # contour: found by rays from the side
        y = _CONTOUR_Y[k] if k < 8 else -0.5
        points[k] = points[16 - k] = (jnp.float32(0), jnp.float32(y))
    for k in range(5):
        points[22 + k] = (half["brow"][0][k], half["brow"][1][k])
        points[21 - k] = (-half["brow"][0][k], half["brow"][1][k])
    for k in range(4):
        points[27 + k] = (jnp.float32(0), bridge[k])
    for k in range(3):
        points[33 + k], points[33 - k] = (nose_x[k], nose_y[k]), (-nose_x[k], nose_y[k])
    for left, right, (xs, ys), k in (
        (42, 39, half["upper"], 0),
        (43, 38, half["upper"], 1),
        (44, 37, half["upper"], 2),
        (45, 36, half["upper"], 3),
        (46, 41, half["lower"], 2),
        (47, 40, half["lower"], 1),
    ):
        points[left], points[right] = (xs[k], ys[k]), (-xs[k], ys[k])
    for k in range(4):
        points[51 + k], points[51 - k] = (x[k], outer.upper_outer[k]), (-x[k], outer.upper_outer[k])
    for k in range(3):
        points[57 - k], points[57 + k] = (x[k], outer.lower_outer[k]), (-x[k], outer.lower_outer[k])
    points[64], points[60] = (corner, middle[2]), (-corner, middle[2])
    for k in range(2):
        points[62 + k], points[62 - k] = (
            (inner_x[k], inner.upper_inner[k]),
            (-inner_x[k], inner.upper_inner[k]),
        )
        points[66 - k], points[66 + k] = (
            (inner_x[k], inner.lower_inner[k]),
            (-inner_x[k], inner.lower_inner[k]),
        )
    flat = jnp.stack([jnp.stack(point) for point in points])
    # Curves live in the straightened face.
    return flat.at[:, 0].add(-face.lean * flat[:, 1])


def _rays(posed: Rig, flat: jax.Array) -> tuple[jax.Array, jax.Array, np.ndarray]:
    """Origins and directions [68, 3] of the rays for depth, and which landmarks keep (x, y)."""
    off = np.zeros((68, 2), np.float32)
    off[[37, 38, 43, 44], 1], off[[40, 41, 46, 47], 1] = _OFF_LID, -_OFF_LID
    off[[36, 39, 42, 45], 0] = np.array([-1, 1, -1, 1]) * _OFF_LID
    off[61:64, 1], off[65:68, 1] = _OFF_LIP, -_OFF_LIP
    off[[60, 64], 1] = _OFF_LIP
    origin = jnp.concatenate([flat + off, jnp.full((68, 1), 0.7)], axis=-1)
    direction = np.tile(np.float32([0, 0, -1]), (68, 1))
    ahead = np.ones(68, bool)
    ahead[:17] = False
    # Contour: points follow the jaw; rays come from the side toward the head's axis.
    chin = posed.face.chin
    shift = chin.y - (-0.405)
    share = np.clip((-np.array(_CONTOUR_Y) - 0.12) / 0.36, 0, 1)
    for k in range(8):
        y = _CONTOUR_Y[k] + share[k] * shift
        side = np.array([np.sin(_CONTOUR_ANGLE[k]), 0, np.cos(_CONTOUR_ANGLE[k])])
        for point, sign in ((k, -1.0), (16 - k, 1.0)):
            toward = -side * [sign, 1, 1]
            start = -0.9 * toward + [0, 0, -0.02]
            direction[point] = toward
            origin = origin.at[point].set(jnp.array([start[0], 0.0, start[2]]).at[1].set(y))
    # The chin's lowest point, seen from below and in front.
    direction[8] = np.array([0, 0.8, -0.6])
    tip = jnp.stack([0 * chin.y, chin.y - 0.02, chin.z + 0.02])
    origin = origin.at[8].set(tip - 0.5 * jnp.array(direction[8]))
    return origin, jnp.array(direction), ahead
