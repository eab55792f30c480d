"""Checkpoints of a run, with Orbax: everything that decides how training goes on.

    RUN/config.json                      the recipe, written once
    RUN/run.json                         clip, seed, versions
    RUN/checkpoints/STAGE/STEP/state     the `State`
    RUN/checkpoints/STAGE/STEP/facts     JSON: digest of the recipe, and sizes that shapes depend on

A checkpoint appears under its name when it is complete (Orbax renames it), so that a killed run has
the one before. The state before step S of a stage, the recipe and the seed give the same bits from
there on as a run that was never interrupted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import orbax.checkpoint as ocp

from emojax import config as configs
from emojax import head as heads
from emojax.data import files
from emojax.data.errors import DataError
from emojax.gaussians import density
from emojax.head import BRANCHES, Head
from emojax.training import state as states
from emojax.training.recipe import Recipe
from emojax.training.state import State

FORMAT = 2
CONFIG, RUN, CHECKPOINTS = "config.json", "run.json", "checkpoints"
KEPT = 2  # checkpoints of a stage; the one before serves where the last is damaged

# Orbax tells of every save, restore and failure in the log, several times; errors are raised, too.
logging.getLogger("absl").addFilter(lambda record: "orbax" not in record.pathname)


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


def write_recipe(run: pathlib.Path, recipe: Recipe, facts: Mapping[str, Any]) -> None:
    """Writes what a run is, before it begins.

    Args:
      run: the run's folder.
      recipe: of the run.
      facts: clip, seed, versions.
    """
    files.write_text(run / RUN, json.dumps({"format": FORMAT, **facts}, indent=1) + "\n")
    # Last: a folder with a recipe is a run.
    files.write_text(run / CONFIG, json.dumps(configs.to_dict(recipe), indent=1) + "\n")


def read_recipe(run: pathlib.Path) -> tuple[Recipe, dict[str, Any]]:
    """Returns the recipe of a run and its facts.

    Args:
      run: the run's folder.

    Raises:
      DataError: there is no run, or its files are damaged or of another version.
    """
    if not (run / CONFIG).exists() or not (run / RUN).exists():
        raise DataError(
            expected=f"a run with {CONFIG} and {RUN} in {run}",
            got="none",
            fix="Train one: experiments/train.py --data DIR --run RUN.",
        )
    recipe = read_config(run / CONFIG)
    try:
        facts = json.loads((run / RUN).read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise ValueError(f"format {facts['format']}, this version reads {FORMAT}")
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            expected=f"a run of this version in {run}",
            got=f"{type(error).__name__}: {error}",
            fix="Train again, or use the version that made it.",
        ) from error
    return recipe, facts


def read_config(path: pathlib.Path) -> Recipe:
    """Returns the recipe of a config.json.

    Args:
      path: of the file.

    Raises:
      DataError: there is no file, or it is not a recipe of this version.
    """
    try:
        return configs.from_dict(Recipe, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(
            expected=f"a recipe of this version in {path}",
            got=f"{type(error).__name__}: {error}",
            fix="Write it again, or use the version that made it.",
        ) from error


def digest(recipe: Recipe) -> str:
    """Returns 16 digits that name a recipe.

    Args:
      recipe: to name.
    """
    # As it comes back from a file: whole numbers in place of floats are floats there.
    same = configs.from_dict(Recipe, configs.to_dict(recipe))
    text = json.dumps(configs.to_dict(same), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
        "recipe": digest(recipe),
        "capacity": {branch: getattr(state.head, branch).capacity for branch in BRANCHES},
    }
    items = ocp.args.Composite(
        state=ocp.args.StandardSave(_plain(state)), facts=ocp.args.JsonSave(facts)
    )
    try:
        with _quiet(), _manager(run, stage, max_to_keep=KEPT) as manager:
            manager.save(int(state.step), args=items, force=True)
    except (OSError, ValueError) as error:
        for half in (run / CHECKPOINTS / stage).glob(f"{int(state.step)}.*tmp*"):
            shutil.rmtree(half, ignore_errors=True)
        raise DataError(
            expected=f"a place to save checkpoints in {run}",
            got=f"{type(error).__name__}: {str(error).splitlines()[0]}",
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
        folder = run / CHECKPOINTS / stage.name
        numbers = [int(p.name) for p in folder.glob("*") if p.name.isdigit() and p.is_dir()]
        found += [Place(stage.name, step) for step in sorted(numbers, reverse=True)]
    return found


def load(run: pathlib.Path, recipe: Recipe, place: Place) -> State:
    """Returns the state of a checkpoint.

    Args:
      run: the run's folder.
      recipe: of the run.
      place: of the checkpoint.

    Raises:
      DataError: the checkpoint is damaged or of another configuration.
    """
    stage = next(stage for stage in recipe.stages if stage.name == place.stage)
    try:
        with _quiet(), _manager(run, place.stage) as manager:
            facts = manager.restore(
                place.step, args=ocp.args.Composite(facts=ocp.args.JsonRestore())
            )["facts"]
            if facts["recipe"] != digest(recipe):
                raise ValueError("it is of another configuration")
            template = jax.eval_shape(lambda: _template(recipe, stage, facts))
            state = manager.restore(
                place.step, args=ocp.args.Composite(state=ocp.args.StandardRestore(template))
            )["state"]
    except Exception as error:  # whatever a damaged file makes of Orbax, TensorStore and JSON
        raise DataError(
            expected=f"the checkpoint {place.stage}/{place.step} of {run}",
            got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
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
    recipe, facts = read_recipe(run)
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


def _plain(state: State) -> State:
    """The state with its key as numbers."""
    return state.replace(key=jax.random.key_data(state.key))


def _template(recipe: Recipe, stage, facts: Mapping[str, Any]) -> State:
    """A state of the same shapes."""
    head = heads.init(jax.random.key(0), recipe.head)
    clouds = {}
    for branch in BRANCHES:
        cloud, capacity = getattr(head, branch), facts["capacity"][branch]
        clouds[branch] = density.grow(cloud, capacity=capacity)[0]
    head = head.replace(**clouds)
    return _plain(states.begin(jax.random.key(0), head, stage))
