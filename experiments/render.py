"""Drives a trained head with any sound into a finished film.

    python experiments/render.py --run runs/talk --audio speech.wav --out speech.mp4

Writes H.264 and AAC, exactly as long as the sound, streaming its pictures, and prints

    275 frames, 11.00 s, in 6.3 s: 43.9 a second (per frame, side by side: draw 19.8 ms, ...)

compilation, which comes before, left out. --pose and --expression take `clip` (the training clip's
own, back and forth), `fixed`, or a file (.csv, .json, .npz) of 25 frames a second, or of one number
for all frames: {"yaw": 5}. Names of columns may be in capitals.

pose        yaw, pitch, roll in degrees, x, y, z in metres, from the usual pose: that of the clip's
            frame nearest to the median of all. Positive: turned to the picture's right, looking up,
            tilted clockwise; moved to the right, up, towards the camera. Those left out are 0. Or
            world_to_camera [T, 4, 4], or a data set's transforms_*.json.
expression  AU01_r, AU04_r, ... (0 to 5), those that the head was trained on: 1, 4, 5, 6, 7 and 45,
            if config.json of the run names no others. Those left out are the clip's median; without
            an AU45 of its own the head blinks by itself.

A head that was trained with emotions takes --emotion: a class (happy, surprise, ...), `clip`,
`circle` (--radius, --period), or keyframes in a .csv or .json file,
[{"time": 0, "emotion": "neutral"}, {"time": 1.5, "valence": 0.7, "arousal": 0.4}], between which it
changes smoothly while speaking; or --valence and --arousal, held.

--ply writes each frame's moved Gaussians for any 3D Gaussian viewer (head frame, metres), --frames
writes PNG pictures, both while the film is made. A render that is stopped leaves no film; pictures
and .ply files that it has written stay. Nothing is replaced without --overwrite.

Film, pictures and .ply files say of themselves that they are synthetic, and of which run they are:
experiments/verify.py reads it. --mark puts the word, or --mark_text, on every picture, too.
"""

import dataclasses
import pathlib
import signal
import sys
import time
from collections.abc import Iterable, Iterator

import jax
import numpy as np
import siblings
from absl import app, flags

from emojax import caches
from emojax.data import ahead, carriers, files, provenance
from emojax.data import clip as clips
from emojax.data.errors import DataError
from emojax.data.provenance import Provenance
from emojax.drive import effects, frames, mark, movie, script, sound
from emojax.drive import emotion as emotions
from emojax.gaussians import ply
from emojax.training import checkpoints
from emojax.types import Gaussians

STALE = 2.0  # seconds: a picture or a .ply file is written in milliseconds

_RUN = flags.DEFINE_string("run", None, "folder of a trained head", required=True)
_AUDIO = flags.DEFINE_string("audio", None, "sound, or a video with sound", required=True)
_OUT = flags.DEFINE_string("out", None, "film to write, .mp4", required=True)
_POSE = flags.DEFINE_string("pose", "clip", "clip, fixed, or a file of head poses")
_EXPRESSION = flags.DEFINE_string("expression", "clip", "clip, fixed, or a file of action units")
_EMOTION = flags.DEFINE_string(
    "emotion", None, "happy, sad, ..., clip, circle, or a file of keyframes; neutral by default"
)
_VALENCE = flags.DEFINE_float(
    "valence", None, "held, -1 to 1; with --arousal, in place of --emotion"
)
_AROUSAL = flags.DEFINE_float(
    "arousal", None, "held, -1 to 1; with --valence, in place of --emotion"
)
_RADIUS = flags.DEFINE_float("radius", emotions.RADIUS, "of --emotion circle, 0 to 1")
_PERIOD = flags.DEFINE_float("period", emotions.PERIOD, "of --emotion circle, seconds for a round")
_OUTSIDE = flags.DEFINE_enum(
    "outside", "clip", ["clip", "refuse"], "what is done to emotions outside the disc"
)
_LOOP = flags.DEFINE_bool(
    "loop", False, "cut, or repeat back and forth, a file of another length than the sound"
)
_PLY = flags.DEFINE_string("ply", None, "folder for each frame's Gaussians, 0.ply, 1.ply, ...")
_FRAMES = flags.DEFINE_string("frames", None, "folder for pictures, 0.png, 1.png, ...")
_MARK = flags.DEFINE_bool("mark", False, f"put the word {mark.TEXT!r} on every picture")
_MARK_TEXT = flags.DEFINE_string("mark_text", None, "to put on every picture in place of that word")
_AUDIO_FEATURES = flags.DEFINE_string(
    "audio_features", None, ".npy of the sound's features, for a head trained on imported ones"
)
_DATA = flags.DEFINE_string("data", None, "folder of the training clip, if it has moved")
_CHUNK = flags.DEFINE_integer("chunk", frames.CHUNK, "frames drawn at once", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "seed of the blinks")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "replace a film, pictures and .ply files")


