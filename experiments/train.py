"""Trains a head on a data set folder.

    python experiments/train.py --data DIR --run RUN --config fast

The configurations in `experiments/configs/` say what they do, how long it takes and what to expect.
A single value is changed by its path: --set stages.face.density.gradient_threshold=3e-4. A run that
was stopped goes on with --resume, to the same bits. The exit code is 0 when all stages are done.
"""

import functools
import importlib
import json
import pathlib
import platform
import resource
import subprocess
import sys
import time

import jax
import tqdm
from absl import app, flags

import emojax
from emojax import config as configs
from emojax.data import clip as clips
from emojax.data.errors import DataError
from emojax.experts import lpips
from emojax.losses import perceptual
from emojax.training import changes, checkpoints, checks
from emojax.training import run as runs
from emojax.training.loop import DivergedError
from emojax.training.recipe import Recipe

CONFIGS = sorted(
    path.stem
    for path in (pathlib.Path(__file__).parent / "configs").glob("*.py")
    if not path.stem.startswith("_")
)

_DATA = flags.DEFINE_string("data", None, "data set folder; the run's own with --resume")
_RUN = flags.DEFINE_string("run", None, "folder of the run; made if absent", required=True)
_CONFIG = flags.DEFINE_enum(
    "config", None, CONFIGS, "what to train; default, or the run's own with --resume"
)
_RECIPE = flags.DEFINE_string("recipe", None, "a config.json to train, in place of --config")
_SET = flags.DEFINE_multi_string("set", [], "PATH=VALUE, changes one value; may be repeated")
_SEED = flags.DEFINE_integer("seed", None, "seed of everything random; 0 by default", lower_bound=0)
_RESUME = flags.DEFINE_bool("resume", False, "go on with the run that the folder holds")
_LPIPS = flags.DEFINE_string(
    "lpips", None, ".npz of LPIPS AlexNet weights; without it the terms that need it are left out"
)
_FORCE = flags.DEFINE_bool("force", False, "train even on a clip that is judged not usable")


def _recipe(run: pathlib.Path) -> tuple[Recipe, dict]:
    """The recipe asked for, and what is known of the run."""
    known = {}
    if _RESUME.value and (run / checkpoints.CONFIG).exists():
        recipe, known = checkpoints.read_recipe(run)
    if not known or _CONFIG.value is not None or _RECIPE.value is not None:
        if _RECIPE.value is not None:
            recipe = checkpoints.read_config(pathlib.Path(_RECIPE.value))
        else:
            recipe = importlib.import_module(f"configs.{_CONFIG.value or 'default'}").get()
        if not (_LPIPS.value or known.get("lpips")):
            recipe = changes.without_perceptual(recipe)
    recipe = configs.override(recipe, _SET.value)
    checks.check(recipe)
    return recipe, known


def _facts(known: dict) -> dict:
    """What run.json holds."""
    data = _DATA.value or known.get("data")
    if data is None:
        raise DataError(expected="--data", got="none", fix="Name the data set folder.")
    return {
        "data": str(pathlib.Path(data).resolve()),
        "seed": _SEED.value if _SEED.value is not None else known.get("seed", 0),
        "forced": _FORCE.value or known.get("forced", False),
        "emojax": emojax.__version__,
        "commit": _commit(),
        "jax": jax.__version__,
        "python": platform.python_version(),
        "devices": [str(device) for device in jax.devices()],
        "flags": [flag.serialize() for flag in flags.FLAGS.get_key_flags_for_module(sys.argv[0])],
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


def _bar(stage, reports, first):
    """A progress bar with the time left, and the numbers that matter."""
    with tqdm.tqdm(
        total=stage.steps, initial=first, desc=stage.name, unit=" steps", disable=None
    ) as bar:
        for report in reports:
            bar.update(len(report.rows))
            budget = {name: f"{v.mean():.0%}" for name, v in report.info.budget.items()}
            cloud = getattr(report.state.head, stage.target, None)
            alive = {} if cloud is None else {"alive": int(cloud.count())}
            bar.set_postfix(loss=f"{report.info.loss.mean():.4f}", **alive, **budget)
            yield report


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    run = pathlib.Path(_RUN.value)
    start = time.perf_counter()
    try:
        recipe, known = _recipe(run)
        facts = _facts(known)
        found, measure = _weights(known)
    except ValueError as error:  # of a flag: --set, --recipe, --lpips
        sys.exit(f"train: {error}")
    try:
        facts |= found
        runs.look(run, recipe, facts, resume=_RESUME.value)
        clip = clips.load(
            pathlib.Path(facts["data"]),
            size=recipe.size,
            features=recipe.head.features,
            force=facts["forced"],
            progress=lambda frames: tqdm.tqdm(frames, "frames", disable=None, leave=False),
        )
        facts["clip"] = clips.fingerprint(clip)
        place = runs.prepare(run, recipe, facts, resume=_RESUME.value)
        for fallback in clip.fallbacks:
            print(f"note: {fallback}")
        if measure is None:
            print("note: no --lpips weights, so no perceptual terms")
        runs.train(
            run, clip, recipe, seed=facts["seed"], place=place, measure=measure, progress=_bar
        )
    except DataError as error:
        sys.exit(f"train: {error}")
    except DivergedError as error:
        sys.exit(f"train: {error}; batch and state are in {run / runs.DIVERGED}")
    except KeyboardInterrupt:
        sys.exit(f"train: stopped; go on with --run {run} --resume")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    minutes = (time.perf_counter() - start) / 60
    print(json.dumps({"run": str(run), "minutes": round(minutes, 1), "peak_memory_mb": memory}))


if __name__ == "__main__":
    app.run(main)
