"""The training step: (state, frame) -> (state, info), and several of them in one dispatch.

Everything inside is one compiled program per phase of a stage: no host, no new shapes. What is
static (recipe, phase) is bound by `make`; a `Program` counts how often it was traced.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from emojax import gaussians
from emojax.losses import perceptual
from emojax.training import objectives, optimizer
from emojax.training import state as states
from emojax.training.objectives import Frame
from emojax.training.recipe import Phase, Stage
from emojax.training.state import State
from emojax.types import Camera


class Info(NamedTuple):
    """What is told of one step, or (with a leading axis) of several.

    Attributes:
      loss: [], weighted sum of the terms.
      terms: by name, unweighted.
      budget: share of the picture's absolute difference by region.
      gradients: norm of the gradient of each part that trains.
      finite: bool [], whether all numbers of each part that trains still are. (A Gaussian that is
        not is not drawn: the loss would not tell.)
    """

    loss: jax.Array
    terms: Mapping[str, jax.Array]
    budget: Mapping[str, jax.Array]
    gradients: Mapping[str, jax.Array]
    finite: Mapping[str, jax.Array]


def train_step(
    state: State,
    frame: Frame,
    camera: Camera,
    *,
    stage: Stage,
    phase: Phase,
    extent: float,
    measure: perceptual.Measure | None = None,
) -> tuple[State, Info]:
    """Takes one step.

    Args:
      state: before it.
      frame: unbatched.
      camera: of the clip; its pose is replaced by the frame's.
      stage: static.
      phase: static, of this step.
      extent: of the cameras, metres.
      measure: perceptual distance, where a weight asks for one.
    """
    counted = stage.target if stage.density is not None else None
    tap = jnp.zeros((getattr(state.head, counted).capacity, 4)) if counted else None
    names = sorted(phase.trains)

    def loss(parts, tap):
        head = states.put(state.head, parts)
        return objectives.loss(
            head,
            frame,
            camera,
            jax.random.fold_in(state.key, state.step),
            stage=stage,
            phase=phase,
            step=state.step,
            tap=tap,
            measure=measure,
        )

    parts = states.get(state.head, names)
    differentiate = jax.value_and_grad(loss, argnums=(0, 1) if counted else 0, has_aux=True)
    (value, outcome), gradients = differentiate(parts, tap)
    statistics = dict(state.statistics)
    if counted:
        gradients, tap_gradient = gradients
        statistics[counted] = gaussians.accumulate(
            statistics[counted],
            tap_gradient,
            outcome.radii,
            width=camera.width,
            height=camera.height,
        )
    moments = dict(state.moments)
    for name in names:
        parts[name], moments[name] = optimizer.update(
            name,
            parts[name],
            gradients[name],
            moments[name],
            rates=stage.rates,
            step=state.step,
            extent=extent,
        )
    head = states.put(state.head, parts)
    info = Info(
        loss=value,
        terms=outcome.terms,
        budget=outcome.budget,
        gradients={name: _norm(gradients[name]) for name in names},
        finite={name: _all_finite(parts[name]) for name in names},
    )
    return state.replace(
        head=head, moments=moments, statistics=statistics, step=state.step + 1
    ), info


class Program:
    """Several steps of one phase as one compiled function.

    Attributes:
      traces: how often it was traced; more than once a capacity means a shape has changed.
    """

    def __init__(self, step: Callable[[State, Frame, Camera], tuple[State, Info]]):
        """Compiles at the first call.

        Args:
          step: `train_step` with what is static bound.
        """
        self.traces = 0

        def steps(state: State, frames: Frame, camera: Camera) -> tuple[State, Info]:
            self.traces += 1
            return jax.lax.scan(lambda s, frame: step(s, frame, camera), state, frames)

        self._run = jax.jit(steps)

    def __call__(self, state: State, frames: Frame, camera: Camera) -> tuple[State, Info]:
        """Takes K steps.

        Args:
          state: before them.
          frames: with a leading axis K.
          camera: of the clip.

        Returns:
          The state, and Info with a leading axis K.
        """
        return self._run(state, frames, camera)


def make(
    stage: Stage, phase: Phase, *, extent: float, measure: perceptual.Measure | None = None
) -> Program:
    """Returns the program of a phase.

    Args:
      stage: of which.
      phase: of the stage.
      extent: of the cameras, metres.
      measure: perceptual distance, where a weight asks for one.
    """
    return Program(
        functools.partial(train_step, stage=stage, phase=phase, extent=extent, measure=measure)
    )


def _norm(gradient) -> jax.Array:
    """The Euclidean norm of all numbers of a part's gradient; a NaN shows."""
    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(gradient)))


def _all_finite(part) -> jax.Array:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(part)]))
