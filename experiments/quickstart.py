"""From a portrait video to a head that speaks: everything, with one command.

    python experiments/quickstart.py --video talk.mp4 --audio speech.wav --out out

Preprocesses the video and examines it, trains a head, measures it on the last eleventh of the
video, which it has not seen, beside controls, and lets it speak the sound. Without --audio it
speaks that unseen part. Each step is one of the experiments beside this file, and says so.
Stopped, the same command goes on: preprocessing and training where they were, measuring and
speaking anew. --out belongs to one video, one --config and one --seed.

    out/data        the data set, with the doctor's verdict in doctor.txt
    out/run         checkpoints, logs and contact sheets
    out/report.*    what was measured, .txt for people
    out/NAME.mp4    the head speaking NAME
    out/summary.json  verdict, films, configuration, seed; minutes that each step has worked

Takes about 35 minutes for a minute of video on two CPU cores. The exit code is 0 when all is done,
130 when it was stopped.
"""

import contextlib
import json
import pathlib
import time
from collections.abc import Iterator

import siblings
import soundfile
from absl import app, flags

from emojax.data import audio, cameras, doctor, files
from emojax.data import record as preprocessed
from emojax.data.errors import DataError
from emojax.data.job import Settings
from emojax.drive import sound
from emojax.training import logs, record

_VIDEO = flags.DEFINE_string("video", None, "video with sound of one talking person", required=True)
_AUDIO = flags.DEFINE_multi_string("audio", [], "sound to speak; may be repeated")
_OUT = flags.DEFINE_string("out", "out", "folder of everything; made if absent")
_CONFIG = flags.DEFINE_enum(
    "config",
    None,
    siblings.CONFIGS,
    f"what to train, see experiments/configs; {siblings.RECOMMENDED}, or what --out was begun with",
)
_SEED = flags.DEFINE_integer(
    "seed", None, "seed of everything random; 0, or what --out was begun with", lower_bound=0
)
_QUIET = flags.DEFINE_bool("quiet", False, "print only the steps and the result")

HELD_OUT = "held_out"


class Clock:
    """Minutes that each step has worked, over all sittings, kept in a file."""

    def __init__(self, path: pathlib.Path):
        """Goes on from the file, if there is one."""
        self._path = path
        self._known = json.loads(path.read_text()) if path.exists() else {}
        self._minutes: dict[str, float] = self._known.setdefault("minutes", {})

    @contextlib.contextmanager
    def __call__(self, name: str, *, trace: pathlib.Path) -> Iterator[None]:
        """Times the block, however it ends, if it worked: then `trace` has another content."""
        before, start = _content(trace), time.perf_counter()
        try:
            yield
        finally:
            if _content(trace) != before:
                minutes = self._minutes.get(name, 0.0) + (time.perf_counter() - start) / 60
                self._note(name, minutes)

    @contextlib.contextmanager
    def anew(self, name: str) -> Iterator[None]:
        """Times the block, if it ends well, in place of what was known."""
        start = time.perf_counter()
        yield
        self._note(name, (time.perf_counter() - start) / 60)

    def write(self, **more: object) -> None:
        """Writes the minutes, and what else there is to say."""
        self._known |= more
        files.write_text(self._path, json.dumps(self._known, indent=1) + "\n")

    def _note(self, name: str, minutes: float) -> None:
        self._minutes[name] = round(minutes, 2)
        self.write()


def _content(path: pathlib.Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def step(script: str, *arguments: object) -> None:
    """Takes a step and says so."""
    print(f"\n> {siblings.shown(script, *arguments)}", flush=True)
    siblings.run(script, *arguments, quiet=_QUIET.value)


def check_sounds(paths: list[pathlib.Path]) -> None:
    """Refuses two sounds of one name, and files that hold none."""
    names = [path.stem for path in paths]
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(
            expected="sounds of different names",
            got=f"two that are called {twice[0]}",
            fix="Rename one: their films would have one name, too.",
        )
    for path in paths:
        sound.read(path)


def check_video(path: pathlib.Path, out: pathlib.Path) -> None:
    """Refuses what is no file, and another video than that of the folder."""
    if not path.is_file():
        raise DataError(expected="a video", got=f"{path}, which is no file", fix="Check the path.")
    decoded = preprocessed.read(out / "data")["stages"].get("decode", {"done": False})
    if not decoded["done"]:
        return
    before = decoded["settings"]["video"]
    if not preprocessed.same(before, preprocessed.of_settings(Settings(video=path))["video"]):
        raise DataError(
            expected=f"the video {preprocessed.shown(before)}, with which {out} was begun",
            got=f"another, {path}",
            fix="Use another --out.",
        )


def settled(run: pathlib.Path) -> tuple[str, int]:
    """Configuration and seed: those of the run where it has begun."""
    asked = (_CONFIG.value or siblings.RECOMMENDED, _SEED.value or 0)
    if not siblings.resume(run):
        return asked
    recipe, facts = record.read(run)
    own = (recipe.name, facts["seed"])
    for flag, now, before in zip((_CONFIG, _SEED), asked, own, strict=True):
        if flag.value is not None and now != before:
            raise DataError(
                expected=f"--{flag.name} {before}, with which {run} was begun",
                got=f"--{flag.name} {now}",
                fix="Leave it out, or use another --out.",
            )
    return own


def held_out_sound(data: pathlib.Path, path: pathlib.Path) -> pathlib.Path:
    """Writes the sound of the frames that do not train."""
    heard = audio.read_wav(data / files.SOUND)
    first = cameras.read_transforms(data / files.TRANSFORMS[1])["audio"].min()
    waveform = heard.waveform[int(first * audio.RATE / files.FPS) :]
    soundfile.write(path, waveform, audio.RATE)
    return path


def quickstart() -> None:
    """Takes all steps; what can be wrong with the command is asked first."""
    video, sounds = pathlib.Path(_VIDEO.value), [pathlib.Path(path) for path in _AUDIO.value]
    out = pathlib.Path(_OUT.value)
    data, run, report = out / "data", out / "run", out / "report.json"
    check_video(video, out)
    check_sounds(sounds)
    config, seed = settled(run)
    files.make_folder(out)
    clock = Clock(out / "summary.json")
    with clock("preprocess", trace=data / files.MANIFEST):
        step("preprocess", f"--video={video}", f"--out={data}")
    begin = siblings.resume(run) or [f"--config={config}", f"--seed={seed}"]
    with clock("train", trace=run / logs.LINES):
        step("train", f"--data={data}", f"--run={run}", *begin)
    with clock.anew("evaluate"):
        step("evaluate", f"--run={run}", f"--out={report}", "--overwrite")
    sounds = sounds or [held_out_sound(data, out / f"{HELD_OUT}.wav")]
    films = [out / f"{path.stem}.mp4" for path in sounds]
    with clock.anew("render"):
        for path, film in zip(sounds, films, strict=True):
            step("render", f"--run={run}", f"--audio={path}", f"--out={film}", "--overwrite")
    verdict = json.loads((data / doctor.JSON).read_text())["verdict"]
    clock.write(verdict=verdict, films=[film.name for film in films], config=config, seed=seed)
    if _QUIET.value:  # otherwise evaluate has shown it
        print(f"\n{report.with_suffix('.txt').read_text()}")
    print(f"\nfilms: {', '.join(map(str, films))}")


def main(argv: list[str]) -> int:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    return siblings.until_stopped("quickstart", quickstart)


if __name__ == "__main__":
    app.run(main)
