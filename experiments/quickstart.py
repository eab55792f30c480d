"""From a portrait video to a head that speaks: everything, with one command.

    python experiments/quickstart.py --video talk.mp4 --audio speech.wav --out out

Preprocesses the video and examines it, trains a head, measures it on the last eleventh of the
video, which it has not seen, beside controls, and lets it speak the sound. Without --audio it
speaks that unseen part. Each step is one of the experiments beside this file, and says so.
Preprocessing and training go on where they were stopped; measuring and speaking are done anew.

    out/data        the data set, with the doctor's verdict in doctor.txt
    out/run         checkpoints, logs and contact sheets
    out/report.*    what was measured, .txt for people
    out/NAME.mp4    the head speaking NAME
    out/summary.json

Takes about 35 minutes for a minute of video on two CPU cores. The exit code is 0 when all is done.
"""

import contextlib
import json
import pathlib
import shlex
import sys
import time
from collections.abc import Iterator

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


class Clock:
    """Minutes of each step over all sittings, kept in a file."""

    def __init__(self, path: pathlib.Path):
        """Goes on from the file, if there is one."""
        self._path = path
        known = json.loads(path.read_text()) if path.exists() else {}
        self._minutes: dict[str, float] = known.get("minutes", {})

    @contextlib.contextmanager
    def __call__(self, name: str, *, anew: bool = False) -> Iterator[None]:
        """Times the block, however it ends; `anew` forgets earlier sittings."""
        start = time.perf_counter()
        try:
            yield
        finally:
            before = 0.0 if anew else self._minutes.get(name, 0.0)
            minutes = before + (time.perf_counter() - start) / 60
            self._minutes[name] = round(minutes, 2)
            if self._path.parent.exists():
                self.write({})

    def write(self, more: dict) -> None:
        """Writes the minutes and what else there is to say."""
        text = json.dumps({"minutes": self._minutes, **more}, indent=1)
        files.write_text(self._path, text + "\n")


def step(script: str, *arguments: object) -> None:
    """Takes a step and says so."""
    print(
        "\n> " + shlex.join(["python", f"experiments/{script}.py", *map(str, arguments)]),
        flush=True,
    )
    siblings.run(script, *arguments, quiet=_QUIET.value)


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
    names = [pathlib.Path(path).stem for path in _AUDIO.value]
    if twice := [name for name in names if names.count(name) > 1]:
        sys.exit(f"quickstart: two sounds are called {twice[0]}: their films would be, too")
    clock = Clock(out / "summary.json")
    with clock("preprocess"):
        step("preprocess", f"--video={_VIDEO.value}", f"--out={data}")
    with clock("train"):
        step(
            "train", f"--data={data}", f"--run={run}", f"--config={_CONFIG.value}",
            f"--seed={_SEED.value}", "--resume",
        )  # fmt: skip
    with clock("evaluate", anew=True):
        step("evaluate", f"--run={run}", f"--out={report}", "--overwrite")
    try:
        sounds = [pathlib.Path(path) for path in _AUDIO.value]
        sounds = sounds or [held_out_sound(data, out / f"{HELD_OUT}.wav")]
    except DataError as error:
        sys.exit(f"quickstart: {error}")
    films = [out / f"{path.stem}.mp4" for path in sounds]
    with clock("render", anew=True):
        for sound, film in zip(sounds, films, strict=True):
            step("render", f"--run={run}", f"--audio={sound}", f"--out={film}", "--overwrite")
    verdict = json.loads((data / "doctor.json").read_text())["verdict"]
    clock.write({"verdict": verdict, "films": [film.name for film in films]})
    print(f"\n{report.with_suffix('.txt').read_text()}\nfilms: {', '.join(map(str, films))}")


if __name__ == "__main__":
    app.run(main)
