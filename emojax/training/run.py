"""A run: stages one after the other, with checkpoints, logs and contact sheets in its folder.

| file | content |
| --- | --- |
| config.json, run.json | what is run, by which versions |
| checkpoints/ | see `checkpoints` |
| metrics.jsonl | one line a dispatch; tensorboard/ where installed |
| samples/ | contact sheets STAGE_STEP.png |
| diverged/ | batch and state where a number was not finite |
"""

from __future__ import annotations

import pathlib
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from emojax import config as configs
from emojax import head as heads
from emojax.data import files
from emojax.data.clip import Clip
from emojax.data.errors import DataError
from emojax.losses import perceptual
from emojax.training import checkpoints, checks, curriculum, lock, loop, record, sheets
from emojax.training import state as states
from emojax.training.checkpoints import Place
from emojax.training.logs import Log
from emojax.training.loop import DivergedError, Report
from emojax.training.recipe import Recipe, Stage
from emojax.training.state import State

SAMPLES, DIVERGED = "samples", "diverged"
NAMED = 5  # differences that a refusal names; a whole configuration would be some hundred


def look(
    folder: pathlib.Path, recipe: Recipe, facts: dict[str, Any], *, resume: bool
) -> Place | None:
    """Looks at a run's folder, before any work starts.

    Args:
      folder: of the run.
      recipe: asked for.
      facts: of the run, as far as they are known; those of `record.DECIDING` must be what it
        began with.
      resume: go on with what is there.

    Returns:
      Where to go on, or None at the start.

    Raises:
      DataError: the folder holds another run, or one that was not to be resumed, or there is none
        to resume.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(
            expected=f"a folder for the run {folder}", got="a file", fix="Name another with --run."
        )
    if not (folder / record.CONFIG).exists():
        if resume:
            raise DataError(
                expected=f"a run to resume in {folder}",
                got="none",
                fix="Check its name, or begin a new run without --resume.",
            )
        others = [] if not folder.exists() else [p.name for p in folder.iterdir()]
        # What a run leaves that was killed while it wrote its first files.
        own = (record.FACTS, lock.FILE)
        others = [n for n in others if n not in own and not n.endswith(files.PARTIAL)]
        if others:
            raise DataError(
                expected=f"an empty folder or a run in {folder}",
                got=f"other files, {others[0]} for one",
                fix="Name another folder with --run.",
            )
        return None
    before, known = record.read(folder)
    if not resume:
        raise DataError(
            expected=f"a new folder for the run {folder}",
            got=f"a run with configuration {before.name!r}",
            fix="Go on with --resume, or name another folder.",
        )
    checkpoints.check_fits(folder, before)
    changed = configs.differences(before, recipe)
    changed += [
        f"{name}: {known.get(name)} -> {facts[name]}"
        for name in record.DECIDING
        if name in facts and known.get(name) != facts[name]
    ]
    if changed:
        raise DataError(
            expected="the configuration that the run began with",
            got=_listed(changed),
            fix="Give what it began with, or name another folder with --run.",
        )
    found = checkpoints.places(folder, recipe)
    return found[0] if found else None


def _listed(changed: list[str]) -> str:
    """The first differences, and how many there are besides."""
    more = len(changed) - NAMED
    return "; ".join(changed[:NAMED]) + (f"; and {more} more" if more > 0 else "")


def prepare(
    folder: pathlib.Path, recipe: Recipe, facts: dict[str, Any], *, resume: bool
) -> Place | None:
    """Looks as `look` does, and writes what the run is where it begins.

    The caller holds the run's `lock`. A data set that has moved but holds what it held is noted.

    Args:
      folder: of the run.
      recipe: asked for.
      facts: clip, seed, versions.
      resume: go on with what is there.

    Returns:
      Where to go on, or None at the start.

    Raises:
      DataError: as `look`.
    """
    place = look(folder, recipe, facts, resume=resume)
    if not (folder / record.CONFIG).exists():
        files.make_folder(folder)
        record.write(folder, recipe, facts)
    else:
        _, known = record.read(folder)
        if known.get("data") != facts["data"]:
            record.write_facts(folder, known | {"data": facts["data"]})
    return place


def train(
    folder: pathlib.Path,
    clip: Clip,
    recipe: Recipe,
    *,
    seed: int,
    place: Place | None = None,
    measure: perceptual.Measure | None = None,
    progress: Callable[[Stage, Iterator[Report], int], Iterator[Report]] | None = None,
) -> State:
    """Trains, or goes on training, and returns the last state.

    Args:
      folder: of the run, prepared.
      clip: to train on.
      recipe: of the run.
      seed: of the run.
      place: of the checkpoint to go on from.
      measure: perceptual distance, where a weight asks for one.
      progress: wraps the reports of a stage that begins at a step, for a progress bar.

    Raises:
      DivergedError: a number is not finite; batch and state were saved.
      DataError: no room for a checkpoint; Gaussians outgrow their limit or die out.
    """
    checks.check(recipe)
    measures = curriculum.measure(clip)
    state = None if place is None else checkpoints.load(folder, recipe, place)
    first = 0 if place is None else [s.name for s in recipe.stages].index(place.stage)
    before = {s.name: s.steps for s in recipe.stages[:first]}
    if place is not None:
        before[place.stage] = place.step
    with Log(folder, before=before) as log:
        for number, stage in enumerate(recipe.stages[first:], first):
            if state is None or number > first:
                state = _begin(seed, state, clip, recipe, stage)
            if int(state.step) >= stage.steps:
                continue
            reports = loop.run_stage(
                state, clip, stage, recipe=recipe, measures=measures, seed=seed, measure=measure
            )
            if progress is not None:
                reports = progress(stage, reports, int(state.step))
            done = sum(s.steps for s in recipe.stages[:number])
            state = _run_stage(folder, clip, recipe, stage, reports, log, done)
    return state


def _begin(seed: int, state: State | None, clip: Clip, recipe: Recipe, stage: Stage) -> State:
    key_head, key_stages = jax.random.split(jax.random.key(seed))
    head = heads.init(key_head, recipe.head) if state is None else state.head
    # By its name: a stage more or less does not change the others.
    key = jax.random.fold_in(key_stages, zlib.crc32(stage.name.encode()))
    return states.begin(key, head, stage)


def _run_stage(folder, clip, recipe: Recipe, stage: Stage, reports, log: Log, done: int) -> State:
    """Runs a stage to its end and returns its state."""
    clock = time.perf_counter()
    try:
        for report in reports:
            now = time.perf_counter()
            values = summarise(report)
            values["steps_per_second"] = len(report.rows) / (now - clock)
            log.write(stage.name, report.step, values, total_step=done + report.step)
            last = report.step == stage.steps
            if last or report.step % recipe.sheet_every == 0:
                sheet = sheets.draw_sheet(report.state, clip, stage=stage, phase=report.phase)
                name = f"{stage.name}_{report.step:06}.png"
                files.make_folder(folder / SAMPLES)
                files.write_picture(folder / SAMPLES / name, sheet)
            if last or report.step % recipe.save_every == 0:
                checkpoints.save(folder, recipe, stage.name, report.state)
            clock = time.perf_counter()
    except DivergedError as error:
        _save_divergence(folder / DIVERGED, stage, error)
        raise
    return report.state


def summarise(report: Report) -> dict[str, Any]:
    """Returns the numbers of a dispatch for the log.

    Args:
      report: of it.
    """
    info = report.info
    values = {
        "phase": report.phase.name,
        "loss": float(info.loss.mean()),
        "terms": {name: float(v.mean()) for name, v in info.terms.items()},
        "budget": {name: float(v.mean()) for name, v in info.budget.items()},
        "gradients": {name: float(v.mean()) for name, v in info.gradients.items()},
        "missed": report.missed,
        "traces": report.traces,
    }
    if report.round is not None:
        values["round"] = report.round._asdict()
    return values


def _save_divergence(folder: pathlib.Path, stage: Stage, error: DivergedError) -> None:
    """Keeps what is needed to take the dispatch again."""
    files.make_folder(folder)
    state = error.state.replace(key=jax.random.key_data(error.state.key))
    for name, tree in (("state", state), ("batch", error.batch), ("info", error.info)):
        leaves = jax.tree_util.tree_leaves_with_path(tree)
        arrays = {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}
        path = folder / f"{stage.name}_{error.step:06}_{name}.npz"
        try:
            np.savez(path, **arrays)
        except OSError as reason:
            raise files.failed(path, reason) from error
