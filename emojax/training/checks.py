"""Whether a recipe contradicts itself, asked before any work starts."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import Any

from emojax.head import BRANCHES, HeadConfig
from emojax.training.recipe import MEASURES, TRAINABLE, Phase, Recipe, Stage

BLINK = 45  # the unit that `encoders.expression_net` expects last


def check(recipe: Recipe) -> None:
    """Raises ValueError, naming the path, where a recipe contradicts itself.

    Args:
      recipe: to check.
    """
    for path, value in _numbers(recipe, ""):
        if not math.isfinite(value):
            raise ValueError(f"{path}: expected a finite number, got {value}")
    k = recipe.steps_per_dispatch
    for label in ("size", "steps_per_dispatch", "sheet_every", "save_every"):
        _at_least_one(label, getattr(recipe, label))
    for label in ("sheet_every", "save_every"):
        if getattr(recipe, label) % k:
            raise ValueError(f"{label}: expected a multiple of steps_per_dispatch, {k}")
    _check_head(recipe.head)
    if not recipe.stages:
        raise ValueError("stages: expected at least one, got none")
    _check_names("stages", [stage.name for stage in recipe.stages])
    for stage in recipe.stages:
        _check_stage(stage, recipe)


def _numbers(value: Any, path: str) -> Iterator[tuple[str, float]]:
    """All numbers of a recipe with their paths."""
    if dataclasses.is_dataclass(value):
        parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif isinstance(value, tuple):
        parts = {getattr(part, "name", str(i)): part for i, part in enumerate(value)}
    else:
        if isinstance(value, (int, float)):
            yield path, value
        return
    for name, part in parts.items():
        yield from _numbers(part, f"{path}.{name}" if path else name)


def _at_least_one(path: str, value: float) -> None:
    if value < 1:
        raise ValueError(f"{path}: expected at least 1, got {value}")


def _check_names(path: str, names: list[str]) -> None:
    """Names are folders and parts of paths."""
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: expected different names, got {names}")
    if bad := [name for name in names if not name.isidentifier()]:
        raise ValueError(f"{path}: expected names of letters, digits and _, got {bad}")


def _check_head(head: HeadConfig) -> None:
    for branch in BRANCHES:
        points, capacity = getattr(head, f"{branch}_points"), getattr(head, f"{branch}_capacity")
        if not 1 <= points <= capacity:
            raise ValueError(
                f"head.{branch}_points: expected 1 to head.{branch}_capacity, {capacity}, "
                f"got {points}"
            )
    units = head.action_units
    if len(units) < 2 or len(set(units)) < len(units) or units[-1] != BLINK:
        raise ValueError(
            f"head.action_units: expected different units with {BLINK} as the last, got {units}"
        )


def _check_stage(stage: Stage, recipe: Recipe) -> None:
    where, k = f"stages.{stage.name}", recipe.steps_per_dispatch
    if not stage.phases:
        raise ValueError(f"{where}.phases: expected at least one, got none")
    _check_names(f"{where}.phases", [phase.name for phase in stage.phases])
    ends = [0, *(phase.until for phase in stage.phases)]
    if any(b <= a for a, b in itertools.pairwise(ends)):
        raise ValueError(f"{where}.phases: expected growing `until`, got {ends[1:]}")
    if bad := [end for end in ends if end % k]:
        raise ValueError(
            f"{where}.phases: expected multiples of steps_per_dispatch, {k}, got {bad}"
        )
    _at_least_one(f"{where}.hair_every", stage.hair_every)
    for label in ("means_steps", "halving_steps"):
        _at_least_one(f"{where}.rates.{label}", getattr(stage.rates, label))
    if stage.density is not None:
        _at_least_one(f"{where}.density.every", stage.density.every)
        if stage.density.every % k or stage.density.start % k:
            raise ValueError(
                f"{where}.density: expected `every` and `start` to be multiples of "
                f"steps_per_dispatch, {k}, got {stage.density.every} and {stage.density.start}"
            )
    share = stage.emotional_share
    if not 0 <= share <= 1:
        raise ValueError(f"{where}.emotional_share: expected 0 to 1, got {share}")
    if share and stage.windows:
        raise ValueError(f"{where}.windows: expected none where emotional_share is above 0")
    for phase in stage.phases:
        _check_phase(stage, phase, recipe, f"{where}.phases.{phase.name}")
    for i, window in enumerate(stage.windows):
        if window.measure not in MEASURES:
            raise ValueError(
                f"{where}.windows: expected a measure of {list(MEASURES)}, got {window.measure!r}"
            )
        for label in ("every", "span"):
            _at_least_one(f"{where}.windows.{i}.{label}", getattr(window, label))


def _check_phase(stage: Stage, phase: Phase, recipe: Recipe, here: str) -> None:
    """A phase trains and weighs nothing that its picture does not show."""
    size = recipe.size
    _check_surface(stage, phase, recipe.head, here)
    if not phase.trains:
        raise ValueError(f"{here}.trains: expected something, got nothing")
    if unknown := [name for name in phase.trains if name not in TRAINABLE]:
        raise ValueError(f"{here}.trains: {unknown} unknown, there are {list(TRAINABLE)}")
    shown = BRANCHES if stage.target == "fused" else (stage.target,)
    for name in phase.trains:
        branch, _, field = name.partition(".")
        branch = "face" if branch == "emotion" else branch
        if branch not in shown:
            raise ValueError(f"{here}.trains: {name} is not in the picture of {stage.target!r}")
        if field == "motion" and not phase.moving:
            raise ValueError(f"{here}.trains: {name}, but the phase has no motion")
    weights = dataclasses.asdict(phase.weights)
    if negative := [name for name, weight in weights.items() if weight < 0]:
        raise ValueError(f"{here}.weights: expected 0 or more, got less for {negative}")
    absent = {
        "alpha": stage.target == "fused",
        "motion": not phase.moving,
        "attention_lips": stage.target != "face" or not phase.moving,
        "attention_hair": stage.target != "face" or not phase.moving,
    }
    if wrong := [name for name, missing in absent.items() if missing and weights[name]]:
        raise ValueError(f"{here}.weights: {wrong} have nothing to act on in this picture")
    sides = {
        "patches": ("patch_sides", phase.patch_sides),
        "lip_patch": ("lip_side", (phase.lip_side,)),
    }
    for weight, (label, values) in sides.items():
        if weights[weight] and (not values or not all(0 < side <= size for side in values)):
            raise ValueError(
                f"{here}.{label}: expected 1 to {size} pixels, for weights.{weight}, got {values}"
            )


def _check_surface(stage: Stage, phase: Phase, head: HeadConfig, here: str) -> None:
    """Emotions and normals only where the head has them and the phase shows them."""
    if phase.emotional and head.emotion == "none":
        raise ValueError(f"{here}.emotional: expected a head with emotion, got head.emotion 'none'")
    if phase.emotional and not phase.moving:
        raise ValueError(f"{here}.emotional: expected a phase with motion")
    if stage.emotional_share and not phase.emotional:
        raise ValueError(
            f"{here}.emotional: expected true in a stage that takes emotional pictures"
        )
    if "emotion.motion" in phase.trains and not (phase.emotional and head.has_emotion_branch):
        raise ValueError(
            f"{here}.trains: emotion.motion needs an emotional phase and head.emotion 'encoded' or "
            "'raw'"
        )
    weights = phase.weights
    terms = {name: getattr(weights, name) for name in ("normals", "normals_rough", "normals_size")}
    named = [name for name, weight in terms.items() if weight]
    named += ["face.normals"] if "face.normals" in phase.trains else []
    if named and not (head.normals and stage.target == "face"):
        raise ValueError(f"{here}: {named} need head.normals and a stage of the face")
