"""The whole way on real clips: preprocess, train, evaluate, speak; one table.

    python experiments/real_clips.py --clips DIR --audio DIR --out WORK --seeds 0

Runs `quickstart.py` on every .mp4 of --clips with every .wav of --audio, for every seed, and writes
WORK/real_clips.json and .txt: verdict, minutes, the head's figures on held-out frames beside its
controls', and which of the aims hold, or why a clip has none. What is done is not done again; the
same command goes on where it was stopped. Clips of other people are not part of this project.
"""

import json
import pathlib

import numpy as np
import siblings
from absl import app, flags

from emojax.data import files
from emojax.data.errors import DataError
from emojax.metrics.scenarios import EARLY, HEAD, LATE, NEAREST, SHUFFLED, STATIC

_CLIPS = flags.DEFINE_string("clips", None, "folder of .mp4 files", required=True)
_AUDIO = flags.DEFINE_string("audio", None, "folder of .wav files to speak", required=True)
_OUT = flags.DEFINE_string("out", None, "folder of everything", required=True)
_CONFIG = flags.DEFINE_enum("config", siblings.RECOMMENDED, siblings.CONFIGS, "what to train")
_SEEDS = flags.DEFINE_list("seeds", ["0"], "seeds; the spread of LMD needs several")

# What a head must beat. A head without expression is no such control: it hears the same sound, so
# its lips are as near, by chance nearer; the measures of expression judge it (the table has it).
CONTROLS = (STATIC, NEAREST, SHUFFLED, LATE, EARLY)
LEAST_PSNR = 27.0  # dB, of the head's region
SHOWN = ("psnr", "psnr_head", "psnr_mouth", "ssim", "lmd", "lip_correlation", "silent_gap")


def film(report: dict, name: str) -> dict[str, float | None]:
    """One film's means."""
    return {metric: value["mean"] for metric, value in report["films"][name].items()}


def judge(reports: list[dict]) -> dict:
    """One clip's figures over its seeds, and which aims hold."""
    films = [{name: film(report, name) for name in report["films"]} for report in reports]

    def mean(name: str, metric: str) -> float | None:
        values = [f[name][metric] for f in films]
        return None if None in values else float(np.mean(values))

    def beats(metric: str, sign: int) -> bool | str:
        """Whether the head is better than every control; otherwise by which it is not."""
        ours = mean(HEAD, metric)
        if ours is None:
            return f"no {metric}"
        theirs = {name: mean(name, metric) for name in CONTROLS}
        lost = [n for n, value in theirs.items() if value is None or sign * (ours - value) <= 0]
        return ", ".join(lost) or True

    lmd = [f[HEAD]["lmd"] for f in films]
    spread = float(np.std(lmd, ddof=1)) if len(lmd) > 1 and None not in lmd else None
    shuffled, true = mean(SHUFFLED, "lmd"), mean(HEAD, "lmd")
    least = mean(HEAD, "psnr_head")
    return {
        "frames": reports[0]["films"][HEAD]["psnr"]["count"],
        "means": {name: {m: mean(name, m) for m in SHOWN} for name in films[0]},
        "lmd_spread_of_seeds": spread,
        "aims": {
            "better than every control in PSNR": beats("psnr", 1),
            "better than every control in LMD": beats("lmd", -1),
            f"head at least {LEAST_PSNR:.0f} dB": least is not None and least >= LEAST_PSNR,
            "true sound beats shuffled by more than the spread of seeds": None
            if spread is None or shuffled is None
            else shuffled - true > spread,
        },
    }


def to_text(found: dict) -> str:
    """The table for people."""
    lines = []
    for clip, row in found.items():
        if "failed" in row:
            lines += [f"{clip}: FAILED: {row['failed']}"]
            continue
        lines += [
            f"{clip}: {row['verdict']}, {row['frames']} held-out frames; minutes: "
            + "; ".join(json.dumps(minutes) for minutes in row["minutes"])
        ]
        lines += [f"  {'':16}" + "".join(f"{name:>16}" for name in SHOWN)]
        for name, means in row["means"].items():
            cells = ["-" if means[m] is None else f"{means[m]:.3f}" for m in SHOWN]
            lines += [f"  {name:16}" + "".join(f"{cell:>16}" for cell in cells)]
        for aim, holds in row["aims"].items():
            word = {True: "holds", False: "FAILS", None: "not measured"}.get(holds, "FAILS")
            lines += [f"  {word}: {aim}" + (f" ({holds})" if isinstance(holds, str) else "")]
    return "\n".join(lines) + "\n"


def one_clip(video: pathlib.Path, sounds: list[pathlib.Path], out: pathlib.Path) -> dict:
    """A clip's row: everything that is not done is done."""
    reports, minutes = [], []
    for seed in _SEEDS.value:
        folder = out / f"{video.stem}_{seed}"
        summary = folder / "summary.json"
        if not summary.exists() or "verdict" not in json.loads(summary.read_text()):
            print(f"{video.stem}, seed {seed}", flush=True)
            siblings.run(
                "quickstart",
                "--quiet",
                f"--video={video}",
                *(f"--audio={sound}" for sound in sounds),
                f"--out={folder}",
                f"--config={_CONFIG.value}",
                f"--seed={seed}",
                quiet=True,
            )
        known = json.loads(summary.read_text())
        reports.append(json.loads((folder / "report.json").read_text()))
        minutes.append(known["minutes"])
    return {"verdict": known["verdict"], "minutes": minutes, **judge(reports)}


def listed(folder: str, suffix: str) -> list[pathlib.Path]:
    """Files of one kind in a folder, at least one."""
    found = sorted(pathlib.Path(folder).glob(f"*{suffix}"))
    if not found:
        raise DataError(expected=f"{suffix} files in {folder}", got="none", fix="Check the path.")
    return found


def real_clips() -> None:
    """Goes through all clips."""
    out = pathlib.Path(_OUT.value)
    videos, sounds = listed(_CLIPS.value, ".mp4"), listed(_AUDIO.value, ".wav")
    files.make_folder(out)
    found = {}
    for video in videos:
        try:
            found[video.stem] = one_clip(video, sounds, out)
        except siblings.FailedError as error:  # named in the table; the other clips go on
            found[video.stem] = {"failed": str(error)}
        command = "python experiments/real_clips.py --clips DIR --audio DIR --out WORK"
        made = {
            "command": f"{command} --config {_CONFIG.value} --seeds {','.join(_SEEDS.value)}",
            "clips": found,
        }
        files.write_text(out / "real_clips.json", json.dumps(made, indent=1) + "\n")
        files.write_text(out / "real_clips.txt", to_text(found))
    print(to_text(found), end="")


def main(argv: list[str]) -> int:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    return siblings.until_stopped("real_clips", real_clips)


if __name__ == "__main__":
    app.run(main)
