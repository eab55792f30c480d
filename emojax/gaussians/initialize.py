"""Starting clouds: from a box, from points, or empty.

Sources: 3DGS (Kerbl et al. 2023, section 5.1) starts with isotropic Gaussians, as large as the
distance to the three nearest neighbours. TalkingGaussian (Li et al. 2024), and with it
EmoTalkingGaussian, draws the points from the cube [-0.1, 0.1]^3 (10,000 in the mouth, 2,000 in the
face branch), all mid-grey (127/255), opacity 0.1.

Lengths are metres in the world frame. A cloud has `capacity` slots; points fill the lowest ones and
the others are parked (`activations.park`).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emojax.gaussians import activations, density, harmonics
from emojax.types import Gaussians, ScaleActivation

# Points that coincide still need a size: the least mean squared distance, as in the 3DGS code.
_MIN_SQUARED_DISTANCE = 1e-7
_NUM_NEIGHBOURS = 3
# Distances held at a time by the neighbour search: 4 MiB each for value and scratch.
_DISTANCES_PER_CHUNK = 2**20


def empty(
    *,
    capacity: int,
    degree: int,
    scale_activation: ScaleActivation = "softplus",
    dtype: jnp.dtype = jnp.float32,
) -> Gaussians:
    """Returns a cloud without living Gaussians.

    Args:
      capacity: number of slots N, >= 0.
      degree: degree of the spherical harmonics, 0 to 3.
      scale_activation: "softplus" or "exp".
      dtype: of all arrays but `alive`.

    Raises:
      ValueError: negative capacity, unknown degree or activation.
    """
    activations.check_activation(scale_activation)
    if capacity < 0:
        raise ValueError(f"capacity: expected 0 or more slots, got {capacity}")
    return activations.park(
        Gaussians(
            means=jnp.zeros((capacity, 3), dtype),
            quaternions=jnp.zeros((capacity, 4), dtype),
            scales=jnp.zeros((capacity, 3), dtype),
            opacities=jnp.zeros((capacity,), dtype),
            harmonics=jnp.zeros((capacity, harmonics.num_coefficients(degree), 3), dtype),
            alive=jnp.zeros((capacity,), bool),
            scale_activation=scale_activation,
        )
    )


def from_box(
    key: jax.Array,
    *,
    num_points: int,
    capacity: int,
    half_size: float = 0.1,
    degree: int = 2,
    color: float | tuple[float, float, float] | jax.Array = 127 / 255,
    opacity: float = 0.1,
    scale_activation: ScaleActivation = "softplus",
    scale_inverse: ScaleActivation | None = None,
) -> Gaussians:
    """Returns Gaussians at points drawn uniformly from a cube; the defaults are TalkingGaussian's.

    Args:
      key: consumed.
      num_points: number of living Gaussians, >= 1.
      capacity: number of slots N, >= `num_points`.
      half_size: the cube is [-half_size, half_size]^3, metres.
      degree: degree of the spherical harmonics, 0 to 3.
      color: grey value, or RGB, of all points, 0 to 1.
      opacity: of all points, between 0 and 1, exclusive.
      scale_activation: "softplus" or "exp".
      scale_inverse: see `from_points`; TalkingGaussian to the letter is "exp".

    Raises:
      ValueError: a size is not positive, or `capacity` is too small.
    """
    if not half_size > 0:
        raise ValueError(f"half_size: expected > 0 metres, got {half_size}")
    points = jax.random.uniform(key, (num_points, 3), minval=-half_size, maxval=half_size)
    return from_points(
        points,
        jnp.broadcast_to(jnp.asarray(color, points.dtype), points.shape),
        capacity=capacity,
        degree=degree,
        opacity=opacity,
        scale_activation=scale_activation,
        scale_inverse=scale_inverse,
    )


def from_points(
    points: jax.Array,
    colors: jax.Array,
    *,
    capacity: int,
    degree: int = 2,
    opacity: float = 0.1,
    scale_activation: ScaleActivation = "softplus",
    scale_inverse: ScaleActivation | None = None,
) -> Gaussians:
    """Returns isotropic Gaussians at given points, each as large as its neighbours are far.

    The standard deviation is d = sqrt(max(1e-7, mean squared distance to 3 nearest neighbours)).

    TalkingGaussian computes the raw scale as log(d), the inverse of exp, but activates it with
    softplus: its Gaussians start with log(1 + d), 0.5% less than d at d = 1 cm. Pass
    `scale_inverse="exp"` for that; the default inverts the activation that will be used.

    Args:
      points: [num_points, 3] finite centres, world frame, metres; at least one.
      colors: [num_points, 3] linear RGB, floats, 0 to 1.
      capacity: number of slots N, >= num_points.
      degree: degree of the spherical harmonics, 0 to 3; all above degree 0 start at 0.
      opacity: of all points, between 0 and 1, exclusive.
      scale_activation: "softplus" or "exp".
      scale_inverse: the activation whose inverse turns d into raw scales; `scale_activation` when
        None.

    Returns:
      Gaussians; the points are in slots 0 to num_points - 1, in order.

    Raises:
      ValueError: wrong shapes, colours as integers, or a number out of range.
    """
    activations.check_activation(scale_activation)
    _check_points(points, colors, capacity=capacity, opacity=opacity)
    points, colors = jnp.asarray(points, float), jnp.asarray(colors, float)
    num_points = points.shape[0]
    size = jnp.maximum(nearest_neighbour_distances(points), _MIN_SQUARED_DISTANCE**0.5)
    raw_size = activations.raw_scales(size, activation=scale_inverse or scale_activation)
    no_rotation = jnp.array([1, 0, 0, 0], points.dtype)
    coefficients = jnp.zeros((num_points, harmonics.num_coefficients(degree), 3), points.dtype)
    living = Gaussians(
        means=points,
        quaternions=jnp.tile(no_rotation, (num_points, 1)),
        scales=jnp.tile(raw_size[:, None], (1, 3)),
        opacities=activations.raw_opacities(jnp.full(num_points, opacity, points.dtype)),
        harmonics=coefficients.at[:, 0].set(harmonics.rgb_to_harmonic(colors)),
        alive=jnp.ones(num_points, bool),
        scale_activation=scale_activation,
    )
    return density.grow(living, capacity=capacity)[0]


def nearest_neighbour_distances(points: jax.Array) -> jax.Array:
    """Returns the root mean squared distance of each point to its three nearest others.

    Exact: all pairs are measured, by differences of coordinates, a bounded number at a time. Points
    that coincide are neighbours at distance 0. Of fewer than four points all others count; a
    lone point gets 0.

    Args:
      points: [N, 3] finite.

    Returns:
      [N], in the unit of `points`.
    """
    num_points = points.shape[0]
    num_neighbours = min(_NUM_NEIGHBOURS, num_points - 1)
    if num_neighbours < 1:
        return jnp.zeros(num_points, points.dtype)

    def mean_square(index: jax.Array) -> jax.Array:
        offsets = points - points[index]
        squared = jnp.sum(offsets * offsets, axis=-1).at[index].set(jnp.inf)
        return -jnp.mean(jax.lax.top_k(-squared, num_neighbours)[0])

    chunk = max(1, _DISTANCES_PER_CHUNK // num_points)
    return jnp.sqrt(jax.lax.map(mean_square, jnp.arange(num_points), batch_size=chunk))


def _check_points(points: jax.Array, colors: jax.Array, *, capacity: int, opacity: float) -> None:
    """Raises ValueError on input that `from_points` cannot use."""
    if points.ndim != 2 or points.shape[1] != 3 or points.shape != colors.shape:
        raise ValueError(
            f"points and colors: expected two arrays [num_points, 3], got {points.shape} and "
            f"{colors.shape}"
        )
    if points.shape[0] < 1:
        raise ValueError("points: expected at least one, got none; `empty` makes a cloud of none")
    if capacity < points.shape[0]:
        raise ValueError(
            f"capacity: expected at least num_points = {points.shape[0]} slots, got {capacity}; "
            "raise capacity, with room for densification"
        )
    if not jnp.issubdtype(colors.dtype, jnp.floating):
        raise ValueError(f"colors: expected floats 0 to 1, got {colors.dtype}; divide by 255")
    if not 0 < opacity < 1:
        raise ValueError(f"opacity: expected between 0 and 1, exclusive, got {opacity}")
