"""Whether a head learns a puppet: films one, trains on it, measures, and says which aims hold.

    python experiments/puppet_training.py --out WORK --seeds 0,1,2

For every seed another person is filmed for --length seconds at --size pixels; the head is trained
with --config and measured on frames that it has not seen, beside controls. Writes
WORK/puppet_training.json and .txt. What is done is not done again; the same command goes on where
it was stopped. The exit code is 0 when all aims hold, 1 when one does not.
"""

import json
import pathlib

import siblings
from absl import app, flags

from emojax.data import files
from emojax.metrics.scenarios import EARLY, HEAD, LATE, SHUFFLED, STATIC, TRUTH

_OUT = flags.DEFINE_string("out", None, "folder of everything", required=True)
_SIZE = flags.DEFINE_integer("size", 128, "side of the pictures, pixels")
_LENGTH = flags.DEFINE_float("length", 60.0, "seconds of film")
_EMOTION = flags.DEFINE_string("emotion", "everyday", "of the film, see film.py")
_CONFIG = flags.DEFINE_enum("config", siblings.RECOMMENDED, siblings.CONFIGS, "what to train")
_STEPS = flags.DEFINE_float("steps", 1.0, "share of the configuration's steps")
_SEEDS = flags.DEFINE_list("seeds", ["0"], "who is filmed, and the seed of training")

LEAST_PSNR = 30.0  # dB
STATIC_SHARE = 0.5  # of the still face's landmark distance
SILENCE = 1.5  # times the truth's motion of the lips
SHOWN = ("psnr", "psnr_head", "psnr_mouth", "lmd", "lip_correlation", "silent_motion")
FILMS = (TRUTH, HEAD, STATIC, SHUFFLED, LATE, EARLY)


def judge(report: dict) -> dict:
    """One person's figures, and which aims hold."""
    means = {name: {m: report["films"][name][m]["mean"] for m in SHOWN} for name in FILMS}
    head, true, shuffled = means[HEAD], means[TRUTH], means[SHUFFLED]
    high = report["films"][HEAD]["lmd"]["high"]
    return {
        "frames": report["films"][HEAD]["psnr"]["count"],
        "means": means,
        "aims": {
            f"PSNR at least {LEAST_PSNR:.0f} dB": head["psnr"] >= LEAST_PSNR,
            "LMD under half of a still face's": head["lmd"] < STATIC_SHARE * means[STATIC]["lmd"],
            "lips as still in silence as the truth's": (
                head["silent_motion"] <= SILENCE * max(true["silent_motion"], 1e-9)
            ),
            "LMD with the sound shuffled beyond the interval": shuffled["lmd"] > high,
        },
    }


def to_text(found: dict) -> str:
    """The table for people."""
    lines = []
    for seed, row in found.items():
        lines += [f"puppet {seed}: {row['frames']} held-out frames"]
        lines += [f"  {'':16}" + "".join(f"{name:>16}" for name in SHOWN)]
        for name, means in row["means"].items():
            cells = ["-" if means[m] is None else f"{means[m]:.3f}" for m in SHOWN]
            lines += [f"  {name:16}" + "".join(f"{cell:>16}" for cell in cells)]
        lines += [f"  {'holds' if ok else 'FAILS'}: {aim}" for aim, ok in row["aims"].items()]
    return "\n".join(lines) + "\n"


def one(seed: str, out: pathlib.Path) -> dict:
    """One person's row: everything that is not done is done."""
    data, run, report = (out / f"{name}_{seed}" for name in ("data", "run", "report"))
    report = report.with_suffix(".json")
    if not (data / files.MANIFEST).exists():
        siblings.run(
            "film", f"--out={data}", f"--seed={seed}", f"--size={_SIZE.value}",
            f"--length={_LENGTH.value}", f"--emotion={_EMOTION.value}",
        )  # fmt: skip
    if not report.exists():
        begin = [
            f"--config={_CONFIG.value}", f"--seed={seed}", f"--size={_SIZE.value}",
            f"--steps={_STEPS.value}", "--force",
        ]  # fmt: skip
        siblings.run("train", f"--data={data}", f"--run={run}", *(siblings.resume(run) or begin))
        siblings.run("evaluate", f"--run={run}", f"--out={report}")
    return judge(json.loads(report.read_text()))


def puppet_training() -> None:
    """Goes through all seeds."""
    out = pathlib.Path(_OUT.value)
    files.make_folder(out)
    found = {}
    for seed in _SEEDS.value:
        found[seed] = one(seed, out)
        made = {
            "command": "python experiments/puppet_training.py --out WORK "
            f"--size {_SIZE.value} --length {_LENGTH.value:g} --emotion {_EMOTION.value} "
            f"--config {_CONFIG.value} --steps {_STEPS.value:g} --seeds {','.join(_SEEDS.value)}",
            "puppets": found,
        }
        files.write_text(out / "puppet_training.json", json.dumps(made, indent=1) + "\n")
        files.write_text(out / "puppet_training.txt", to_text(found))
    print(to_text(found), end="")
    if not all(ok for row in found.values() for ok in row["aims"].values()):
        raise SystemExit(1)


def main(argv: list[str]) -> int:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    return siblings.until_stopped("puppet_training", puppet_training)


if __name__ == "__main__":
    app.run(main)
