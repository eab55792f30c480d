"""Whether a head learns a puppet's emotions: films, trains, measures, and says which aims hold.

    python experiments/emotion_training.py --out WORK --seeds 0,1,2

For every seed another person is filmed who speaks without emotion for --length seconds at --size
pixels, with --twins frames again that feel. Three heads are trained with --config: as it is,
without emotions, and without the loss on normals. The first is measured at the twelve points of
emotion against the puppet's true twins, with sound that it has not heard, and beside the others
where an aim compares them. Writes WORK/emotion_training.json and .txt, and beside them what
everything was made of. What is done is not done again; the same command goes on where it was
stopped. The exit code is 0 when all aims hold, 1 when one does not.
"""

import contextlib
import dataclasses
import importlib
import json
import pathlib
import time
from collections.abc import Iterator

import siblings
from absl import app, flags

from emojax import config as configs
from emojax.data import emotional, files
from emojax.metrics.emotional import BRANCHLESS, CONSTANT, HEAD, SHUFFLED, TWINS
from emojax.metrics.scenarios import HEAD as SPEAKING
from emojax.training import changes
from emojax.training.recipe import Phase, Recipe

_OUT = flags.DEFINE_string("out", None, "folder of everything", required=True)
_SIZE = flags.DEFINE_integer("size", 128, "side of the pictures, pixels")
_LENGTH = flags.DEFINE_float("length", 60.0, "seconds of film")
_TWINS = flags.DEFINE_integer("twins", 600, "frames filmed again with emotions", lower_bound=1)
_CONFIG = flags.DEFINE_enum("config", siblings.RECOMMENDED, siblings.CONFIGS, "what to train")
_STEPS = flags.DEFINE_float("steps", 1.0, "share of the configuration's steps")
_SEEDS = flags.DEFINE_list("seeds", ["0"], "who is filmed, and the seed of training")
_MAX_FRAMES = flags.DEFINE_integer(
    "max_frames", None, "measure only so many of the held-out frames", lower_bound=1
)

LEAST_PSNR, LEAST_GAIN = 27.0, 4.0  # dB of the head; above the head without its branch
MOST_VALENCE, MOST_AROUSAL, LEAST_AGREEMENT = 0.20, 0.25, 0.90
LIPS = 1.05  # times the distance of the neutral lips
SELF_LOSS, SELF_LIPS = 0.3, 1.03  # dB; times the LMD of a head without emotions
MOST_DEGREES = 12.0
SHOWN = (
    "psnr_head", "ssim", "brows", "eyes", "corners", "lmd", "normals", "valence_rmse",
    "arousal_rmse", "valence_sign", "arousal_sign",
)  # fmt: skip
FILMS = (TWINS, HEAD, BRANCHLESS, CONSTANT, SHUFFLED)
# Heads by what they lack; the first lacks nothing.
WHOLE, UNFEELING, ROUGH = "whole", "no_emotion", "no_normals"


def without_normal_loss(recipe: Recipe) -> Recipe:
    """A recipe whose head has normals that nothing teaches: Gaussians' shortest axes."""

    def plain(phase: Phase) -> Phase:
        weights = dataclasses.replace(
            phase.weights, normals=0.0, normals_rough=0.0, normals_size=0.0
        )
        trains = tuple(name for name in phase.trains if name != "face.normals")
        return dataclasses.replace(phase, weights=weights, trains=trains)

    stages = tuple(
        dataclasses.replace(stage, phases=tuple(map(plain, stage.phases)))
        for stage in recipe.stages
    )
    return dataclasses.replace(recipe, stages=stages)


VARIANTS = {
    WHOLE: lambda recipe: recipe,
    UNFEELING: changes.without_emotion,
    ROUGH: without_normal_loss,
}


def judge(felt: dict, own: dict, unfeeling: dict, rough: dict) -> dict:
    """One person's figures, and which aims hold.

    Args:
      felt: report of the whole head at the points of emotion.
      own: its report of self-reconstruction.
      unfeeling: the same of the head without emotions.
      rough: report at the points of the head without the loss on normals.
    """
    means = {film: {m: felt["films"][film][m]["mean"] for m in SHOWN} for film in FILMS}
    head, control = means[HEAD], means[BRANCHLESS]
    neutral = felt["neutral"][HEAD]["lmd"]
    itself, other = (
        {m: found["films"][SPEAKING][m]["mean"] for m in ("psnr", "lmd")}
        for found in (own, unfeeling)
    )
    unlearned = rough["films"][HEAD]["normals"]["mean"]
    return {
        "frames": felt["protocol"]["frames"]["count"],
        "means": means,
        "neutral_lmd": neutral,
        "self": {WHOLE: itself, UNFEELING: other},
        "normals": {WHOLE: head["normals"], ROUGH: unlearned},
        "reader": felt["reader"]["error"],
        "aims": {
            f"head at least {LEAST_PSNR:g} dB at the points": head["psnr_head"] >= LEAST_PSNR,
            f"at least {LEAST_GAIN:g} dB above no emotion": (
                head["psnr_head"] - control["psnr_head"] >= LEAST_GAIN
            ),
            f"valence off by at most {MOST_VALENCE:.2f}": head["valence_rmse"] <= MOST_VALENCE,
            f"arousal off by at most {MOST_AROUSAL:.2f}": head["arousal_rmse"] <= MOST_AROUSAL,
            f"valence's sign right in {LEAST_AGREEMENT:.0%}": (
                head["valence_sign"] >= LEAST_AGREEMENT
            ),
            f"arousal's sign right in {LEAST_AGREEMENT:.0%}": (
                head["arousal_sign"] >= LEAST_AGREEMENT
            ),
            "lips within 5 % of the neutral lips' LMD": head["lmd"] <= LIPS * neutral,
            f"itself within {SELF_LOSS:g} dB of a head without emotions": (
                itself["psnr"] >= other["psnr"] - SELF_LOSS
            ),
            "its LMD within 3 % of that head's": itself["lmd"] <= SELF_LIPS * other["lmd"],
            f"normals off by at most {MOST_DEGREES:g} degrees": head["normals"] <= MOST_DEGREES,
            "normals worse without their loss": unlearned > head["normals"],
        },
    }


