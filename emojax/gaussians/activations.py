"""Raw (unconstrained) parameters of Gaussians -> constrained ones, and back.

Contract: opacity = sigmoid(raw); scale = softplus(raw) (TalkingGaussian, Li et al. 2024) or
exp(raw) (3DGS, Kerbl et al. 2023, section 5.1), chosen by `Gaussians.scale_activation`; means and
quaternions pass unchanged, and whoever needs a rotation normalises the quaternion.

Slots that are not alive are *parked*: whatever lies in them, NaN included, is replaced by harmless
constants before any formula sees it, so that they pass no gradient and spoil nobody else's.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from emojax import numerics
from emojax.types import Gaussians, ScaleActivation

# A scale near 1 mm under both activations, and an opacity below 1/255, the least that is drawn.
_PARKED_SCALE = -7.0
_PARKED_OPACITY = -7.0
_PARKED_QUATERNION = (1.0, 0.0, 0.0, 0.0)


class Activated(NamedTuple):
    """Constrained parameters of a cloud.

    Attributes:
      means: [..., N, 3] centres, world frame, metres.
      quaternions: [..., N, 4] rotations (w, x, y, z), not normalised.
      scales: [..., N, 3] standard deviations along the rotated axes, metres, > 0.
      opacities: [..., N] 0 to 1; exactly 0 in slots that are not alive.
    """

    means: jax.Array
    quaternions: jax.Array
    scales: jax.Array
    opacities: jax.Array


def park(gaussians: Gaussians) -> Gaussians:
    """Replaces all parameters of slots that are not alive by harmless, finite constants.

    No gradient passes through those slots. The constants are: mean and harmonics 0, no rotation,
    about 1 mm, and an opacity that is not drawn even by a viewer which knows no `alive`.

    Args:
      gaussians: any cloud; `alive` broadcasts over leading dimensions of the other arrays.
    """
    alive = gaussians.alive
    vector = alive[..., None]
    parked = jnp.asarray(_PARKED_QUATERNION, gaussians.quaternions.dtype)
    return gaussians.replace(
        means=jnp.where(vector, gaussians.means, 0),
        quaternions=jnp.where(vector, gaussians.quaternions, parked),
        scales=jnp.where(vector, gaussians.scales, _PARKED_SCALE),
        opacities=jnp.where(alive, gaussians.opacities, _PARKED_OPACITY),
        harmonics=jnp.where(vector[..., None], gaussians.harmonics, 0),
        normals=None if gaussians.normals is None else jnp.where(vector, gaussians.normals, 0),
    )


def activate(gaussians: Gaussians) -> Activated:
    """Returns the constrained parameters that a splatter draws.

    Args:
      gaussians: raw parameters, shapes as in `types.Gaussians`; leading dimensions are allowed.

    Returns:
      `Activated`. Slots that are not alive have opacity exactly 0, finite values in every field,
      and pass no gradient.

    Raises:
      ValueError: `gaussians.scale_activation` is neither "softplus" nor "exp".
    """
    check_activation(gaussians.scale_activation)
    raw = park(gaussians)
    positive = jnp.exp if raw.scale_activation == "exp" else jax.nn.softplus
    return Activated(
        means=raw.means,
        quaternions=raw.quaternions,
        scales=positive(raw.scales),
        opacities=jnp.where(raw.alive, jax.nn.sigmoid(raw.opacities), 0),
    )


def raw_scales(scales: jax.Array, *, activation: ScaleActivation) -> jax.Array:
    """Returns the raw values that `activation` turns into `scales`.

    Args:
      scales: any shape, metres, > 0.
      activation: "softplus" or "exp".

    Raises:
      ValueError: unknown `activation`.
    """
    check_activation(activation)
    return jnp.log(scales) if activation == "exp" else numerics.inverse_softplus(scales)


def raw_opacities(opacities: jax.Array) -> jax.Array:
    """Returns logits, log(p / (1 - p)), of opacities p (any shape, between 0 and 1, exclusive)."""
    return jnp.log(opacities) - jnp.log1p(-opacities)


def check_activation(activation: str) -> None:
    """Raises ValueError unless `activation` names a known scale activation."""
    if activation not in ("softplus", "exp"):
        raise ValueError(
            f"scale_activation: expected 'softplus' (TalkingGaussian) or 'exp' (3DGS), got "
            f"{activation!r}; set it where the Gaussians are made or loaded"
        )
