"""Quaternions, rigid transforms and covariances.

Quaternions are (w, x, y, z) along the last axis and need not have unit length. Frames and units are
those of `emojax.types`. All functions broadcast over leading dimensions.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emojax import numerics


def quaternion_to_matrix(quaternions: jax.Array) -> jax.Array:
    """Returns rotation matrices of quaternions, normalising them first.

    Args:
      quaternions: [..., 4] (w, x, y, z); the zero quaternion gives the identity with zero gradient.

    Returns:
      [..., 3, 3], acting on column vectors.
    """
    w, x, y, z = jnp.moveaxis(numerics.safe_normalize(quaternions), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


def covariance(quaternions: jax.Array, scales: jax.Array) -> jax.Array:
    """Returns R diag(s)^2 R^T (3DGS, Kerbl et al. 2023, Eq. 6).

    Args:
      quaternions: [..., 4] (w, x, y, z).
      scales: [..., 3] standard deviations along the rotated axes, metres.

    Returns:
      [..., 3, 3] symmetric, square metres.
    """
    factor = quaternion_to_matrix(quaternions) * scales[..., None, :]
    return jnp.einsum("...ij,...kj->...ik", factor, factor, precision="highest")


def transform_points(transform: jax.Array, points: jax.Array) -> jax.Array:
    """Applies a rigid transform to points.

    Args:
      transform: [..., 4, 4], last row (0, 0, 0, 1).
      points: [..., N, 3].

    Returns:
      [..., N, 3].
    """
    rotation, translation = transform[..., :3, :3], transform[..., :3, 3]
    rotated = jnp.einsum("...ij,...nj->...ni", rotation, points, precision="highest")
    return rotated + translation[..., None, :]


def invert_rigid(transform: jax.Array) -> jax.Array:
    """Returns the inverse of rigid transforms, [..., 4, 4] -> [..., 4, 4], without a solve."""
    rotation = jnp.swapaxes(transform[..., :3, :3], -1, -2)
    translation = -jnp.einsum(
        "...ij,...j->...i", rotation, transform[..., :3, 3], precision="highest"
    )
    top = jnp.concatenate([rotation, translation[..., None]], axis=-1)
    return jnp.concatenate([top, transform[..., 3:, :]], axis=-2)


def look_at(eye: jax.Array, target: jax.Array, up: jax.Array) -> jax.Array:
    """Returns the world-to-camera transform of a camera at `eye` that looks at `target`.

    Args:
      eye: [3] camera centre, world frame.
      target: [3] a point on the optical axis, different from `eye`.
      up: [3] a world direction that shall point up in the picture, not parallel to the axis.

    Returns:
      [4, 4], OpenCV axes: x right, y down, z forward.
    """
    forward = numerics.safe_normalize(target - eye)
    right = numerics.safe_normalize(jnp.cross(forward, up))
    rotation = jnp.stack([right, jnp.cross(forward, right), forward])
    translation = -jnp.matmul(rotation, eye, precision="highest")
    top = jnp.concatenate([rotation, translation[:, None]], axis=-1)
    return jnp.concatenate([top, jnp.array([[0, 0, 0, 1]], top.dtype)])