def to_text(found: dict) -> str:
    """The table for people."""
    lines = []
    for seed, row in found.items():
        minutes = ", ".join(f"{name} {spent:.0f}" for name, spent in row["minutes"].items())
        lines += [f"puppet {seed}: {row['frames']} held-out frames; minutes: {minutes}"]
        lines += [f"  {'':18}" + "".join(f"{name:>13}" for name in SHOWN)]
        for film, means in row["means"].items():
            cells = ["-" if means[m] is None else f"{means[m]:.3f}" for m in SHOWN]
            lines += [f"  {film:18}" + "".join(f"{cell:>13}" for cell in cells)]
        for name, means in row["self"].items():
            lines += [f"  {name}: itself {means['psnr']:.2f} dB, LMD {means['lmd']:.3f} px"]
        lines += [f"  {name}: normals {value:.1f} degrees off" for name, value in
                  row["normals"].items()]  # fmt: skip
        lines += [f"  neutral lips {row['neutral_lmd']:.3f} % off"]
        lines += [f"  {'holds' if ok else 'FAILS'}: {aim}" for aim, ok in row["aims"].items()]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def timed(path: pathlib.Path, name: str) -> Iterator[None]:
    """Adds the minutes that the block took, however it ended, to those in a file."""
    begin = time.perf_counter()
    try:
        yield
    finally:
        known = json.loads(path.read_text()) if path.exists() else {}
        known[name] = round(known.get(name, 0.0) + (time.perf_counter() - begin) / 60, 2)
        files.write_text(path, json.dumps(known, indent=1) + "\n")


def shoot(data: pathlib.Path, seed: str, clock: pathlib.Path) -> None:
    """Films a puppet and its twins, unless that is done."""
    if (data / emotional.FOLDER).exists():
        return
    with timed(clock, "film"):
        siblings.run(
            "film", f"--out={data}", f"--seed={seed}", f"--size={_SIZE.value}",
            f"--length={_LENGTH.value}", f"--twins={_TWINS.value}", "--emotion=neutral",
            "--overwrite",
        )  # fmt: skip


def trained(data: pathlib.Path, seed: str, variant: str, clock: pathlib.Path) -> pathlib.Path:
    """The folder of a trained head."""
    out = data.parent
    run, recipe = out / f"run_{seed}_{variant}", out / f"{variant}.json"
    if not recipe.exists():
        whole = importlib.import_module(f"configs.{_CONFIG.value}").get()
        content = configs.to_dict(VARIANTS[variant](whole))
        files.write_text(recipe, json.dumps(content, indent=1) + "\n")
    begin = [
        f"--recipe={recipe}", f"--seed={seed}", f"--size={_SIZE.value}", f"--steps={_STEPS.value}",
        "--force",
    ]  # fmt: skip
    with timed(clock, variant):
        siblings.run("train", f"--data={data}", f"--run={run}", *(siblings.resume(run) or begin))
    return run


def measured(data: pathlib.Path, seed: str, variant: str, scenario: str) -> dict:
    """A head's report; trained and measured where that is not done."""
    out = data.parent
    report, clock = out / f"{scenario}_{seed}_{variant}.json", out / f"minutes_{seed}.json"
    if not report.exists():
        run = trained(data, seed, variant, clock)
        limit = [] if _MAX_FRAMES.value is None else [f"--max_frames={_MAX_FRAMES.value}"]
        siblings.run(
            "evaluate", f"--run={run}", f"--out={report}", f"--scenario={scenario}", "--overwrite",
            *limit,
        )  # fmt: skip
    return json.loads(report.read_text())


def one(seed: str, out: pathlib.Path) -> dict:
    """One person's row: everything that is not done is done."""
    data, clock = out / f"data_{seed}", out / f"minutes_{seed}.json"
    shoot(data, seed, clock)
    row = judge(
        felt=measured(data, seed, WHOLE, "emotion"),
        own=measured(data, seed, WHOLE, "self"),
        unfeeling=measured(data, seed, UNFEELING, "self"),
        rough=measured(data, seed, ROUGH, "emotion"),
    )
    return row | {"minutes": json.loads(clock.read_text()) if clock.exists() else {}}


def emotion_training() -> None:
    """Goes through all seeds."""
    out = pathlib.Path(_OUT.value)
    files.make_folder(out)
    found = {}
    for seed in _SEEDS.value:
        found[seed] = one(seed, out)
        limit = "" if _MAX_FRAMES.value is None else f" --max_frames {_MAX_FRAMES.value}"
        made = {
            "command": "python experiments/emotion_training.py --out WORK "
            f"--size {_SIZE.value} --length {_LENGTH.value:g} --twins {_TWINS.value} "
            f"--config {_CONFIG.value} --steps {_STEPS.value:g} --seeds {','.join(_SEEDS.value)}"
            f"{limit}",
            "puppets": found,
        }
        files.write_text(out / "emotion_training.json", json.dumps(made, indent=1) + "\n")
        files.write_text(out / "emotion_training.txt", to_text(found))
    print(to_text(found), end="")
    if not all(ok for row in found.values() for ok in row["aims"].values()):
        raise SystemExit(1)


def main(argv: list[str]) -> int:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    return siblings.until_stopped("emotion_training", emotion_training)


if __name__ == "__main__":
    app.run(main)
