"""Other recipes made from a recipe: shorter or longer, for other pictures, with fewer terms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

from emojax.training.recipe import Phase, Recipe, Stage


def scaled(recipe: Recipe, *, steps: float = 1.0, size: int | None = None) -> Recipe:
    """Returns the recipe in fewer or more steps, and for pictures of another size.

    The whole schedule follows, and what it counts in pixels; rates stay as they are.

    Args:
      recipe: to take from.
      steps: share of its steps.
      size: side of the pictures, pixels; as it is by default.

    Raises:
      ValueError: there would be no steps or no pixels.
    """
    if not (math.isfinite(steps) and steps > 0):
        raise ValueError(f"steps: expected a share above 0, got {steps}")
    if size is not None and size < 1:
        raise ValueError(f"size: expected at least 1 pixel, got {size}")
    size = recipe.size if size is None else size
    rhythms = [stage.density.every for stage in recipe.stages if stage.density is not None]
    multiple = math.lcm(recipe.steps_per_dispatch, *rhythms)

    def change(stage: Stage) -> Stage:
        if steps != 1.0:
            stage = scale_steps(stage, steps, multiple=multiple)
        return stage if size == recipe.size else scale_size(stage, size / recipe.size)

    return dataclasses.replace(recipe, size=size, stages=tuple(map(change, recipe.stages)))


def scale_steps(stage: Stage, factor: float, *, multiple: int) -> Stage:
    """Returns the stage with its whole schedule shortened or stretched in time.

    Rates and the rhythm of rounds (every so many steps) stay as they are.

    Args:
      stage: to take from.
      factor: of all numbers of steps.
      multiple: what phases and rounds must be multiples of: `steps_per_dispatch`, or the rhythm of
        density rounds.
    """

    def scaled(steps: int) -> int:
        return max(multiple, round(steps * factor / multiple) * multiple) if steps else 0

    def phases() -> tuple[Phase, ...]:
        made, end = [], 0
        for phase in stage.phases:
            # A short phase keeps a dispatch of its own.
            end = max(end + multiple, scaled(phase.until))
            made.append(dataclasses.replace(phase, until=end))
        return tuple(made)

    rates, density = stage.rates, stage.density
    return dataclasses.replace(
        stage,
        phases=phases(),
        rates=dataclasses.replace(
            rates,
            means_steps=scaled(rates.means_steps),
            halving_steps=scaled(rates.halving_steps),
            tenth_steps=None if rates.tenth_steps is None else scaled(rates.tenth_steps),
        ),
        density=None
        if density is None
        else dataclasses.replace(
            density,
            start=scaled(density.start),
            until=scaled(density.until),
            limits_from=scaled(density.limits_from),
            background_until=scaled(density.background_until),
        ),
        windows=tuple(
            dataclasses.replace(
                window,
                first=scaled(window.first),
                last=scaled(window.last),
                span=scaled(window.span),
            )
            for window in stage.windows
        ),
        degree_every=scaled(stage.degree_every),
        hair_steps=(scaled(stage.hair_steps[0]), scaled(stage.hair_steps[1])),
    )


def scale_size(stage: Stage, factor: float) -> Stage:
    """Returns the stage with what it counts in pixels fitted to pictures of another size.

    LPIPS patches keep their sides, which are near the smallest that its network takes.

    Args:
      stage: to take from.
      factor: of the side of the pictures.
    """
    pixels = stage.min_mouth_pixels
    phases = tuple(
        dataclasses.replace(phase, lip_side=round(phase.lip_side * factor))
        for phase in stage.phases
    )
    return dataclasses.replace(
        stage, phases=phases, min_mouth_pixels=max(1, round(pixels * factor**2)) if pixels else 0
    )


def without_perceptual(recipe: Recipe) -> Recipe:
    """Returns the recipe without the terms that need weights of a perceptual network.

    Args:
      recipe: to take from.
    """

    def plain(phase: Phase) -> Phase:
        weights = dataclasses.replace(phase.weights, patches=0.0, lip_patch=0.0)
        return dataclasses.replace(phase, weights=weights, patch_sides=(), lip_side=0)

    stages = tuple(_each_phase(stage, plain) for stage in recipe.stages)
    return dataclasses.replace(recipe, stages=stages)


def without_emotion(recipe: Recipe) -> Recipe:
    """Returns the recipe for a clip that has no emotional pictures: a head without emotion.

    Args:
      recipe: to take from.
    """
    stages = tuple(
        _each_phase(stage, lambda phase: dataclasses.replace(phase, emotional=False))
        for stage in recipe.stages
        if not stage.emotional_share
    )
    head = dataclasses.replace(recipe.head, emotion="none")
    return dataclasses.replace(recipe, head=head, stages=stages)


def without_normals(recipe: Recipe) -> Recipe:
    """Returns the recipe for a clip that has no normals: a head that learns none.

    Args:
      recipe: to take from.
    """

    def plain(phase: Phase) -> Phase:
        weights = dataclasses.replace(
            phase.weights, normals=0.0, normals_rough=0.0, normals_size=0.0
        )
        trains = tuple(name for name in phase.trains if name != "face.normals")
        return dataclasses.replace(phase, weights=weights, trains=trains)

    stages = tuple(_each_phase(stage, plain) for stage in recipe.stages)
    head = dataclasses.replace(recipe.head, normals=False)
    return dataclasses.replace(recipe, head=head, stages=stages)


def _each_phase(stage: Stage, change: Callable[[Phase], Phase]) -> Stage:
    return dataclasses.replace(stage, phases=tuple(change(phase) for phase in stage.phases))
