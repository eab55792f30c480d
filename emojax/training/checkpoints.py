"""Checkpoints of a run, with Orbax: everything that decides how training goes on.

    RUN/checkpoints/STAGE/STEP/state     the `State`
    RUN/checkpoints/STAGE/STEP/facts     JSON: digest of the recipe, and sizes that shapes depend on

A checkpoint appears under its name when it is complete (Orbax renames it), so that a killed run has
the one before. The state before step S of a stage, the recipe and the seed give the same bits from
there on as a run that was never interrupted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import pathlib
import shutil
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import orbax.checkpoint as ocp

from emojax import head as heads
from emojax.data.errors import DataError
from emojax.data.provenance import Provenance
from emojax.gaussians import density
from emojax.head import BRANCHES, Head
from emojax.training import record
from emojax.training import state as states
from emojax.training.recipe import Recipe, Stage
from emojax.training.state import State

CHECKPOINTS = "checkpoints"
KEPT = 2  # checkpoints of a stage; the one before serves where the last is damaged
CLEARED = 20  # times, a tenth of a second apart, that a failed save is looked after

# Orbax tells of every save, restore and failure in the log, several times; errors are raised, too.
logging.getLogger("absl").addFilter(lambda entry: "orbax" not in entry.pathname)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a run stands.

    Attributes:
      stage: name of the stage.
      step: the next step of it.
    """

    stage: str
    step: int


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained head and where it comes from.

    Attributes:
      head: of the last checkpoint.
      recipe: it was trained by.
      place: of the checkpoint.
      clip_folder: the data set.
      size: side of the pictures, pixels.
      features: name of the sound features.
      is_finished: whether all stages were trained to their end.
      forced: whether it was trained on a clip that is judged not usable.
      facts: what else `run.json` holds.
    """

    head: Head
    recipe: Recipe
    place: Place
    clip_folder: pathlib.Path
    size: int
    features: str
    is_finished: bool
    forced: bool
    facts: Mapping[str, Any]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user of the head should know, in words."""
        found = ()
        if not self.is_finished:
            found += (
                f"the head is not finished: trained to step {self.place.step} of stage "
                f"{self.place.stage}; go on with experiments/train.py --run RUN --resume",
            )
        if self.forced:
            found += ("the head was trained on a clip that is judged not usable",)
        return found

    @property
    def provenance(self) -> Provenance:
        """What films, pictures and clouds of the head say of themselves."""
        return Provenance(
            run=record.fingerprint(self.recipe, self.facts),
            recipe=self.recipe.name,
            trained_to=f"{self.place.stage} {self.place.step}",
        )


def save(run: pathlib.Path, recipe: Recipe, stage: str, state: State) -> None:
    """Saves a state; earlier checkpoints of the stage but the last are removed.

    Args:
      run: the run's folder.
      recipe: of the run.
      stage: name of the stage.
      state: to save.

    Raises:
      DataError: there is no room, or no permission; checkpoints that were there stay.
    """
    facts = {
        "recipe": record.digest(recipe),
        "capacity": {branch: getattr(state.head, branch).capacity for branch in BRANCHES},
    }
    items = ocp.args.Composite(
        state=ocp.args.StandardSave(_plain(state)), facts=ocp.args.JsonSave(facts)
    )
    try:
        with _quiet(), _manager(run, stage, max_to_keep=KEPT) as manager:
            manager.save(int(state.step), args=items, force=True)
    except (OSError, ValueError) as error:
        _clear(run / CHECKPOINTS / stage, int(state.step))
        raise DataError(
            expected=f"a place to save checkpoints in {run}",
            got=f"{type(error).__name__}: {_first_words(error)}",
            fix="Make room or choose another folder; then continue with --resume from the "
            "checkpoint before, which is intact.",
        ) from error


def places(run: pathlib.Path, recipe: Recipe) -> list[Place]:
    """Returns all checkpoints of a run, latest first.

    Args:
      run: the run's folder.
      recipe: of the run.
    """
    found = []
    for stage in reversed(recipe.stages):
        found += [Place(stage.name, step) for step in _steps(run / CHECKPOINTS / stage.name)]
    return found


def check_fits(run: pathlib.Path, recipe: Recipe) -> None:
    """Refuses a recipe by which the checkpoints of a run were not trained.

    Args:
      run: the run's folder.
      recipe: that its `config.json` holds.

    Raises:
      DataError: the last checkpoint, or one of a stage that the recipe does not have, is of another
        recipe.
    """
    found = places(run, recipe)
    for folder in (run / CHECKPOINTS).glob("*"):
        if folder.name not in [stage.name for stage in recipe.stages]:
            found = [Place(folder.name, step) for step in _steps(folder)] + found
    if not found:
        return
    try:
        with _quiet(), _manager(run, found[0].stage) as manager:
            trained_by = _facts(manager, found[0])["recipe"]
    except Exception:  # damaged: `load` says so
        return
    if trained_by != record.digest(recipe):
        raise _misfit(run, found[0])


