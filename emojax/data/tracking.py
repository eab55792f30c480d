"""Head pose of every frame by bundle adjustment of 68 landmarks: no face model, one person's shape.

Landmark i in frame t is seen at the projection of R_t (S_i + sum_k c_tk B_ki) + T_t: a shape S and
expression directions B shared by the whole clip, a pose and K coefficients per frame. B is zero on
the points that speech does not move (`EXPRESSIVE`), so that an opening jaw is not taken for a nod.
The focal length is *not* searched: on talking heads the error is flat in it to 2 %, and left free
it drifts to a head 0.3 m away. S stays within 1 mm of a mean shape, because a looser one trades
depth of the face against the size of the rotations (bas-relief ambiguity).

The pose is parametrised by a rotation vector (of R_t after the flip from y up, z out to OpenCV's
axes), by p (pixels, where the origin is seen) and by s (millimetres per pixel at the origin): T = s
(p_x, p_y, f). Picture position and size are then independent of f and Adam is well conditioned.

Results are in the world frame of `emojax.types`: metres, the head at rest, x to the image right, y
up, z out of the face; the origin lies `ORIGIN_DEPTH` behind the middle of the outer eye corners,
which are 90 mm apart by definition.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from emojax.data import face68
from emojax.data.errors import DataError
from emojax.opencv import cv2

# A webcam's or a news camera's focal length, as a share of the width of a portrait square.
FOCAL_OVER_WIDTH = 1200 / 512
ORIGIN_DEPTH = 50.0  # mm; puts hair, ears and nose into a box of 0.15 m around the origin
NUM_DIRECTIONS = 8  # 4 suffice for the pose, 8 for the course of mouth and brows

EXPRESSIVE = np.array(
    [i not in (*face68.RIGID, 0, 1, 2, 14, 15, 16) for i in range(face68.NUM_POINTS)]
)

# Trust in each landmark: standard deviation, pixels at 512.
_SIGMA = np.ones(face68.NUM_POINTS)
_SIGMA[list(face68.CONTOUR)] = 4.0
_SIGMA[list(face68.BROWS)] = 2.0
_SIGMA[list(face68.LIDS + face68.LIPS)] = 1.5

HUBER = 2.0  # sigmas
SHAPE_SIGMA, MIRROR_SIGMA, DIRECTION_SIGMA, SCALE_SIGMA = 1.0, 3.0, 8.0, 0.1  # mm
# Second differences in time: how far a head's motion departs from a straight course in 40 ms.
ROTATION_SIGMA, POSITION_SIGMA, DISTANCE_SIGMA, COEFFICIENT_SIGMA = 0.003, 3.0, 0.001, 0.5
NUM_STEPS, STEPS_PER_CALL = 2500, 100
LEARNING_RATE, LAST_LEARNING_RATE = 0.3, 0.003
# One unit of the optimiser, for each group of parameters.
_UNITS = {
    "rotation": 0.01,  # rad
    "position": 1.0,  # px at 512
    "distance": 0.001,  # mm / px at 512
    "shape": 1.0,  # mm
    "directions": 1.0,  # mm
    "coefficients": 0.1,
}
_FLIP = np.diag([1.0, -1.0, -1.0])  # head frame (y up, z out) -> OpenCV camera axes


@dataclasses.dataclass(frozen=True)
class Track:
    """The tracked head of a clip.

    Attributes:
      world_to_camera: float32 [T, 4, 4], OpenCV axes, metres.
      focal: pixels.
      shape: float32 [68, 3] the person's mean landmarks, world frame, metres.
      directions: float32 [K, 68, 3] expression directions, metres per unit coefficient.
      coefficients: float32 [T, K].
      residual: float32 [T, 68] distance between seen and projected landmarks, pixels.
    """

    world_to_camera: np.ndarray
    focal: float
    shape: np.ndarray
    directions: np.ndarray
    coefficients: np.ndarray
    residual: np.ndarray

    def points(self) -> np.ndarray:
        """Returns the landmarks in the world frame, [T, 68, 3], expression included."""
        moved = np.tensordot(self.coefficients, self.directions, axes=1)
        return self.shape + moved


def rotation_matrix(vectors: jax.Array) -> jax.Array:
    """Returns rotation matrices of rotation vectors (Rodrigues), differentiable at zero.

    Args:
      vectors: [..., 3] axis times angle, radians.

    Returns:
      [..., 3, 3].
    """
    squared = jnp.sum(vectors * vectors, axis=-1)[..., None, None]
    is_small = squared < 1e-8
    angle = jnp.sqrt(jnp.where(is_small, 1.0, squared))
    sine = jnp.where(is_small, 1 - squared / 6, jnp.sin(angle) / angle)
    cosine = jnp.where(is_small, 0.5 - squared / 24, (1 - jnp.cos(angle)) / angle**2)
    x, y, z = jnp.moveaxis(vectors, -1, 0)
    zero = jnp.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    cross = jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)
    return jnp.eye(3) + sine * cross + cosine * (cross @ cross)


def _huber(x: jax.Array) -> jax.Array:
    """Half the square up to `HUBER`, linear beyond."""
    return optax.losses.huber_loss(x, delta=HUBER)


def _project(params: dict, focal: float) -> jax.Array:
    """Landmarks of all frames, pixels from the principal point, [T, 68, 2]."""
    directions = params["directions"] * EXPRESSIVE[:, None]
    moved = params["coefficients"] @ directions.reshape(directions.shape[0], -1)
    points = params["shape"] + moved.reshape(-1, face68.NUM_POINTS, 3)
    rotation = rotation_matrix(params["rotation"]) * jnp.array([1.0, -1.0, -1.0])
    turned = jnp.einsum("tij,tnj->tni", rotation, points)
    origin = jnp.concatenate(
        [params["position"], jnp.full_like(params["distance"], focal)], axis=-1
    )
    camera = turned + (params["distance"] * origin)[:, None]
    return focal * camera[..., :2] / camera[..., 2:]


def _loss(params: dict, seen: jax.Array, weight: jax.Array, steady: jax.Array, focal: float):
    """Negative log posterior of a fit; lengths in the picture are pixels at 512."""
    error = (_project(params, focal) - seen) / _SIGMA[:, None]
    data = jnp.sum(weight[:, None] * _huber(jnp.linalg.norm(error + 1e-9, axis=-1)))
    shape = params["shape"]
    mirrored = shape[face68.MIRROR] * jnp.array([-1.0, 1, 1])
    outer = jnp.linalg.norm(shape[45] - shape[36])
    prior = (
        jnp.sum(jnp.square((shape - face68.MEAN_SHAPE) / SHAPE_SIGMA))
        + jnp.sum(jnp.square((shape - mirrored) / MIRROR_SIGMA))
        + jnp.square((outer - face68.OUTER_EYE_DISTANCE) / SCALE_SIGMA)
        + jnp.sum(jnp.square(params["directions"] / DIRECTION_SIGMA))
        + jnp.sum(jnp.square(params["coefficients"]))
    ) / 2
    log_distance = jnp.log(params["distance"])
    smooth = 0.0
    for values, sigma in (
        (params["rotation"], ROTATION_SIGMA),
        (params["position"], POSITION_SIGMA),
        (log_distance, DISTANCE_SIGMA),
        (params["coefficients"], COEFFICIENT_SIGMA),
    ):
        second = values[2:] - 2 * values[1:-1] + values[:-2]
        smooth += jnp.sum(steady[:, None] * _huber(second / sigma))
    return data + prior + smooth


@functools.partial(jax.jit, static_argnames=("optimizer",))
def _advance(units, state, start, seen, weight, steady, focal, *, optimizer):
    """`STEPS_PER_CALL` steps of Adam on parameters in their own units."""

    def loss(units):
        params = {name: start[name] + _UNITS[name] * units[name] for name in _UNITS}
        return _loss(params, seen, weight, steady, focal)

    def step(carry, _):
        units, state = carry
        updates, state = optimizer.update(jax.grad(loss)(units), state)
        return (optax.apply_updates(units, updates), state), None

    return jax.lax.scan(step, (units, state), length=STEPS_PER_CALL)[0]


def _start(key: jax.Array, seen: np.ndarray, found: np.ndarray, focal: float) -> dict:
    """Poses of the mean shape by perspective-n-point, interpolated where there is no face."""
    num_frames = len(seen)
    pose = np.full((num_frames, 6), np.nan)
    matrix = np.array([[focal, 0, 0], [0, focal, 0], [0, 0, 1.0]])
    guess = (np.array([np.pi, 0, 0]), np.array([0, 0, 1000.0]))
    for t in np.flatnonzero(found):
        rotation, translation = guess[0].copy(), guess[1].copy()
        ok, rotation, translation = cv2.solvePnP(
            face68.MEAN_SHAPE, seen[t], matrix, None, rotation, translation, useExtrinsicGuess=True
        )
        if not ok or translation[2] <= 0:
            continue
        head = cv2.Rodrigues(cv2.Rodrigues(rotation)[0] @ _FLIP)[0]
        pose[t] = np.concatenate([head.ravel(), translation.ravel()])
    good = np.isfinite(pose[:, 0])
    if not good.any():
        raise DataError(
            expected="landmarks of a face that looks at the camera",
            got="no frame in which a head pose fits them",
            fix="Look at the landmarks: the video may show something other than one frontal face.",
        )
    time = np.arange(num_frames)
    pose = np.stack([np.interp(time, time[good], pose[good, i]) for i in range(6)], axis=-1)
    distance = pose[:, 5:] / focal
    params = {
        "rotation": pose[:, :3],
        "position": pose[:, 3:5] / distance,
        "distance": distance,
        "shape": face68.MEAN_SHAPE,
        # Different from zero, because the product of two zeros has no gradient.
        "directions": np.asarray(jax.random.normal(key, (NUM_DIRECTIONS, face68.NUM_POINTS, 3))),
        "coefficients": np.zeros((num_frames, NUM_DIRECTIONS)),
    }
    return {name: jnp.asarray(value, jnp.float32) for name, value in params.items()}


def track(
    key: jax.Array,
    landmarks: np.ndarray,
    found: np.ndarray,
    *,
    width: int,
    height: int,
    cuts: np.ndarray,
    focal: float | None = None,
    progress: Callable = iter,
) -> Track:
    """Returns pose, shape and expression of a head, fitted to all frames together.

    Args:
      key: consumed; starts the expression directions.
      landmarks: [T, 68, 2] pixels, pixel centres at whole numbers.
      found: [T] bool; frames without a face get interpolated poses.
      width: of the pictures, pixels.
      height: of the pictures, pixels.
      cuts: first frames after jump cuts, over which nothing is smooth.
      focal: pixels; `FOCAL_OVER_WIDTH` times the width by default.
      progress: wraps the iterable of optimisation rounds, for a progress bar.

    Raises:
      DataError: fewer than three frames, a focal length that is not positive, or no frame with a
      face.
    """
    num_frames = len(landmarks)
    focal = FOCAL_OVER_WIDTH * width if focal is None else focal
    if num_frames < 3:
        raise DataError(expected="at least 3 frames", got=str(num_frames), fix="Use a longer clip.")
    if not (np.isfinite(focal) and focal > 0):
        raise DataError(
            expected="a focal length above 0 pixels",
            got=f"{focal}",
            fix="Leave it out: 2.34 times the width is used.",
        )
    unit = width / 512
    # Whole numbers are pixel centres in landmarks, halves in emojax.types.Camera.
    seen = (landmarks + 0.5 - np.array([width, height]) / 2) / unit
    start = _start(key, np.float64(seen), found, focal / unit)
    schedule = optax.cosine_decay_schedule(
        LEARNING_RATE, NUM_STEPS, alpha=LAST_LEARNING_RATE / LEARNING_RATE
    )
    optimizer = _optimizer(schedule)
    steady = np.ones(num_frames - 2, np.float32)
    for cut in np.asarray(cuts, np.int64):
        steady[max(cut - 2, 0) : cut] = 0
    arguments = [jnp.asarray(x, jnp.float32) for x in (seen, found, steady)]
    units = jax.tree.map(jnp.zeros_like, start)
    state = optimizer.init(units)
    for _ in progress(range(NUM_STEPS // STEPS_PER_CALL)):
        units, state = _advance(
            units, state, start, *arguments, jnp.float32(focal / unit), optimizer=optimizer
        )
    params = {name: start[name] + _UNITS[name] * units[name] for name in _UNITS}
    residual = jnp.linalg.norm(_project(params, focal / unit) - arguments[0], axis=-1) * unit
    return _result({k: np.asarray(v, np.float64) for k, v in params.items()}, focal, unit, residual)


@functools.cache
def _optimizer(schedule: Callable) -> optax.GradientTransformation:
    """Adam; cached, since a new one would compile `_advance` anew."""
    return optax.adam(schedule)


def _result(params: dict, focal: float, unit: float, residual: jax.Array) -> Track:
    """Changes from millimetres about the eyes to metres about the head's middle."""
    shift = np.array([0, 0, ORIGIN_DEPTH])
    rotation = np.asarray(rotation_matrix(jnp.asarray(params["rotation"]))) @ _FLIP
    origin = np.concatenate(
        [params["position"], np.full_like(params["distance"], focal / unit)], axis=-1
    )
    # X_camera = R X + T, with X = X_world - shift.
    translation = params["distance"] * origin - rotation @ shift
    world_to_camera = np.tile(np.eye(4), (len(rotation), 1, 1))
    world_to_camera[:, :3, :3] = rotation
    world_to_camera[:, :3, 3] = translation / 1000
    return Track(
        world_to_camera=world_to_camera.astype(np.float32),
        focal=float(focal),
        shape=np.float32((params["shape"] + shift) / 1000),
        directions=np.float32(params["directions"] * EXPRESSIVE[:, None] / 1000),
        coefficients=np.float32(params["coefficients"]),
        residual=np.float32(residual),
    )