def _emotion() -> emotions.Source:
    """The emotion that the flags name."""
    point = (_VALENCE.value, _AROUSAL.value)
    if _EMOTION.value != "circle" and (_RADIUS.present or _PERIOD.present):
        raise DataError(
            expected="--radius and --period with --emotion circle",
            got=f"them with {'no emotion' if _EMOTION.value is None else _EMOTION.value}",
            fix="Leave them out, or go round in a circle.",
        )
    if point == (None, None):
        return _EMOTION.value
    if _EMOTION.value is not None or None in point:
        raise DataError(
            expected="--emotion, or --valence and --arousal",
            got="a mixture of them" if _EMOTION.value is not None else "only one of the two",
            fix="0 is neutral: --valence 0.7 --arousal 0.",
        )
    return point


def _folder(text: str | None, suffix: str) -> pathlib.Path | None:
    """A folder for numbered files, without any, nor halves of them that a killed render left."""
    if text is None:
        return None
    folder = pathlib.Path(text)
    files.make_folder(folder)
    files.check_writable(folder)
    old = files.numbered(folder, suffix)
    if old and not _OVERWRITE.value:
        raise DataError(
            expected=f"no {suffix} files in {folder}",
            got=f"{len(old)} of an earlier render",
            fix="Choose another folder, or add --overwrite.",
        )
    for path in old.values():
        path.unlink()
    files.clear_partial(folder, idle=STALE)
    for path in folder.glob(f".*{suffix}.*.tmp"):
        if time.time() - path.stat().st_mtime > STALE:
            path.unlink()
    return folder


def _with_pictures(
    pictures: Iterable[np.ndarray],
    folder: pathlib.Path,
    about: Provenance,
    seconds: dict[str, float],
) -> Iterator[np.ndarray]:
    """The pictures, each written on its way."""
    seconds["png"] = 0.0
    for number, picture in enumerate(pictures):
        begin = time.perf_counter()
        carriers.write_png(folder / f"{number}.png", picture, about)
        seconds["png"] += time.perf_counter() - begin
        yield picture


def _with_clouds(
    pictures: Iterable[np.ndarray],
    clouds: Iterable[Gaussians],
    folder: pathlib.Path,
    about: Provenance,
    seconds: dict[str, float],
) -> Iterator[np.ndarray]:
    """The pictures, each frame's Gaussians being written beside."""
    made = ahead.timed(clouds, seconds, "ply")
    comment = provenance.to_json(about)
    for number, (picture, cloud) in enumerate(zip(pictures, made, strict=True)):
        begin = time.perf_counter()
        ply.save(folder / f"{number}.ply", jax.device_get(cloud), comment=comment)
        seconds["ply"] += time.perf_counter() - begin
        yield picture


