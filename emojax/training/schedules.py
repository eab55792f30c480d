"""Everything that depends on the number of a step: rates, limits, what counts when.

Each is a function of the step and of the recipe's numbers, traced or not. Steps count from 0 within
a stage.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emojax.training.recipe import Density, Rates, Stage


def mean_rate(step: jax.Array | int, rates: Rates, *, extent: float | jax.Array) -> jax.Array:
    """Returns the learning rate of means: log-linear, then constant (3DGS).

    Args:
      step: of the stage.
      rates: of the stage.
      extent: of the cameras, metres.
    """
    first, last = rates.means
    t = jnp.clip(step / rates.means_steps, 0, 1)
    return extent * first ** (1 - t) * last**t


def network_factor(step: jax.Array | int, rates: Rates) -> jax.Array:
    """Returns what the networks' learning rates are multiplied by, 1 at the start.

    TalkingGaussian halves them over `halving_steps` and then takes 0.1^(step / tenth_steps) of the
    start: from 0.5 to 0.158 at step 40,000 of the face. Without `tenth_steps` they go on halving.

    Args:
      step: of the stage.
      rates: of the stage.
    """
    halved = 0.5 ** (step / rates.halving_steps)
    if rates.tenth_steps is None:
        return jnp.asarray(halved)
    return jnp.where(step < rates.halving_steps, halved, 0.1 ** (step / rates.tenth_steps))


def active_degree(step: jax.Array | int, stage: Stage, *, degree: int) -> jax.Array:
    """Returns the highest degree of the spherical harmonics in use, int32.

    Args:
      step: of the stage.
      stage: says how often a degree is added.
      degree: there are.
    """
    if stage.degree_every == 0:
        return jnp.int32(degree)
    return jnp.minimum(jnp.asarray(step) // stage.degree_every, degree).astype(jnp.int32)


def min_opacity(step: jax.Array | int, density: Density) -> jax.Array:
    """Returns the opacity below which a round prunes.

    Args:
      step: of the stage.
      density: of the stage.
    """
    first, last = density.min_opacity
    return first + (last - first) * jnp.clip(step / density.until, 0, 1)


def size_limit(step: jax.Array | int, limit: float | None, density: Density) -> jax.Array:
    """Returns a size limit, infinite before `limits_from` and where there is none.

    Args:
      step: of the stage.
      limit: or None.
      density: of the stage.
    """
    if limit is None:
        return jnp.float32(jnp.inf)
    return jnp.where(step >= density.limits_from, limit, jnp.inf)


def counts_hair(step: jax.Array | int, stage: Stage) -> jax.Array:
    """Returns whether hair is part of the picture at a step, bool.

    Args:
      step: of the stage.
      stage: with `hair_every` and `hair_steps`.
    """
    first, last = stage.hair_steps
    step = jnp.asarray(step)
    return (step < first) | (step >= last) | (step % stage.hair_every == 0)


def density_round(step: int, density: Density | None) -> bool:
    """Returns whether a round of adding and removing follows before a step is taken.

    Args:
      step: the next one of the stage.
      density: of the stage.
    """
    if density is None or step <= density.start or step % density.every:
        return False
    return step < max(density.until, density.background_until)
