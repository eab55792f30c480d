"""How fast a head speaks: the whole path from a sound to a film, with its parts."""

from __future__ import annotations

import itertools
import os
import pathlib
import tempfile
import time
from typing import NamedTuple

import jax
import soundfile

from emojax.data import ahead, audio, files
from emojax.data.clip import Clip
from emojax.drive import frames, movie, script, sound
from emojax.head import Head

SECONDS = 8.0  # of the clip's own sound


class Speed(NamedTuple):
    """Of one film.

    Attributes:
      frames: of the film.
      frames_per_second: of the whole path, compilation left out.
      milliseconds: for each frame: "hear" (features, pose and expression), "prepare" (reading the
        torso), "draw" and "encode"; the last three run side by side.
      cores: that the process may use.
      device: that draws.
    """

    frames: int
    frames_per_second: float
    milliseconds: dict[str, float]
    cores: int
    device: str


def measure(trained: Head, clip: Clip) -> Speed:
    """Lets a head speak the beginning of its clip, and times it.

    Args:
      trained: head, of `frames.ready`.
      clip: that it was trained on.

    Raises:
      DataError: the head hears features that cannot be made from a sound here.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        waveform = audio.read_wav(clip.folder / files.SOUND).waveform
        path = folder / files.SOUND
        soundfile.write(path, waveform[: round(SECONDS * audio.RATE)], audio.RATE)
        _film(trained, clip, path, folder / "first.mp4", limit=1)  # compiles
        spent: dict[str, float] = {}
        begin = time.perf_counter()
        count = _film(trained, clip, path, folder / "second.mp4", spent=spent)
        total = time.perf_counter() - begin
    return Speed(
        frames=count,
        frames_per_second=round(count / total, 1),
        milliseconds={part: round(1000 * s / count, 2) for part, s in spent.items()},
        cores=len(os.sched_getaffinity(0)),
        device=jax.devices()[0].device_kind,
    )


def _film(trained, clip, path, out, *, limit: int | None = None, spent=None) -> int:
    """Makes a film, or draws only its first frames; returns how many."""
    spent = {} if spent is None else spent
    begin = time.perf_counter()
    heard = sound.read(path)
    planned = script.plan(jax.random.key(0), clip, trained.config, heard)
    spent["hear"] = time.perf_counter() - begin
    drawn = frames.render(trained, clip, planned, seconds=spent)
    if limit is not None:
        return len(list(itertools.islice(drawn, limit)))
    waited = ahead.timed(ahead.ahead(drawn, depth=frames.CHUNK), spent, "wait")
    begin = time.perf_counter()
    count = movie.write(out, waited, heard)
    spent["encode"] = time.perf_counter() - begin - spent.pop("wait")
    return count
