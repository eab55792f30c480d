"""Gaussians + Motion -> moved Gaussians: the only place where motion is added.

Addition is in raw (unconstrained) space, before softplus or exp makes sizes of it and before a
quaternion is normalised: TalkingGaussian, Li et al. 2024, Eq. 6. Opacities and colours stay.
"""

from __future__ import annotations

import jax

from emojax.types import Gaussians, Motion


def move(gaussians: Gaussians, motion: Motion) -> Gaussians:
    """Returns the Gaussians where `motion` takes them.

    Args:
      gaussians: the canonical cloud, N slots, alive or not.
      motion: of each of its slots; what is None stays.

    Returns:
      A cloud of the same slots.

    Raises:
      ValueError: `motion` has another number of slots.
    """
    changed = {}
    for name in ("means", "quaternions", "scales"):
        value, change = getattr(gaussians, name), getattr(motion, name)
        if change is not None:
            changed[name] = _add(name, value, change)
    return gaussians.replace(**changed)


def _add(name: str, value: jax.Array, change: jax.Array) -> jax.Array:
    if value.shape != change.shape:
        raise ValueError(
            f"motion.{name} has shape {change.shape}, expected {value.shape} as the Gaussians have"
        )
    return value + change
