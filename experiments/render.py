"""Drives a trained head with any sound into a finished film.

    python experiments/render.py --run runs/talk --audio speech.wav --out speech.mp4

Writes H.264 and AAC, exactly as long as the sound, streaming its pictures, and prints

    275 frames, 11.00 s, in 6.3 s: 43.9 a second (per frame, side by side: draw 19.8 ms, ...)

--pose and --expression take `clip` (the training clip's own, back and forth), `fixed`, or a file of
25 frames a second (.csv, .json, .npz): columns yaw, pitch, roll (degrees) and x, y, z (metres) from
the usual pose, or world_to_camera [T, 4, 4], or a transforms_*.json; AU01_r, AU04_r, ... (0 to 5).
Whatever has no AU45 of its own blinks by itself. --ply writes each frame's moved Gaussians for any
3D Gaussian viewer (head frame, metres), --frames writes PNG pictures.

An interrupted render leaves no film. Nothing is replaced without --overwrite.
"""

import pathlib
import signal
import sys
import time
from collections.abc import Iterable, Iterator

import jax
import numpy as np
from absl import app, flags

from emojax.data import ahead, files
from emojax.data import clip as clips
from emojax.data.errors import DataError
from emojax.drive import frames, movie, script, sound
from emojax.gaussians import ply
from emojax.training import checkpoints

_RUN = flags.DEFINE_string("run", None, "folder of a trained head", required=True)
_AUDIO = flags.DEFINE_string("audio", None, "sound, or a video with sound", required=True)
_OUT = flags.DEFINE_string("out", None, "film to write, .mp4", required=True)
_POSE = flags.DEFINE_string("pose", "clip", "clip, fixed, or a file of head poses")
_EXPRESSION = flags.DEFINE_string("expression", "clip", "clip, fixed, or a file of action units")
_LOOP = flags.DEFINE_bool(
    "loop", False, "cut, or repeat back and forth, a file of another length than the sound"
)
_PLY = flags.DEFINE_string("ply", None, "folder for each frame's Gaussians, 0.ply, 1.ply, ...")
_FRAMES = flags.DEFINE_string("frames", None, "folder for pictures, 0.png, 1.png, ...")
_AUDIO_FEATURES = flags.DEFINE_string(
    "audio_features", None, ".npy of the sound's features, for a head trained on imported ones"
)
_DATA = flags.DEFINE_string("data", None, "folder of the training clip, if it has moved")
_CHUNK = flags.DEFINE_integer("chunk", frames.CHUNK, "frames drawn at once", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "seed of the blinks")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "replace a film, pictures and .ply files")


def _source(text: str) -> str | pathlib.Path:
    """A word, or the path of a file."""
    return text if text in ("clip", "fixed") else pathlib.Path(text)


def _folder(text: str | None, suffix: str) -> pathlib.Path | None:
    """A folder for numbered files, without any."""
    if text is None:
        return None
    folder = pathlib.Path(text)
    files.make_folder(folder)
    old = files.numbered(folder, suffix)
    if old and not _OVERWRITE.value:
        raise DataError(
            expected=f"no {suffix} files in {folder}",
            got=f"{len(old)} of an earlier render",
            fix="Choose another folder, or add --overwrite.",
        )
    for path in old.values():
        path.unlink()
    return folder


def _saved(pictures: Iterable[np.ndarray], folder: pathlib.Path | None) -> Iterator[np.ndarray]:
    """The pictures, each written on its way."""
    for number, picture in enumerate(pictures):
        if folder is not None:
            files.write_picture(folder / f"{number}.png", picture)
        yield picture


def _write_clouds(trained, planned: script.Script, folder: pathlib.Path | None) -> None:
    """One .ply a frame."""
    for number, cloud in enumerate(frames.clouds(trained, planned) if folder else ()):
        ply.save(folder / f"{number}.ply", jax.device_get(cloud))


def _bar(pictures: Iterable[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """A progress bar with the time left; none where nobody watches."""
    from tqdm import tqdm

    return tqdm(pictures, total=count, unit=" frames", disable=None, leave=False)


def render() -> str:
    """Renders the film that the flags ask for, and returns what to say of it."""
    out = pathlib.Path(_OUT.value)
    if out.exists() and pathlib.Path(_AUDIO.value).exists() and out.samefile(_AUDIO.value):
        raise DataError(
            expected="a film beside the sound", got="the sound's own name", fix="Choose another."
        )
    files.make_folder(out.parent)
    movie.check_place(out, overwrite=_OVERWRITE.value)
    heard = sound.read(_AUDIO.value)
    run = checkpoints.load_run(pathlib.Path(_RUN.value))
    folder = pathlib.Path(_DATA.value) if _DATA.value else run.clip_folder
    clip = clips.load(folder, size=run.size, features=run.features, force=run.forced)
    trained = frames.ready(run.head)
    planned = script.plan(
        jax.random.key(_SEED.value),
        clip,
        trained.config,
        heard,
        pose=_source(_POSE.value),
        expression=_source(_EXPRESSION.value),
        audio_features=pathlib.Path(_AUDIO_FEATURES.value) if _AUDIO_FEATURES.value else None,
        loop=_LOOP.value,
    )
    for note in (*run.notes, *planned.notes):
        print(f"note: {note}", file=sys.stderr)
    pictures_folder, clouds_folder = _folder(_FRAMES.value, ".png"), _folder(_PLY.value, ".ply")
    seconds: dict[str, float] = {}
    begin = time.perf_counter()
    drawn = frames.render(trained, clip, planned, chunk=_CHUNK.value, seconds=seconds)
    waited = ahead.timed(ahead.ahead(drawn, depth=_CHUNK.value), seconds, "wait")
    pictures = _bar(_saved(waited, pictures_folder), len(planned))
    count = movie.write(out, pictures, heard, overwrite=_OVERWRITE.value)
    total = time.perf_counter() - begin
    seconds["encode"] = total - seconds.pop("wait")
    parts = ", ".join(f"{name} {1000 * spent / count:.1f} ms" for name, spent in seconds.items())
    _write_clouds(trained, planned, clouds_folder)
    return (
        f"{count} frames, {heard.duration:.2f} s, in {total:.1f} s: {count / total:.1f} a second, "
        f"compilation included (per frame, side by side: {parts}); see {out}"
    )


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    # A polite stop cleans up as an error does; otherwise the unfinished file would stay.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("render: stopped"))
    try:
        print(render())
    except DataError as error:
        sys.exit(f"render: {error}")
    except KeyboardInterrupt:
        sys.exit("render: stopped; no film was written")


if __name__ == "__main__":
    app.run(main)
