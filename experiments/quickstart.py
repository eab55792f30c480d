"""A head that speaks and feels: everything, with one command.

    python experiments/quickstart.py
    python experiments/quickstart.py --video talk.mp4 --audio speech.wav --out out

Without a video a puppet is filmed: nothing is downloaded, and all that a video does not tell is
known of it, emotions too. With --video the video is preprocessed instead, and some of its frames
are warped to other emotions where the configuration learns some. The clip is examined, a head is
trained, measured on the last eleventh of the clip, which it has not seen, beside controls,
and speaks: the sounds of --audio; without any, a puppet a new sentence in a new voice, and the head
of a video that unseen part. A head that has learned emotions shows them. Puppets need the extra
`speech` (pip install 'emojax[speech]').

    out/index.html  all of it, to open in a browser
    out/data        the data set, with the doctor's verdict in doctor.txt
    out/faces       of a video: some of its emotional pictures, why others were rejected
    out/run         checkpoints, logs and contact sheets
    out/report.*    what was measured, .txt for people
    out/NAME.mp4    the head speaking NAME
    out/moods.mp4   the same sound through moods.json; out/sweep/ at the twelve test points
    out/head.ply    its Gaussians in one frame, for any 3D Gaussian viewer
    out/summary.json  verdict, films, configuration, seed; minutes that each step has worked

Each step is one of the experiments beside this file, and says so. Stopped, the same command goes
on: filming anew, preprocessing and training where they were, measuring and speaking anew. --out
belongs to one clip, one --config and one --seed.

A puppet takes about six minutes on two CPU cores, a minute of video about 35. The exit code is 0
when all is done, 130 when it was stopped.
"""

import contextlib
import importlib
import itertools
import json
import math
import pathlib
import time
from collections.abc import Iterator

import results
import siblings
import soundfile
from absl import app, flags

from emojax.data import audio, cameras, doctor, emotional, files
from emojax.data import record as preprocessed
from emojax.data.errors import DataError
from emojax.data.job import Settings
from emojax.drive import sound
from emojax.puppet import film, population
from emojax.speech import espeak
from emojax.training import checkpoints, logs, record
from emojax.training.recipe import Recipe

_VIDEO = flags.DEFINE_string(
    "video", None, "video with sound of one talking person; a puppet is filmed without"
)
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

HELD_OUT, SENTENCE, MOODS = "held_out", "sentence", "moods"
TEXT = "Nobody has recorded this sentence. Still, here I am, and you can watch me say it."
# Of the puppet: as small and short as shows what the method does.
SIZE, SECONDS, TWINS, STEPS = 128, 60, 400, 0.25
# Of a video: pictures with other emotions to make, about as many as a minute's puppet has.
FACES = 500
# What is felt while the sentence is spoken, evenly apart.
COURSE = ("neutral", "happy", "surprise", "anger", "sad", "neutral")


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


def check_puppet(out: pathlib.Path) -> None:
    """Refuses to film into the folder of a video, or without a voice."""
    data = out / "data"
    if data.exists() and not (data / film.MANIFEST).exists():
        raise DataError(
            expected=f"a puppet's film in {data}",
            got="the data set of a video",
            fix="Name that video with --video, or use another --out.",
        )
    espeak.voices()  # says what to install


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


def shoot(data: pathlib.Path, seed: int) -> None:
    """Films the puppet and its twins, unless that is done."""
    if not (data / emotional.FOLDER).exists():
        step(
            "film", f"--out={data}", f"--seed={seed}", f"--size={SIZE}", f"--length={SECONDS}",
            f"--twins={TWINS}", "--emotion=neutral", "--overwrite",
        )  # fmt: skip
    step("doctor", f"--data={data}")


def recipe_of(config: str, run: pathlib.Path) -> Recipe:
    """What is trained: by its name, or as the run began."""
    if siblings.resume(run):
        return record.read(run)[0]
    return importlib.import_module(f"configs.{config}").get()


def make_faces(data: pathlib.Path, out: pathlib.Path, seed: int) -> None:
    """Warps frames of a video to other emotions, unless that is done; a face may not let itself."""
    if (data / emotional.FOLDER).exists():
        return
    count = min(len(files.numbered(data / files.FRAMES, ".jpg")), FACES)
    try:
        step(
            "emotional_faces", f"--data={data}", "--store", "--points=disc",
            f"--frames={count}", f"--num_points={math.ceil(FACES / count)}", f"--seed={seed}",
            f"--out={out}", "--overwrite",
        )  # fmt: skip
    except siblings.FailedError as error:
        why = f": {error}" if isinstance(error.code, str) else ""
        print(f"no emotional pictures, so a head without emotions{why}", flush=True)


