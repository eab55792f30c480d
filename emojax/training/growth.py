"""Rounds of density: Gaussians are added where the picture asks for more, and useless ones go.

A round is array -> array on the host's call, between dispatches. Where no slot is free, the cloud's
capacity doubles and the round is taken again from the same state: nothing is dropped silently.
Sources: TalkingGaussian `scene/gaussian_model.py`, `train_face.py`, `train_mouth.py`.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from emojax import gaussians
from emojax.data.errors import DataError
from emojax.gaussians import SlotMap, density, harmonics
from emojax.head import Branch
from emojax.training import schedules
from emojax.training.objectives import GREEN
from emojax.training.recipe import SLOTTED, Density, Stage
from emojax.training.state import State
from emojax.types import Camera


class Round(NamedTuple):
    """Counts of one round.

    Attributes:
      branch: whose Gaussians.
      cloned: Gaussians that got a copy.
      split: Gaussians that were replaced by two.
      pruned: Gaussians removed.
      nonfinite: those of the pruned that had a NaN or infinite parameter.
      alive: living Gaussians afterwards.
      capacity: slots afterwards.
    """

    branch: Branch
    cloned: int
    split: int
    pruned: int
    nonfinite: int
    alive: int
    capacity: int


def take_round(state: State, camera: Camera, *, stage: Stage, extent: float) -> tuple[State, Round]:
    """Takes a round before the state's next step.

    Args:
      state: between two steps.
      camera: of a frame: Gaussians of the background's colour are judged from there.
      stage: with `density`.
      extent: of the cameras, metres.

    Raises:
      DataError: the cloud would outgrow `max_capacity`, or nothing is left alive.
    """
    branch, limits = stage.target, stage.density
    step = int(state.step)
    while True:
        taken, (densified, pruned) = _round(
            state, camera, branch=branch, stage=stage, extent=extent, grows=step < limits.until
        )
        if not int(densified.unplaced):
            break
        state = enlarge(state, branch, limits)
    alive = int(pruned.alive)
    if not alive:
        raise DataError(
            expected=f"some Gaussians of the {branch}",
            got=f"none alive after {step} steps of stage {stage.name}",
            fix="Look at the contact sheets: is there a face in the frames? Lower "
            f"stages.{stage.name}.density.min_opacity.",
        )
    return taken, Round(
        branch=branch,
        cloned=int(densified.cloned),
        split=int(densified.split),
        pruned=int(pruned.pruned),
        nonfinite=int(pruned.nonfinite),
        alive=alive,
        capacity=getattr(taken.head, branch).capacity,
    )


def enlarge(state: State, branch: Branch, limits: Density) -> State:
    """Returns the state with twice the slots for a branch; what was compiled compiles anew.

    Args:
      state: to take from.
      branch: whose slots.
      limits: with `max_capacity`.

    Raises:
      DataError: that would be more than `max_capacity`.
    """
    cloud = getattr(state.head, branch)
    capacity = 2 * cloud.capacity
    if capacity > limits.max_capacity:
        raise DataError(
            expected=f"at most {limits.max_capacity} Gaussians of the {branch}",
            got="more to be added",
            fix="Raise density.gradient_threshold, or density.max_capacity where memory allows.",
        )
    cloud, slots = density.grow(cloud, capacity=capacity)
    return _follow(state, branch, cloud, slots, statistics=True)


@functools.partial(jax.jit, static_argnames=("branch", "stage", "extent", "grows"))
def _round(state: State, camera: Camera, *, branch, stage, extent, grows):
    limits = stage.density
    cloud, none = getattr(state.head, branch), jnp.int32(0)
    densified = density.Info(none, none, none, none, none, none)
    if grows:
        cloud, slots, densified = density.densify(
            cloud,
            state.statistics[branch],
            # Steps fold their own number into the key, all below 2^31; rounds those above.
            jax.random.fold_in(state.key, state.step.astype(jnp.uint32) + jnp.uint32(2**31)),
            gradient_threshold=limits.gradient_threshold,
            extent=extent,
            dense_fraction=limits.dense_fraction,
        )
        state = _follow(state, branch, cloud, slots, statistics=True)
    step, floor = state.step, jnp.float32(-1)
    is_background = _is_background(cloud, camera, state.step, stage)
    cloud, slots, pruned = density.prune(
        cloud,
        min_opacity=schedules.min_opacity(step, limits) if grows else floor,
        max_scale=schedules.size_limit(step if grows else 0, limits.max_scale * extent, limits),
        max_radius=schedules.size_limit(step if grows else 0, limits.max_radius, limits),
        statistics=state.statistics[branch],
        remove=is_background & (step < limits.background_until),
    )
    state = _follow(state, branch, cloud, slots, statistics=False)
    fresh = {branch: gaussians.init_statistics(cloud.capacity)}
    return state.replace(statistics={**state.statistics, **fresh}), (densified, pruned)


def _is_background(cloud, camera: Camera, step: jax.Array, stage: Stage) -> jax.Array:
    """[N] whether a Gaussian has the green that is behind it while it trains."""
    degree = schedules.active_degree(step, stage, degree=cloud.degree)
    colors = harmonics.evaluate(
        cloud.harmonics, harmonics.view_directions(cloud.means, camera), active_degree=degree
    )
    # Outside of [0, 1] is beyond green, not away from it.
    away = jnp.abs(jnp.clip(colors, 0, 1) - jnp.array(GREEN))
    return jnp.all(away < stage.density.background, axis=-1)


def _follow(state: State, branch: Branch, cloud, slots: SlotMap, *, statistics: bool) -> State:
    """The state with another cloud, and all that is kept by slot moved with it."""
    moments = dict(state.moments)
    for name in (f"{branch}.{field}" for field in SLOTTED):
        if name in moments:
            moments[name] = density.reset_moments(moments[name], slots)
    kept = dict(state.statistics)
    if statistics:
        kept[branch] = density.reset_moments(kept[branch], slots)
    return state.replace(
        head=state.head.replace(**{branch: cloud}), moments=moments, statistics=kept
    )
