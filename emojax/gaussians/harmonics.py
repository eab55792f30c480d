"""Colour as a function of the view: real spherical harmonics of degree 0 to 3.

Signs, order and constants are those of the 3DGS code (Kerbl et al. 2023), which every .ply viewer
expects: degree 0: 1; degree 1: -y, z, -x; degree 2: xy, -yz, 2zz - xx - yy, -xz, xx - yy; degree 3
as in `_cubic`. They are orthonormal on the unit sphere.

K = (degree + 1)^2 counts coefficients. Colour is RGB, linear, with 0.5 added (so that zero
coefficients are mid-grey) and clamped from below only.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from emojax import geometry, numerics
from emojax.types import Camera

MAX_DEGREE = 3

_C0 = 0.28209479177387814
_C1 = 0.4886025119029199
_C2 = (1.0925484305920792, 0.31539156525252005, 0.5462742152960396)
_C3 = (0.5900435899266435, 2.890611442640554, 0.4570457994644658, 0.3731763325901154)
_C3_DIFFERENCE = 1.445305721320277


def num_coefficients(degree: int) -> int:
    """Returns K = (degree + 1)^2.

    Raises:
      ValueError: `degree` is not 0, 1, 2 or 3.
    """
    if degree not in range(MAX_DEGREE + 1):
        raise ValueError(
            f"degree of spherical harmonics: expected 0 to {MAX_DEGREE}, got {degree}; 3DGS files "
            "and viewers know no higher one"
        )
    return (degree + 1) ** 2


def degree_of(harmonics: jax.Array) -> int:
    """Returns the degree of coefficients.

    Args:
      harmonics: [..., K, 3].

    Raises:
      ValueError: K is not 1, 4, 9 or 16.
    """
    count = harmonics.shape[-2]
    degree = round(count**0.5) - 1
    if degree not in range(MAX_DEGREE + 1) or num_coefficients(degree) != count:
        raise ValueError(
            f"harmonics: expected 1, 4, 9 or 16 coefficients on axis -2, got shape "
            f"{harmonics.shape}; the layout is [..., K, 3]"
        )
    return degree


def basis(directions: jax.Array, *, degree: int) -> jax.Array:
    """Returns the values of all basis functions up to `degree`.

    Args:
      directions: [..., 3] unit vectors.
      degree: static, 0 to 3.

    Returns:
      [..., (degree + 1)^2].

    Raises:
      ValueError: `degree` is not 0, 1, 2 or 3.
    """
    x, y, z = jnp.moveaxis(directions, -1, 0)
    bands = [[jnp.full_like(x, _C0)], [-_C1 * y, _C1 * z, -_C1 * x], _quadratic(x, y, z)]
    bands.append(_cubic(x, y, z))
    values = [value for band in bands for value in band]
    return jnp.stack(values[: num_coefficients(degree)], axis=-1)


def evaluate(
    harmonics: jax.Array,
    directions: jax.Array,
    *,
    active_degree: int | jax.Array | None = None,
) -> jax.Array:
    """Returns the colours seen along `directions`: max(0, sum_k c_k Y_k + 0.5).

    As in the 3DGS code, a component that is clamped at 0 passes no gradient.

    Args:
      harmonics: [..., K, 3] coefficients of RGB, K one of 1, 4, 9, 16.
      directions: [..., 3] unit vectors from the camera to the Gaussian, world frame.
      active_degree: degrees above it are left out, and their coefficients get zero gradient; may be
        traced, so that a schedule of degrees compiles once. All degrees when None.

    Returns:
      [..., 3] linear RGB, >= 0, not limited from above.

    Raises:
      ValueError: K is not 1, 4, 9 or 16.
    """
    values = basis(directions, degree=degree_of(harmonics))
    if active_degree is not None:
        degrees = np.floor(np.sqrt(np.arange(harmonics.shape[-2])))
        values = jnp.where(degrees <= active_degree, values, 0)
    # A sum of products rather than an einsum: no reduced matmul precision on any device.
    color = jnp.sum(values[..., None] * harmonics, axis=-2) + 0.5
    return jnp.where(color < 0, 0, color)


def view_directions(means: jax.Array, camera: Camera) -> jax.Array:
    """Returns unit vectors from the camera's centre to the Gaussians.

    Differentiable in the means and in `camera.world_to_camera`; a mean at the camera's very centre
    gives the zero vector with zero gradient.

    Args:
      means: [..., N, 3] centres, world frame, metres.
      camera: `world_to_camera` [..., 4, 4].

    Returns:
      [..., N, 3], world frame.
    """
    centre = geometry.invert_rigid(camera.world_to_camera)[..., :3, 3]
    return numerics.safe_normalize(means - centre[..., None, :])


def rgb_to_harmonic(rgb: jax.Array) -> jax.Array:
    """Returns the degree-0 coefficient of a colour that is the same from all sides (any shape)."""
    return (rgb - 0.5) / _C0


def harmonic_to_rgb(coefficient: jax.Array) -> jax.Array:
    """Returns the colour of a degree-0 coefficient, not clamped (any shape)."""
    return coefficient * _C0 + 0.5


def _quadratic(x: jax.Array, y: jax.Array, z: jax.Array) -> list[jax.Array]:
    """Returns the five functions of degree 2."""
    product, zonal, difference = _C2
    return [
        product * x * y,
        -product * y * z,
        zonal * (2 * z * z - x * x - y * y),
        -product * x * z,
        difference * (x * x - y * y),
    ]


def _cubic(x: jax.Array, y: jax.Array, z: jax.Array) -> list[jax.Array]:
    """Returns the seven functions of degree 3."""
    xx, yy, zz = x * x, y * y, z * z
    outer, product, inner, zonal = _C3
    return [
        -outer * y * (3 * xx - yy),
        product * x * y * z,
        -inner * y * (4 * zz - xx - yy),
        zonal * z * (2 * zz - 3 * xx - 3 * yy),
        -inner * x * (4 * zz - xx - yy),
        _C3_DIFFERENCE * z * (xx - yy),
        -outer * x * (xx - 3 * yy),
    ]