def load(run: pathlib.Path, recipe: Recipe, place: Place) -> State:
    """Returns the state of a checkpoint.

    Args:
      run: the run's folder.
      recipe: of the run.
      place: of the checkpoint.

    Raises:
      DataError: the checkpoint is damaged, or `config.json` is not what it was trained by.
    """
    stage = next(stage for stage in recipe.stages if stage.name == place.stage)
    try:
        with _quiet(), _manager(run, place.stage) as manager:
            facts = _facts(manager, place)
            if facts["recipe"] != record.digest(recipe):
                raise _misfit(run, place)
            template = jax.eval_shape(lambda: _template(recipe, stage, facts))
            state = manager.restore(
                place.step, args=ocp.args.Composite(state=ocp.args.StandardRestore(template))
            )["state"]
    except DataError:
        raise
    except Exception as error:  # whatever a damaged file makes of Orbax, TensorStore and JSON
        raise DataError(
            expected=f"the checkpoint {place.stage}/{place.step} of {run}",
            got=f"{type(error).__name__}: {_first_words(error)}",
            fix=f"Remove the folder {CHECKPOINTS}/{place.stage}/{place.step}; the one before it "
            "serves then.",
        ) from error
    return state.replace(key=jax.random.wrap_key_data(state.key))


def load_run(run: pathlib.Path) -> Run:
    """Returns the head of the latest checkpoint of a run.

    Args:
      run: the run's folder.

    Raises:
      DataError: there is no run, no checkpoint, or it is damaged.
    """
    recipe, facts = record.read(run)
    check_fits(run, recipe)
    found = places(run, recipe)
    if not found:
        raise DataError(
            expected=f"a checkpoint in {run / CHECKPOINTS}",
            got="none",
            fix="Train until the first one is saved: experiments/train.py --run RUN --resume.",
        )
    last = recipe.stages[-1]
    return Run(
        head=load(run, recipe, found[0]).head,
        recipe=recipe,
        place=found[0],
        clip_folder=pathlib.Path(facts["data"]),
        size=recipe.size,
        features=recipe.head.features,
        is_finished=found[0] == Place(last.name, last.steps),
        forced=bool(facts.get("forced")),
        facts=facts,
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps asyncio from printing the errors of a write that Orbax raises anyway."""
    logger = logging.getLogger("asyncio")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _manager(run: pathlib.Path, stage: str, *, max_to_keep: int | None = None):
    options = ocp.CheckpointManagerOptions(
        max_to_keep=max_to_keep, enable_async_checkpointing=False, create=True
    )
    return ocp.CheckpointManager((run / CHECKPOINTS / stage).absolute(), options=options)


def _clear(folder: pathlib.Path, step: int) -> None:
    """Removes what a save that failed has left: its other files may still be on their way."""
    for _ in range(CLEARED):
        for half in folder.glob(f"{step}.*tmp*"):
            shutil.rmtree(half, ignore_errors=True)
        time.sleep(0.1)
        if not any(folder.glob(f"{step}.*tmp*")):
            return


def _steps(folder: pathlib.Path) -> list[int]:
    """Steps of the checkpoints in a stage's folder, latest first."""
    numbers = [int(p.name) for p in folder.glob("*") if p.name.isdigit() and p.is_dir()]
    return sorted(numbers, reverse=True)


def _facts(manager: ocp.CheckpointManager, place: Place) -> dict[str, Any]:
    """What is said of a checkpoint beside its state."""
    wanted = ocp.args.Composite(facts=ocp.args.JsonRestore())
    return manager.restore(place.step, args=wanted)["facts"]


def _misfit(run: pathlib.Path, place: Place) -> DataError:
    return DataError(
        expected=f"in {run / record.CONFIG} the recipe that its checkpoints were trained by",
        got=f"another than that of {place.stage}/{place.step}",
        fix=f"Put this run's own {record.CONFIG} back; its checkpoints are not damaged.",
    )


def _first_words(error: Exception) -> str:
    """What an error says, without TensorStore's report on itself."""
    first = (str(error).splitlines() or [""])[0]
    return first.partition(" See full TensorStore details")[0].rstrip(" .:[")


def _plain(state: State) -> State:
    """The state with its key as numbers."""
    return state.replace(key=jax.random.key_data(state.key))


def _template(recipe: Recipe, stage: Stage, facts: Mapping[str, Any]) -> State:
    """A state of the same shapes."""
    head = heads.init(jax.random.key(0), recipe.head)
    clouds = {}
    for branch in BRANCHES:
        cloud, capacity = getattr(head, branch), facts["capacity"][branch]
        clouds[branch] = density.grow(cloud, capacity=capacity)[0]
    head = head.replace(**clouds)
    return _plain(states.begin(jax.random.key(0), head, stage))
