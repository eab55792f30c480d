"""What each departure of the recommended recipe does, on one clip with the same steps and seeds.

    python experiments/ablations.py --data DIR --out WORK --steps 0.05 --seeds 0,1,2

Trains `talking_gaussian`, `default`, and for every departure both `talking_gaussian` with it and
`default` without it, at --size and shortened to --steps as `fast` is; evaluates each on the frames
held out. Runs that are done are not done again, so that the same command goes on where it was
stopped; several processes may share WORK, each with its own --only. Writes WORK/ablations.json and
.txt from all reports there: means over seeds, and the spread of a recipe's seeds that a difference
must exceed.
"""

import json
import pathlib
import sys

import numpy as np
import siblings
from absl import app, flags
from configs import default, fast, talking_gaussian

from emojax import config as configs
from emojax.data import files
from emojax.training.recipe import Recipe

_DATA = flags.DEFINE_string("data", None, "data set folder", required=True)
_OUT = flags.DEFINE_string("out", None, "folder of the runs and the table", required=True)
_STEPS = flags.DEFINE_float("steps", 0.05, "share of the original's 110,000 steps")
_SIZE = flags.DEFINE_integer("size", 256, "side of the pictures, pixels")
_SEEDS = flags.DEFINE_list("seeds", ["0"], "seeds of each recipe")
_END_SEEDS = flags.DEFINE_list(
    "end_seeds", [], "more seeds of talking_gaussian and default: for the spread of seeds"
)

ENDS = ("talking_gaussian", "default")
NAMES = (*ENDS, *(f"{sign}{name}" for name in default.DEPARTURES for sign in "+-"))

_ONLY = flags.DEFINE_list("only", [], f"recipes to train of {', '.join(NAMES)}; all by default")

# How much farther from the true lips' they are with the sound shuffled: what the head hears.
HEARS = "hears"
# Of the report's films; the sign says which way is better.
MEASURES = {
    "psnr": 1, "psnr_head": 1, "psnr_mouth": 1, "lmd": -1, HEARS: 1, "lip_correlation": 1,
    "aue_upper": -1, "aue_lower": -1, "jitter": -1, "flicker": -1, "seam": -1, "silent_motion": -1,
}  # fmt: skip


def candidates(*, steps: float, size: int) -> dict[str, Recipe]:
    """All recipes, by name.

    Args:
      steps: share of the original's.
      size: side of the pictures, pixels.
    """
    plain = talking_gaussian.get()
    made = {"talking_gaussian": plain, "default": default.get()}
    for name, change in default.DEPARTURES.items():
        made[f"+{name}"] = change(plain)
        rest = plain
        for other, apply in default.DEPARTURES.items():
            rest = rest if other == name else apply(rest)
        made[f"-{name}"] = rest
    return {n: fast.shorten(recipe, steps=steps, size=size) for n, recipe in made.items()}


def place(name: str, seed: str) -> tuple[pathlib.Path, pathlib.Path, pathlib.Path]:
    """Where a run, its report and its recipe are."""
    folder = pathlib.Path(_OUT.value) / f"{name}_{seed}"
    report, config = (folder.with_name(folder.name + end) for end in (".json", ".recipe.json"))
    return folder, report, config


def train(name: str, recipe: Recipe, seed: str) -> None:
    """Trains and evaluates where that is not done."""
    folder, report, config = place(name, seed)
    text = json.dumps(configs.to_dict(recipe))
    if config.exists() and config.read_text() != text:
        sys.exit(f"ablations: {config} is of another recipe; remove it and {folder}")
    if report.exists():
        return
    files.write_text(config, text)
    siblings.run(
        "train", f"--data={_DATA.value}", f"--run={folder}", f"--recipe={config}",
        f"--seed={seed}", *siblings.resume(folder), quiet=True,
    )  # fmt: skip
    siblings.run("evaluate", f"--run={folder}", f"--out={report}", "--overwrite", quiet=True)


def score(report: pathlib.Path) -> dict[str, float | None]:
    """The head's means of a report."""
    films = json.loads(report.read_text())["films"]
    means = {
        name: {measure: films[film][measure]["mean"] for measure in MEASURES if measure != HEARS}
        for name, film in (("head", "head"), ("shuffled", "sound shuffled"))
    }
    return means["head"] | {HEARS: means["shuffled"]["lmd"] - means["head"]["lmd"]}


def gather(every: dict[str, Recipe]) -> dict:
    """The table of all reports in WORK that are of these recipes."""
    found: dict[str, list[dict]] = {}
    seeds: dict[str, list[str]] = {}
    for name, recipe in every.items():
        for report in sorted(pathlib.Path(_OUT.value).glob(f"{name}_*.json")):
            seed = report.stem.removeprefix(f"{name}_")
            config = place(name, seed)[2]
            if not seed.isdigit() or not config.exists():
                continue
            if config.read_text() == json.dumps(configs.to_dict(recipe)):
                found.setdefault(name, []).append(score(report))
                seeds.setdefault(name, []).append(seed)
    return {"seeds": seeds, **table(found)}


def table(found: dict[str, list[dict]]) -> dict:
    """Means over seeds and, for each measure, the spread of all recipes' seeds."""
    means, spreads = {}, {measure: [] for measure in MEASURES}
    for name, rows in found.items():
        means[name] = {}
        for measure in MEASURES:
            values = [row[measure] for row in rows if row[measure] is not None]
            means[name][measure] = float(np.mean(values)) if values else None
            if len(values) > 1:
                spreads[measure].append(float(np.std(values, ddof=1)))
    spread = {m: float(np.mean(values)) if values else None for m, values in spreads.items()}
    return {"means": means, "spread_of_seeds": spread}


def to_text(made: dict) -> str:
    """The table for people: a row a recipe."""
    width = max(len(name) for name in [*made["means"], "spread of seeds"])
    rows = {**made["means"], "spread of seeds": made["spread_of_seeds"]}
    lines = [" " * width + "".join(f"{measure:>17}" for measure in MEASURES)]
    for name, row in rows.items():
        cells = ["-" if row[m] is None else f"{row[m]:.3f}" for m in MEASURES]
        lines.append(f"{name:{width}}" + "".join(f"{cell:>17}" for cell in cells))
    return "\n".join(lines) + "\n"


def ablate() -> None:
    """Trains and evaluates what is asked for."""
    out = pathlib.Path(_OUT.value)
    if unknown := sorted(set(_ONLY.value) - set(NAMES)):
        sys.exit(f"ablations: {unknown} unknown; there are {list(NAMES)}")
    files.make_folder(out)
    every = candidates(steps=_STEPS.value, size=_SIZE.value)
    wanted = {name: every[name] for name in _ONLY.value or every}
    for seed in [*_SEEDS.value, *_END_SEEDS.value]:
        for name, recipe in wanted.items():
            if seed not in _SEEDS.value and name not in ENDS:
                continue
            train(name, recipe, seed)
            made = gather(every)
            made["command"] = (
                "python experiments/ablations.py --data DIR --out WORK "
                f"--steps {_STEPS.value} --size {_SIZE.value}"
            )
            made["data"] = pathlib.Path(_DATA.value).resolve().name
            files.write_text(out / "ablations.json", json.dumps(made, indent=1) + "\n")
            files.write_text(out / "ablations.txt", to_text(made))
            print(f"{name} {seed}: {json.dumps(score(place(name, seed)[1]))}", flush=True)
    print(to_text(gather(every)), end="")


def main(argv: list[str]) -> int:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    return siblings.until_stopped("ablations", ablate)


if __name__ == "__main__":
    app.run(main)
