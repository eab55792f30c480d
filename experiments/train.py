"""Trains a head on a data set folder.

    python experiments/train.py --data DIR --run RUN

trains `fast`; --config names another of `experiments/configs/`, which say what they do, how long it
takes and what to expect. --steps 0.25 takes a quarter of the steps, with the whole schedule fitted;
--size 128 draws smaller pictures. A single value is changed by its path in config.json, with names
or numbers in lists and values as in JSON: --set stages.face.density.gradient_threshold=3e-4.

A run that was stopped goes on with --resume, to the same bits. On a terminal a bar shows the time
left, the loss and the number of Gaussians; elsewhere there is a line each minute. RUN/metrics.jsonl
has all numbers, RUN/samples contact sheets: a row a frame, with target, rendering, four times the
difference, and the lips of both. The exit code is 0 when all stages are done, 130 when stopped.
"""

import functools
import importlib
import json
import os
import pathlib
import platform
import resource
import signal
import subprocess
import sys
import time
from typing import NoReturn

import jax
import progress
import siblings
import tqdm
from absl import app, flags

import emojax
from emojax import caches
from emojax import config as configs
from emojax.data import clip as clips
from emojax.data import emotional, files, surfaces
from emojax.data.errors import DataError
from emojax.emotion import estimate
from emojax.experts import lpips
from emojax.losses import perceptual
from emojax.training import changes, checks, lock, record
from emojax.training import run as runs
from emojax.training.checkpoints import Place
from emojax.training.loop import DivergedError
from emojax.training.recipe import Recipe

_DATA = flags.DEFINE_string("data", None, "data set folder; the run's own with --resume")
_RUN = flags.DEFINE_string("run", None, "folder of the run; made if absent", required=True)
_CONFIG = flags.DEFINE_enum(
    "config",
    None,
    siblings.CONFIGS,
    f"what to train; {siblings.RECOMMENDED} by default, or the run's own with --resume",
)
_RECIPE = flags.DEFINE_string("recipe", None, "a config.json to train, in place of --config")
_STEPS = flags.DEFINE_float("steps", 1.0, "share of the configuration's steps to take")
_SIZE = flags.DEFINE_integer("size", None, "side of the pictures, pixels; the configuration's")
_SET = flags.DEFINE_multi_string(
    "set",
    [],
    "PATH=VALUE, changes one value of config.json: 3e-4, true, null, text; may be repeated",
)
_SEED = flags.DEFINE_integer("seed", None, "seed of everything random; 0 by default", lower_bound=0)
_RESUME = flags.DEFINE_bool("resume", False, "go on with the run that the folder holds")
_LPIPS = flags.DEFINE_string(
    "lpips", None, ".npz of LPIPS AlexNet weights; without it the terms that need it are left out"
)
_FORCE = flags.DEFINE_bool("force", False, "train even on a clip that is judged not usable")


def _asked() -> Recipe | None:
    """The recipe that --config or --recipe name."""
    if _CONFIG.value is not None and _RECIPE.value is not None:
        raise DataError(expected="--config or --recipe", got="both", fix="Leave one out.")
    if _RECIPE.value is not None:
        return record.read_config(pathlib.Path(_RECIPE.value))
    return None if _CONFIG.value is None else _of_name(_CONFIG.value)


def _of_name(name: str) -> Recipe:
    return importlib.import_module(f"configs.{name}").get()


def _recipe(run: pathlib.Path) -> tuple[Recipe, dict]:
    """The recipe to train, and what is known of the run."""
    asked, own, known = _asked(), None, {}
    if _RESUME.value:
        own, known = record.read(run)
    recipe = asked or own or _of_name(siblings.RECOMMENDED)
    if recipe is not own and not (_LPIPS.value or known.get("lpips")):
        recipe = changes.without_perceptual(recipe)
    recipe = changes.scaled(recipe, steps=_STEPS.value, size=_SIZE.value)
    try:
        recipe = configs.override(recipe, _SET.value)
    except ValueError as error:
        if "there is no 'steps'" in str(error):
            raise ValueError(f"{error} --steps SHARE takes fewer of all stages.") from error
        raise
    checks.check(recipe)
    return recipe, known


def _fitted(recipe: Recipe, data: pathlib.Path) -> tuple[Recipe, list[str]]:
    """The recipe without what a data set has no pictures for, and what was left out."""
    notes = []
    if recipe.head.emotion != "none" and not (data / emotional.FOLDER).exists():
        recipe = changes.without_emotion(recipe)
        notes.append(
            "no emotional pictures in the data set, so a head without emotion; make them before "
            "with experiments/emotional_faces.py"
        )
    if recipe.head.normals and surfaces.find(data) is None:
        recipe = changes.without_normals(recipe)
        notes.append("no normals in the data set, so none are learned")
    elif recipe.head.normals and (source := surfaces.source(data)):
        notes.append(f"normals: {source}")
    return recipe, notes


