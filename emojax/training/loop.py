"""The loop of a stage: a generator of what happened, dispatch by dispatch.

Frames are read ahead by another thread; the caller logs, saves, draws and stops. Which frames come
is a pure function of (seed, stage, step), so that a loop that begins at step s does what one that
began at 0 does from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from emojax.data import clip as clips
from emojax.data.clip import Batch, Clip
from emojax.losses import perceptual
from emojax.training import curriculum, growth, schedules
from emojax.training import state as states
from emojax.training import step as steps
from emojax.training.curriculum import Measures
from emojax.training.growth import Round
from emojax.training.objectives import Frame
from emojax.training.recipe import Phase, Recipe, Stage
from emojax.training.state import State
from emojax.training.step import Info
from emojax.types import Condition


class Report(NamedTuple):
    """One dispatch.

    Attributes:
      state: after it.
      step: int, the next step.
      phase: of its steps.
      info: numpy, with a leading axis of its steps.
      rows: int [K] frames it has seen.
      missed: windows of the curriculum that no frame fitted.
      round: of density, that went before it, or None.
      traces: how often the phase's program was traced so far.
    """

    state: State
    step: int
    phase: Phase
    info: Info
    rows: np.ndarray
    missed: int
    round: Round | None
    traces: int


class DivergedError(Exception):
    """A number is no longer finite.

    Attributes:
      state: before the dispatch.
      batch: that it was given.
      info: numpy, of its steps.
      what: name of the first thing that is not finite.
      step: of that.
    """

    def __init__(self, state: State, batch: Frame, info: Info, *, what: str, step: int):
        """Holds what is needed to take the dispatch again."""
        super().__init__(f"{what} is not finite at step {step}")
        self.state, self.batch, self.info, self.what, self.step = state, batch, info, what, step


def run_stage(
    state: State,
    clip: Clip,
    stage: Stage,
    *,
    recipe: Recipe,
    measures: Measures,
    seed: int,
    measure: perceptual.Measure | None = None,
) -> Iterator[Report]:
    """Yields a report after every dispatch, from the state's step to the end of the stage.

    Args:
      state: of this stage.
      clip: to train on.
      stage: of `recipe`.
      recipe: says how many steps make a dispatch.
      measures: of the clip, for the curriculum.
      seed: of the run.
      measure: perceptual distance, where a weight asks for one.

    Raises:
      DivergedError: a loss or gradient is not finite.
      DataError: the Gaussians outgrow their limit, or die out.
    """
    num = recipe.steps_per_dispatch
    extent = states.extent(clip.world_to_camera[: clip.num_train])
    columns = clip.action_units.places(recipe.head.action_units)
    choices = [
        curriculum.choose(seed, stage, measures, first=first, num=num)
        for first in range(int(state.step), stage.steps, num)
    ]
    camera, programs = clip.camera(0), {}
    batches = clips.prefetch(clip, (choice.rows for choice in choices))
    for choice, batch in zip(choices, batches, strict=True):
        step = int(state.step)
        phase = stage.phase(step)
        # Phases that differ only in when they are, as without perceptual terms, share a program.
        alike = dataclasses.replace(phase, name="", until=0)
        if alike not in programs:
            programs[alike] = steps.make(stage, phase, extent=extent, measure=measure)
        program = programs[alike]
        counts = None
        if schedules.density_round(step, stage.density):
            here = camera.replace(world_to_camera=jnp.asarray(batch.world_to_camera[0]))
            state, counts = growth.take_round(state, here, stage=stage, extent=extent)
        before, frames = state, to_frames(batch, columns)
        state, info = program(state, frames, camera)
        info = jax.device_get(info)
        what = _not_finite(info)
        if what is not None:
            name, index = what
            raise DivergedError(before, frames, info, what=name, step=step + index)
        yield Report(
            state=state,
            step=step + num,
            phase=phase,
            info=info,
            rows=choice.rows,
            missed=choice.missed,
            round=counts,
            traces=program.traces,
        )


def to_frames(batch: Batch, columns: np.ndarray) -> Frame:
    """Returns a batch in the form in which a step takes it.

    Args:
      batch: of K rows.
      columns: int [A] of the action units that the head sees.
    """
    return Frame(
        image=batch.images,
        labels=batch.labels,
        backdrop=batch.backdrops,
        landmarks=batch.landmarks,
        world_to_camera=batch.world_to_camera,
        condition=Condition(
            audio=batch.audio,
            action_units=batch.action_units[:, columns],
            emotion=batch.valence_arousal,
        ),
        normals=batch.normals,
    )


def _not_finite(info: Info) -> tuple[str, int] | None:
    """The first thing that is not finite, and its place in the dispatch."""
    named = {"the loss": info.loss}
    named |= {f"the term {name}": values for name, values in info.terms.items()}
    named |= {f"the gradient of {name}": values for name, values in info.gradients.items()}
    named |= {name: np.where(fine, 0, np.nan) for name, fine in info.finite.items()}
    found = [
        (int(np.flatnonzero(~np.isfinite(values))[0]), name)
        for name, values in named.items()
        if not np.isfinite(values).all()
    ]
    if not found:
        return None
    index, name = min(found, key=lambda pair: pair[0])
    return name, index