def _bar(pictures: Iterable[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """A progress bar with the time left; none where nobody watches."""
    from tqdm import tqdm

    return tqdm(pictures, total=count, unit=" frames", disable=None, leave=False)


def _compile(trained, clip, planned: script.Script, *, moves: bool) -> None:
    """Compiles what the film needs; says what the head hardly shows, which takes the same."""
    for note in effects.notes(trained, clip, planned, chunk=_CHUNK.value):
        print(f"note: {note}", file=sys.stderr)
    if moves:
        jax.block_until_ready(next(frames.clouds(trained, planned)))


def _counted(count: int, noun: str) -> str:
    """A number of things."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _left() -> str:
    """What a stopped render has written and leaves, in words."""
    places = {"picture": (_FRAMES.value, ".png"), ".ply file": (_PLY.value, ".ply")}
    found = []
    for noun, (folder, suffix) in places.items():
        count = len(files.numbered(pathlib.Path(folder), suffix)) if folder else 0
        if count:
            found.append(f"; {_counted(count, noun)} in {folder}, which --overwrite replaces")
    return "".join(found)


def render() -> str:
    """Renders the film that the flags ask for, and returns what to say of it."""
    out = pathlib.Path(_OUT.value)
    if out.exists() and pathlib.Path(_AUDIO.value).exists() and out.samefile(_AUDIO.value):
        raise DataError(
            expected="a film beside the sound", got="the sound's own name", fix="Choose another."
        )
    files.make_folder(out.parent)
    movie.check_place(out, overwrite=_OVERWRITE.value)
    text = mark.chosen(_MARK.value, _MARK_TEXT.value)
    heard = sound.read(_AUDIO.value)
    run = checkpoints.load_run(pathlib.Path(_RUN.value))
    folder = pathlib.Path(_DATA.value) if _DATA.value else run.clip_folder
    clip = clips.load(folder, size=run.size, features=run.features, force=run.forced)
    if text is not None:
        mark.check_room(text, clip.size)
    about = dataclasses.replace(run.provenance, mark=text)
    trained = frames.ready(run.head)
    planned = script.plan(
        jax.random.key(_SEED.value),
        clip,
        trained.config,
        heard,
        pose=script.source(_POSE.value),
        expression=script.source(_EXPRESSION.value),
        emotion=_emotion(),
        radius=_RADIUS.value,
        period=_PERIOD.value,
        outside=_OUTSIDE.value,
        audio_features=pathlib.Path(_AUDIO_FEATURES.value) if _AUDIO_FEATURES.value else None,
        loop=_LOOP.value,
    )
    for note in (*run.notes, *planned.notes):
        print(f"note: {note}", file=sys.stderr)
    pictures_folder, clouds_folder = _folder(_FRAMES.value, ".png"), _folder(_PLY.value, ".ply")
    begin = time.perf_counter()
    _compile(trained, clip, planned, moves=clouds_folder is not None)
    compiled = time.perf_counter() - begin
    seconds: dict[str, float] = {}
    begin = time.perf_counter()
    drawn = frames.render(trained, clip, planned, chunk=_CHUNK.value, seconds=seconds)
    pictures = ahead.timed(ahead.ahead(drawn, depth=_CHUNK.value), seconds, "wait")
    if text is not None:
        pictures = mark.put_on(pictures, text)
    if pictures_folder is not None:
        pictures = _with_pictures(pictures, pictures_folder, about, seconds)
    if clouds_folder is not None:
        clouds = frames.clouds(trained, planned)
        pictures = _with_clouds(pictures, clouds, clouds_folder, run.provenance, seconds)
    shown = _bar(pictures, len(planned))
    count = movie.write(out, shown, heard, about=about, overwrite=_OVERWRITE.value)
    total = time.perf_counter() - begin
    beside = seconds.get("png", 0.0) + seconds.get("ply", 0.0)
    seconds["encode"] = total - seconds.pop("wait") - beside
    parts = ", ".join(f"{name} {1000 * spent / count:.1f} ms" for name, spent in seconds.items())
    return (
        f"{_counted(count, 'frame')}, {heard.duration:.2f} s, in {total:.1f} s: "
        f"{count / total:.1f} a second (per frame, side by side: {parts}), after {compiled:.1f} s "
        f"of compilation; see {out}"
    )


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    caches.keep_programs()
    # A polite stop is one by hand: what is unfinished is removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with siblings.warnings_as_notes():
            print(render())
    except DataError as error:
        sys.exit(f"render: {error}")
    except KeyboardInterrupt:
        print(f"render: stopped; no film was written{_left()}", file=sys.stderr)
        sys.exit(siblings.INTERRUPTED)


if __name__ == "__main__":
    app.run(main)