def _what(recipe: Recipe, run: pathlib.Path, place: Place | None) -> str:
    """What is going to be trained, in a line."""
    steps = sum(stage.steps for stage in recipe.stages)
    text = f"{recipe.name}: {steps:,} steps at {recipe.size} pixels, "
    if not _RESUME.value:
        return text + f"a new run in {run}"
    if place is None:
        return text + f"{run} from its beginning"
    if place == Place(recipe.stages[-1].name, recipe.stages[-1].steps):
        return text + f"{run}, which is done"
    return text + f"{run} from step {place.step:,} of {place.stage}"


def _facts(known: dict) -> dict:
    """What run.json holds."""
    data = _DATA.value or known.get("data")
    if data is None:
        raise DataError(expected="--data", got="none", fix="Name the data set folder.")
    return {
        "data": str(files.check_folder(data).resolve()),
        "seed": _SEED.value if _SEED.value is not None else known.get("seed", 0),
        "forced": _FORCE.value or known.get("forced", False),
        "emojax": emojax.__version__,
        "commit": _commit(),
        "jax": jax.__version__,
        "python": platform.python_version(),
        "devices": [str(device) for device in jax.devices()],
        "flags": [
            flag.serialize()
            for flag in flags.FLAGS.get_key_flags_for_module(sys.argv[0])
            if not flag.using_default_value
        ],
    }


def _commit() -> str | None:
    """The commit of this repository, where it is one."""
    try:
        found = subprocess.run(
            ["git", "-C", str(pathlib.Path(__file__).parent), "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # git is not installed
        return None
    return found.stdout.strip() or None


def _weights(known: dict) -> tuple[dict, perceptual.Measure | None]:
    """Facts of the perceptual weights, and the distance that they make."""
    path = _LPIPS.value or known.get("lpips_file")
    if path is None:
        return {"lpips": None, "lpips_file": None}, None
    weights = lpips.load(path)
    facts = {"lpips": lpips.fingerprint(weights), "lpips_file": str(pathlib.Path(path).resolve())}
    return facts, functools.partial(lpips.distance, weights)


def _stopped(run: pathlib.Path) -> NoReturn:
    """Ends the process at once: what XLA's threads still compute would outlive what they need."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    begun = (run / record.CONFIG).exists()
    advice = f"go on with --run {run} --resume" if begun else "nothing was trained"
    print(f"train: stopped; {advice}", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(siblings.INTERRUPTED)


def train(run: pathlib.Path) -> None:
    """Trains what the flags ask for."""
    try:
        recipe, known = _recipe(run)
        facts = _facts(known)
        found, measure = _weights(known)
    except ValueError as error:  # of a flag: --steps, --set, --recipe, --lpips
        sys.exit(f"train: {error}")
    facts |= found
    recipe, notes = _fitted(recipe, pathlib.Path(facts["data"]))
    place = runs.look(run, recipe, facts, resume=_RESUME.value)
    lock.refuse_second(run)
    print(_what(recipe, run, place), flush=True)
    clip = clips.load(
        pathlib.Path(facts["data"]),
        size=recipe.size,
        features=recipe.head.features,
        force=facts["forced"],
        progress=lambda frames: tqdm.tqdm(frames, "frames", disable=None, leave=False),
    )
    facts["clip"] = clips.fingerprint(clip)
    if recipe.head.emotion != "none":
        clip = estimate.fill(clip)
    notes = [*clip.fallbacks, *notes]
    if measure is None:
        notes.append("no --lpips weights, so no perceptual terms")
    if any(assignment.startswith("size=") for assignment in _SET.value):
        notes.append("--set size leaves all else that counts pixels as it is; --size does not")
    print("".join(f"note: {note}\n" for note in notes), end="", flush=True)
    with lock.hold(run):
        place = runs.prepare(run, recipe, facts, resume=_RESUME.value)
        runs.train(
            run,
            clip,
            recipe,
            seed=facts["seed"],
            place=place,
            measure=measure,
            progress=progress.watch(recipe),
        )


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    caches.keep_programs()
    run = pathlib.Path(_RUN.value)
    start = time.perf_counter()
    try:
        train(run)
    except DataError as error:
        sys.exit(f"train: {error}")
    except DivergedError as error:
        sys.exit(f"train: {error}; batch and state are in {run / runs.DIVERGED}")
    except KeyboardInterrupt:
        _stopped(run)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    minutes = (time.perf_counter() - start) / 60
    print(json.dumps({"run": str(run), "minutes": round(minutes, 1), "peak_memory_mb": memory}))


if __name__ == "__main__":
    app.run(main)
