"""Normals of Gaussians: the shortest axis, turned to the viewer, plus what was learned of it.

    n = normalize(+-shortest axis of R(q) + residual)

GaussianShader (Jiang et al. 2024, sec. 3.2), with one residual a Gaussian as in EmoTalkingGaussian
(arXiv 2502.00654, sec. 3.1). The sign is such that the normal points to the camera.

A normal that is *seen* is in the camera's frame as pictures of normals have it: x right, y up, z to
the viewer. EmoTalkingGaussian sec. 3.4.1 lets the loss on normals update positions and residuals
alone; by default only residuals get a gradient here (positions get one in the splatter, from where
a normal is drawn).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emojax import geometry, numerics
from emojax.gaussians import activations
from emojax.types import Camera, Gaussians

# Camera (x right, y down, z forward) -> picture of normals (x right, y up, z to the viewer).
_TO_PICTURE = (1.0, -1.0, -1.0)


def world(gaussians: Gaussians, camera: Camera) -> jax.Array:
    """Returns unit normals that point to the camera, world frame, [N, 3].

    Args:
      gaussians: a cloud with `normals`, canonical or moved; of slots not alive the normal is 0.
      camera: that looks.

    Raises:
      ValueError: the cloud has no `normals`.
    """
    if gaussians.normals is None:
        raise ValueError(
            "expected a cloud with normals; got one with normals=None: begin with a head whose "
            "configuration has normals=True"
        )
    residual = jnp.where(gaussians.alive[:, None], gaussians.normals, 0)
    cloud = jax.lax.stop_gradient(gaussians)
    active = activations.activate(cloud)
    rotations = geometry.quaternion_to_matrix(active.quaternions)
    shortest = jnp.argmin(active.scales, axis=-1)
    axis = jnp.take_along_axis(rotations, shortest[:, None, None], axis=-1)[..., 0]
    pose = jax.lax.stop_gradient(camera.world_to_camera)
    eye = geometry.invert_rigid(pose)[:3, 3]
    away = jnp.sum(axis * (eye - active.means), axis=-1, keepdims=True) < 0
    normal = numerics.safe_normalize(jnp.where(away, -axis, axis) + residual)
    return jnp.where(gaussians.alive[:, None], normal, 0)


def seen(gaussians: Gaussians, camera: Camera) -> jax.Array:
    """Returns unit normals in the frame of pictures of normals, [N, 3].

    Args:
      gaussians: as `world`.
      camera: that looks.

    Raises:
      ValueError: as `world`.
    """
    return to_picture(world(gaussians, camera), camera)


def to_picture(normals: jax.Array, camera: Camera) -> jax.Array:
    """Returns world normals as pictures have them: x right, y up, z to the viewer.

    Args:
      normals: [..., 3], world frame.
      camera: that looks.
    """
    rotation = jax.lax.stop_gradient(camera.world_to_camera)[:3, :3]
    turned = jnp.einsum("ij,...j->...i", rotation, normals, precision="highest")
    return turned * jnp.array(_TO_PICTURE, normals.dtype)
