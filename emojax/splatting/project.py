"""Projection of 3D Gaussians into one camera: from ellipsoids to ellipses on the screen.

Frames and units are those of `emojax.types`. N counts all Gaussians. The fast twin is
`ProjectionOf` and `SplatOf` in kernels/splat/splat_math.h, held equal by
tests/splatting/native_test.py.

A Gaussian is *dead* when any of its numbers is NaN or Inf, its quaternion is zero or its squared
length overflows, it lies outside of the depth range, its opacity cannot reach `ALPHA_MIN`, its
projection overflows, or its ellipse misses the picture. A dead Gaussian has radius 0 and sends no
gradient.

Sources: EWA splatting (Zwicker et al. 2002), 3DGS (Kerbl et al. 2023) sec. 4 for the projected
covariance; Mip-Splatting (Yu et al. 2024) for the antialiasing factor.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from emojax import geometry, numerics
from emojax.splatting import constants
from emojax.types import Camera


class Splats(NamedTuple):
    """Gaussians on the screen.

    Attributes:
      means: [N, 2] (u, v), pixels.
      conics: [N, 3] (a, b, c) of the exponent -(a dx^2 + 2 b dx dy + c dy^2) / 2, 1 / px^2.
      opacities: [N], times the antialiasing factor where asked for; 0 for dead Gaussians.
      depths: [N] camera-space z, metres.
      extents: [N, 2] half size (x, y) of the region where alpha >= ALPHA_MIN, pixels; 0 if dead. No
        gradient.
      alive: [N] bool.
    """

    means: jax.Array
    conics: jax.Array
    opacities: jax.Array
    depths: jax.Array
    extents: jax.Array
    alive: jax.Array


def project(
    means: jax.Array,
    quaternions: jax.Array,
    scales: jax.Array,
    opacities: jax.Array,
    camera: Camera,
    *,
    near: float = constants.NEAR,
    far: float = constants.FAR,
    dilation: float = constants.DILATION,
    antialias: bool = False,
    usable: jax.Array | None = None,
) -> Splats:
    """Projects Gaussians.

    Args:
      means: [N, 3] world frame, metres.
      quaternions: [N, 4] (w, x, y, z), any length.
      scales: [N, 3] standard deviations, metres.
      opacities: [N] in [0, 1].
      camera: where from.
      near: smallest depth that is drawn, metres.
      far: largest depth that is drawn, metres.
      dilation: added to both screen variances, square pixels.
      antialias: scale opacity by sqrt(det / det dilated), so that small Gaussians keep their
        energy.
      usable: [N] bool, further Gaussians that are dead where false (unusable features); optional.

    Returns:
      Splats. Differentiable in all arrays and the camera, except `extents` and `alive`.
    """
    # Who is alive is decided on constants; then dead ones are replaced *before* the arithmetic,
    # since a gradient of zero times the infinite derivative of a bad projection would be NaN.
    frozen = jax.lax.stop_gradient((means, quaternions, scales, opacities, camera))
    tried = _project(*frozen, dilation=dilation, antialias=antialias)
    extents, alive = _extents(tried, frozen, near=near, far=far)
    if usable is not None:
        alive = alive & usable
    keep = alive[:, None]
    in_front = jax.lax.stop_gradient(_point_in_front(camera)).astype(means.dtype)
    safe = _project(
        jnp.where(keep, means, in_front),
        jnp.where(keep, quaternions, jnp.array([1, 0, 0, 0], means.dtype)),
        jnp.where(keep, scales, 1),
        jnp.where(alive, opacities, 0),
        camera,
        dilation=dilation,
        antialias=antialias,
    )
    mean, depth, cov, _, opacity = safe
    s00, s01, s11, det = cov
    return Splats(
        means=mean,
        conics=jnp.stack([s11 / det, -s01 / det, s00 / det], axis=-1),
        opacities=opacity,
        depths=depth,
        extents=jnp.where(keep, extents, 0),
        alive=alive,
    )


def radii(splats: Splats) -> jax.Array:
    """Returns the extents as whole pixels, [N, 2] int32, 0 for dead Gaussians."""
    return jnp.ceil(jnp.minimum(splats.extents, 2.0**30)).astype(jnp.int32)


def _point_in_front(camera: Camera) -> jax.Array:
    """A world point on the optical axis, one metre ahead, where every projection is harmless."""
    rotation, translation = camera.world_to_camera[:3, :3], camera.world_to_camera[:3, 3]
    ahead = jnp.array([0, 0, 1], rotation.dtype)
    return jnp.matmul(rotation.T, ahead - translation, precision="highest")


def _project(means, quaternions, scales, opacities, camera, *, dilation, antialias):
    """The arithmetic alone, for all Gaussians: mean, depth, covariance, extent factor, opacity."""
    points = geometry.transform_points(camera.world_to_camera, means)
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    (fx, fy), (cx, cy) = camera.focal, camera.principal
    mean = jnp.stack([fx * x / z + cx, fy * y / z + cy], axis=-1)

    # F = J W R diag(s), so that F F^T is the projected covariance (EWA, Eq. 31).
    margin_x, margin_y = constants.FOV_MARGIN * camera.width, constants.FOV_MARGIN * camera.height
    tx = jnp.clip(x / z, -(cx + margin_x) / fx, (camera.width - cx + margin_x) / fx)
    ty = jnp.clip(y / z, -(cy + margin_y) / fy, (camera.height - cy + margin_y) / fy)
    axes = geometry.quaternion_to_matrix(quaternions) * scales[:, None, :]
    rotated = jnp.einsum("ij,njk->nik", camera.world_to_camera[:3, :3], axes, precision="highest")
    f0 = (fx / z)[:, None] * (rotated[:, 0] - tx[:, None] * rotated[:, 2])
    f1 = (fy / z)[:, None] * (rotated[:, 1] - ty[:, None] * rotated[:, 2])

    f00, f01, f11 = jnp.sum(f0 * f0, -1), jnp.sum(f0 * f1, -1), jnp.sum(f1 * f1, -1)
    # det(F F^T) = |F_0 x F_1|^2, a sum of squares: f00 f11 - f01^2 would cancel for needles.
    det_thin = jnp.sum(jnp.square(jnp.cross(f0, f1)), axis=-1)
    det = det_thin + dilation * (f00 + f11 + dilation)
    covariance = (f00 + dilation, f01, f11 + dilation, det)
    if antialias:
        factor = jnp.maximum(numerics.safe_sqrt(det_thin / det), constants.COMPENSATION_MIN)
        opacities = opacities * factor
    return mean, z, covariance, quaternions, opacities


def _extents(tried, frozen, *, near, far):
    """Half sizes of the visible ellipses, and which Gaussians are alive."""
    mean, depth, (s00, s01, s11, det), quaternions, opacity = tried
    *arrays, camera = frozen
    reach = 2 * jnp.log(jnp.maximum(opacity, constants.ALPHA_MIN) / constants.ALPHA_MIN)
    extents = jnp.sqrt(reach[:, None] * jnp.stack([s00, s11], axis=-1))
    size = jnp.array([camera.width, camera.height], mean.dtype)
    norm2 = jnp.sum(quaternions * quaternions, axis=-1)
    alive = (
        (norm2 >= constants.QUATERNION_NORM2_MIN)
        & (depth > near)
        & (depth < far)
        & (det > 0)
        & (opacity >= constants.ALPHA_MIN)
        & jnp.all((mean + extents >= 0.5) & (mean - extents <= size - 0.5), axis=-1)
    )
    for array in (*arrays, mean, norm2, det, s00 / det, s01 / det, s11 / det):
        finite = jnp.isfinite(array)
        alive = alive & (jnp.all(finite, axis=-1) if finite.ndim == 2 else finite)
    return extents, alive
