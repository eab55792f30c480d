"""The whole way on real clips: preprocess, train, evaluate, speak; one table.

    python experiments/real_clips.py --clips DIR --audio DIR --out WORK --seeds 0

Runs `quickstart.py` on every .mp4 of --clips with every .wav of --audio, for every seed, and writes
WORK/real_clips.json and .txt: verdict, minutes, the head's figures on held-out frames beside its
controls', and which of the aims hold. What is done is not done again. Clips of other people are not
part of this project.
"""

import json
import pathlib
import sys

import numpy as np
import siblings
from absl import app, flags

from emojax.data import files

_CLIPS = flags.DEFINE_string("clips", None, "folder of .mp4 files", required=True)
_AUDIO = flags.DEFINE_string("audio", None, "folder of .wav files to speak", required=True)
_OUT = flags.DEFINE_string("out", None, "folder of everything", required=True)
_CONFIG = flags.DEFINE_string("config", "fast", "what to train")
_SEEDS = flags.DEFINE_list("seeds", ["0"], "seeds; the spread of LMD needs several")

HEAD, SHUFFLED = "head", "sound shuffled"
PICTURES = ("mean picture", "nearest pose")  # controls that need no head
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

    lmd = [f[HEAD]["lmd"] for f in films]
    spread = float(np.std(lmd, ddof=1)) if len(lmd) > 1 else None
    gain = mean(SHUFFLED, "lmd") - mean(HEAD, "lmd")
    return {
        "frames": reports[0]["films"][HEAD]["psnr"]["count"],
        "means": {name: {m: mean(name, m) for m in SHOWN} for name in films[0]},
        "lmd_spread_of_seeds": spread,
        "aims": {
            "better than pictures in PSNR": all(
                mean(HEAD, "psnr") > mean(name, "psnr") for name in PICTURES
            ),
            "better than all controls in LMD": all(
                mean(HEAD, "lmd") < mean(name, "lmd") for name in (*PICTURES, SHUFFLED)
            ),
            f"head at least {LEAST_PSNR:.0f} dB": mean(HEAD, "psnr_head") >= LEAST_PSNR,
            "true sound beats shuffled by more than the spread of seeds": None
            if spread is None
            else gain > spread,
        },
    }


def to_text(found: dict) -> str:
    """The table for people."""
    lines = []
    for clip, row in found.items():
        lines += [
            f"{clip}: {row['verdict']}, {row['frames']} held-out frames, {row['minutes']} min"
        ]
        lines += [f"  {'':16}" + "".join(f"{name:>16}" for name in SHOWN)]
        for name, means in row["means"].items():
            cells = ["-" if means[m] is None else f"{means[m]:.3f}" for m in SHOWN]
            lines += [f"  {name:16}" + "".join(f"{cell:>16}" for cell in cells)]
        words = {True: "holds", False: "FAILS", None: "not measured"}
        lines += [f"  {words[holds]}: {aim}" for aim, holds in row["aims"].items()]
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    out = pathlib.Path(_OUT.value)
    files.make_folder(out)
    videos = sorted(pathlib.Path(_CLIPS.value).glob("*.mp4"))
    sounds = sorted(pathlib.Path(_AUDIO.value).glob("*.wav"))
    if not videos or not sounds:
        sys.exit(f"real_clips: expected .mp4 and .wav files; got {len(videos)} and {len(sounds)}")
    found = {}
    for video in videos:
        reports, minutes = [], []
        for seed in _SEEDS.value:
            folder = out / f"{video.stem}_{seed}"
            if not (folder / "summary.json").exists():
                siblings.run(
                    "quickstart",
                    f"--video={video}",
                    *(f"--audio={sound}" for sound in sounds),
                    f"--out={folder}",
                    f"--config={_CONFIG.value}",
                    f"--seed={seed}",
                )
            summary = json.loads((folder / "summary.json").read_text())
            reports.append(json.loads((folder / "report.json").read_text()))
            minutes.append(round(sum(summary["minutes"].values()), 1))
        found[video.stem] = {"verdict": summary["verdict"], "minutes": minutes, **judge(reports)}
        command = "python experiments/real_clips.py --clips DIR --audio DIR --out WORK"
        made = {
            "command": f"{command} --config {_CONFIG.value} --seeds {','.join(_SEEDS.value)}",
            "clips": found,
        }
        files.write_text(out / "real_clips.json", json.dumps(made, indent=1) + "\n")
        files.write_text(out / "real_clips.txt", to_text(found))
    print(to_text(found), end="")


if __name__ == "__main__":
    app.run(main)