def new_sentence(path: pathlib.Path, seed: int) -> pathlib.Path:
    """Writes a sentence in the voice of the next puppet that has another than this one."""
    own = population.cast(seed).voice
    others = (population.cast(other).voice for other in itertools.count(seed + 1))
    spoken = espeak.speak(TEXT, voice=next(voice for voice in others if voice != own))
    soundfile.write(path, spoken.samples, audio.RATE)
    return path


def write_moods(path: pathlib.Path, spoken: pathlib.Path) -> pathlib.Path:
    """Writes the course of emotions through a sound."""
    duration = sound.read(spoken).duration
    times = [round(duration * k / (len(COURSE) - 1), 2) for k in range(len(COURSE))]
    rows = [{"time": t, "emotion": name} for t, name in zip(times, COURSE, strict=True)]
    files.write_text(path, json.dumps(rows, indent=1) + "\n")
    return path


def show_emotions(run: pathlib.Path, spoken: pathlib.Path, out: pathlib.Path) -> list[pathlib.Path]:
    """Renders moods and a sweep, where the head has learned emotions; returns the films."""
    if checkpoints.load_run(run).head.config.emotion == "none":
        return []
    moods = write_moods(out / f"{MOODS}.json", spoken)
    made = out / f"{MOODS}.mp4"
    step(
        "render", f"--run={run}", f"--audio={spoken}", f"--emotion={moods}", f"--out={made}",
        "--overwrite",
    )  # fmt: skip
    step(
        "sweep", f"--run={run}", f"--audio={spoken}", f"--out={out / results.SWEEP}", "--overwrite"
    )
    return [made]


def quickstart() -> None:
    """Takes all steps; what can be wrong with the command is asked first."""
    video = None if _VIDEO.value is None else pathlib.Path(_VIDEO.value)
    sounds = [pathlib.Path(path) for path in _AUDIO.value]
    out = pathlib.Path(_OUT.value)
    data, run, report = out / "data", out / "run", out / "report.json"
    if video is None:
        check_puppet(out)
    else:
        check_video(video, out)
    check_sounds(sounds)
    config, seed = settled(run)
    files.make_folder(out)
    clock = Clock(out / "summary.json")
    begin = siblings.resume(run) or [f"--config={config}", f"--seed={seed}"]
    if video is None:
        with clock("film", trace=data / emotional.FOLDER / emotional.SOURCE):
            shoot(data, seed)
        begin += [] if siblings.resume(run) else [f"--size={SIZE}", f"--steps={STEPS}"]
    else:
        with clock("preprocess", trace=data / files.MANIFEST):
            step("preprocess", f"--video={video}", f"--out={data}")
        if recipe_of(config, run).head.emotion != "none":
            with clock("faces", trace=data / emotional.FOLDER / emotional.SOURCE):
                make_faces(data, out / results.FACES, seed)
    with clock("train", trace=run / logs.LINES):
        step("train", f"--data={data}", f"--run={run}", *begin)
    with clock.anew("evaluate"):
        step("evaluate", f"--run={run}", f"--out={report}", "--overwrite")
    if not sounds:
        is_film = video is None
        path = out / f"{SENTENCE if is_film else HELD_OUT}.wav"
        sounds = [new_sentence(path, seed) if is_film else held_out_sound(data, path)]
    films = [out / f"{path.stem}.mp4" for path in sounds]
    with clock.anew("render"):
        for path, made in zip(sounds, films, strict=True):
            step("render", f"--run={run}", f"--audio={path}", f"--out={made}", "--overwrite")
        films += show_emotions(run, sounds[0], out)
    results.save_cloud(run, out / results.CLOUD)
    verdict = json.loads((data / doctor.JSON).read_text())["verdict"]
    clock.write(verdict=verdict, films=[made.name for made in films], config=config, seed=seed)
    results.write_page(out, films, is_puppet=video is None)
    if _QUIET.value:  # otherwise evaluate has shown it
        print(f"\n{report.with_suffix('.txt').read_text()}")
    print(f"\nfilms: {', '.join(map(str, films))}\nall of it: {out / results.PAGE}")


def main(argv: list[str]) -> int:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    return siblings.until_stopped("quickstart", quickstart)


if __name__ == "__main__":
    app.run(main)
