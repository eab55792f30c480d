"""From a portrait video to a head that speaks: everything, with one command.

    python experiments/quickstart.py --video talk.mp4 --audio speech.wav --out out

Preprocesses the video and examines it, trains a head, measures it on the last eleventh of the
video, which it has not seen, beside controls, and lets it speak the sound. Without --audio it
speaks that unseen part. Each step is one of the experiments beside this file, and says so; what is
done is not done again, so the command goes on where it was stopped.

    out/data        the data set, with the doctor's verdict in doctor.txt
    out/run         checkpoints, logs and contact sheets
    out/report.*    what was measured, .txt for people
    out/NAME.mp4    the head speaking NAME
    out/summary.json

Takes about 40 minutes for a minute of video on two CPU cores. The exit code is 0 when all is done.
"""

import json
import pathlib
import shlex
import sys

import siblings
import soundfile
from absl import app, flags

from emojax.data import audio, cameras, files
from emojax.data.errors import DataError

_VIDEO = flags.DEFINE_string("video", None, "video with sound of one talking person", required=True)
_AUDIO = flags.DEFINE_multi_string("audio", [], "sound to speak; may be repeated")
_OUT = flags.DEFINE_string("out", "out", "folder of everything; made if absent")
_CONFIG = flags.DEFINE_string("config", "fast", "what to train, see experiments/configs")
_SEED = flags.DEFINE_integer("seed", 0, "seed of everything random")
_QUIET = flags.DEFINE_bool("quiet", False, "say only which step is taken")

HELD_OUT = "held_out"


def step(script: str, *arguments: object) -> float:
    """Takes a step and says so; returns its seconds."""
    print(
        "\n> " + shlex.join(["python", f"experiments/{script}.py", *map(str, arguments)]),
        flush=True,
    )
    return siblings.run(script, *arguments, quiet=_QUIET.value)


def held_out_sound(data: pathlib.Path, path: pathlib.Path) -> pathlib.Path:
    """Writes the sound of the frames that do not train."""
    sound = audio.read_wav(data / files.SOUND)
    first = cameras.read_transforms(data / files.TRANSFORMS[1])["audio"].min()
    waveform = sound.waveform[int(first * audio.RATE / files.FPS) :]
    soundfile.write(path, waveform, audio.RATE)
    return path


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    out = pathlib.Path(_OUT.value)
    data, run, report = out / "data", out / "run", out / "report.json"
    missing = [path for path in [_VIDEO.value, *_AUDIO.value] if not pathlib.Path(path).is_file()]
    if missing:
        sys.exit(f"quickstart: expected a file; got {missing[0]}, which is none. Check the path.")
    seconds = {"preprocess": step("preprocess", f"--video={_VIDEO.value}", f"--out={data}")}
    new = [] if (run / "config.json").exists() else [f"--config={_CONFIG.value}"]
    seconds["train"] = step(
        "train", f"--data={data}", f"--run={run}", *new, f"--seed={_SEED.value}", "--resume"
    )
    seconds["evaluate"] = step("evaluate", f"--run={run}", f"--out={report}", "--overwrite")
    try:
        sounds = [pathlib.Path(path) for path in _AUDIO.value]
        sounds = sounds or [held_out_sound(data, out / f"{HELD_OUT}.wav")]
    except DataError as error:
        sys.exit(f"quickstart: {error}")
    films = [out / f"{path.stem}.mp4" for path in sounds]
    seconds["render"] = sum(
        step("render", f"--run={run}", f"--audio={sound}", f"--out={film}", "--overwrite")
        for sound, film in zip(sounds, films, strict=True)
    )
    summary = {
        "verdict": json.loads((data / "doctor.json").read_text())["verdict"],
        "minutes": {name: round(value / 60, 2) for name, value in seconds.items()},
        "films": [film.name for film in films],
    }
    files.write_text(out / "summary.json", json.dumps(summary, indent=1) + "\n")
    print(f"\n{report.with_suffix('.txt').read_text()}\nfilms: {', '.join(map(str, films))}")


if __name__ == "__main__":
    app.run(main)
