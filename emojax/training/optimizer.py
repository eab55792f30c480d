"""One step of Adam for whatever trains, each part at its own rate.

Gaussians: Adam with epsilon 1e-15 (3DGS). Networks: AdamW, beta (0.9, 0.99), epsilon 1e-8
(TalkingGaussian). A part that a phase does not train keeps its moments and does not decay.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from emojax.training import schedules
from emojax.training.recipe import Rates

GAUSSIANS = optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-15)
NETWORKS = optax.scale_by_adam(b1=0.9, b2=0.99, eps=1e-8)

# Parts of a motion network with a rate of their own, by the names on their path.
_GRIDS, _ATTENTION = "tables", ("audio", "attention")


def init(part: Any) -> Any:
    """Returns Adam's state of one part.

    Args:
      part: an array, or a network's parameters.
    """
    return GAUSSIANS.init(part)  # the state of all three is the same


def update(
    name: str,
    part: Any,
    gradient: Any,
    moments: Any,
    *,
    rates: Rates,
    step: jax.Array,
    extent: float | jax.Array,
) -> tuple[Any, Any]:
    """Returns a part and its moments after one step.

    Args:
      name: of `recipe.TRAINABLE`.
      part: as it is.
      gradient: of the loss.
      moments: Adam's state.
      rates: of the stage.
      step: of the stage.
      extent: of the cameras, metres.
    """
    field = name.partition(".")[2] or name
    adam = NETWORKS if field == "motion" else GAUSSIANS
    direction, moments = adam.update(gradient, moments)
    if field == "motion":
        return _update_network(
            part, direction, rates, schedules.network_factor(step, rates)
        ), moments
    rate = {
        "means": schedules.mean_rate(step, rates, extent=extent),
        "quaternions": rates.quaternions,
        "scales": rates.scales,
        "opacities": rates.opacities,
        "harmonics": _harmonics_rates(part, rates) if field == "harmonics" else None,
        "normals": rates.normals,
    }[field]
    return part - rate * direction, moments


def _harmonics_rates(harmonics: jax.Array, rates: Rates) -> jax.Array:
    """[K, 1]: the constant coefficient has a rate of its own."""
    constant = jnp.arange(harmonics.shape[-2]) == 0
    return jnp.where(constant, rates.harmonics, rates.harmonics_rest)[:, None]


def _update_network(part: Any, direction: Any, rates: Rates, factor: jax.Array) -> Any:
    def updated(path, value, change):
        names = tuple(entry.key for entry in path)
        rate, decay = rates.networks, 0.0
        if names[-1] == _GRIDS:
            rate, decay = rates.grids, rates.grids_decay
        elif any(names[i : i + 2] == _ATTENTION for i in range(len(names))):
            rate, decay = rates.audio_attention, rates.attention_decay
        return value - factor * rate * (change + decay * value)

    return jax.tree_util.tree_map_with_path(updated, part, direction)
