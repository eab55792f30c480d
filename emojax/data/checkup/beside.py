"""The doctor's look at the files beside the frames: sound, features, action units, the record.

What training cannot do without is not usable when it is missing; what `clip.load` replaces by a
fallback is usable.
"""

from __future__ import annotations

import numpy as np

from emojax.data import audio, audio_features, files
from emojax.data.checkup import report
from emojax.data.checkup.contents import Contents
from emojax.data.checkup.curves import FPS
from emojax.data.checkup.report import GOOD, NOT_USABLE, USABLE, Finding, stated
from emojax.data.checkup.thresholds import Thresholds

_MAKE = "experiments/preprocess.py --out DIR --stages"
_OTHER_RATES = (23.976, 24, 29.97, 30, 50, 60)  # fps, that the pictures may really have
_RATIO = 3e-3  # tolerance of lengths that tell a rate


def check(contents: Contents, thresholds: Thresholds) -> list[Finding]:
    """Returns the findings about sound, features, action units and the record of preprocessing.

    Args:
      contents: of the folder.
      thresholds: to judge by.
    """
    return [
        _sound(contents),
        _sound_length(contents, thresholds),
        _features(contents),
        _units(contents),
        _valence_arousal(contents),
        _source(contents, thresholds),
    ]


def _sound(contents: Contents) -> Finding:
    """Whether there is sound that can be read."""
    fault = contents.faults.get("sound")
    advice = "Extract it from the video: ffmpeg -i VIDEO -ar 16000 -ac 1 aud.wav"
    if contents.sound is not None:
        return stated("sound", "sound", f"{_seconds(contents):.2f} s", GOOD)
    level = USABLE if contents.features and not fault else NOT_USABLE
    return stated("sound", "sound", fault or "none", level, good=files.SOUND, advice=advice)


def _seconds(contents: Contents) -> float:
    """Length of the sound."""
    return len(contents.sound.waveform) / audio.RATE


def _sound_length(contents: Contents, thresholds: Thresholds) -> Finding:
    """Whether sound and pictures are of one length."""
    name, title = "sound_length", "sound against pictures"
    if contents.sound is None or not len(contents):
        return report.unknown(name, title, "Needs sound and pictures.")
    seconds = _seconds(contents)
    ratio = seconds * FPS / len(contents)
    rate = min(_OTHER_RATES, key=lambda fps: abs(ratio * fps / FPS - 1))
    is_close = abs(ratio * rate / FPS - 1) < _RATIO
    hint = f"; pictures at {rate:g} fps would have this length." if is_close else "."
    return report.at_most(
        name,
        title,
        abs(seconds - len(contents) / FPS),
        thresholds.sound_difference,
        unit="s",
        advice=f"Make pictures (25 fps) and sound again from one video{hint}",
    )


def _features(contents: Contents) -> Finding:
    """Whether there are sound features that fit, or sound to make them from."""
    name, title = "features", "sound features"
    faulty = [k.file for k in audio_features.KINDS.values() if k.file in contents.faults]
    if faulty:
        text = contents.faults[faulty[0]]
        return stated(
            name, title, text, NOT_USABLE, advice=f"Delete or replace {', '.join(faulty)}."
        )
    if contents.features:
        shapes = [f"{k} {'x'.join(map(str, v.values.shape))}" for k, v in contents.features.items()]
        return stated(name, title, ", ".join(shapes), GOOD)
    if contents.sound is not None:
        text = "none; log-mel is made from the sound"
        return stated(name, title, text, USABLE, advice=f"Make them: {_MAKE} features.")
    return stated(name, title, "none", NOT_USABLE, advice="Give sound or features.")


def _units(contents: Contents) -> Finding:
    """Whether there are action units that fit."""
    name, title = "action_units", "action units"
    if "action_units" in contents.faults:
        advice = "Delete au.csv to use built-in estimates, or make it from these pictures."
        return stated(name, title, contents.faults["action_units"], NOT_USABLE, advice=advice)
    if contents.units is None:
        text = "none; estimated from landmarks"
        return stated(name, title, text, USABLE, advice=f"Make them: {_MAKE} action_units.")
    numbers = ", ".join(map(str, contents.units.numbers))
    return stated(name, title, f"{len(contents.units.values)} rows of {numbers}", GOOD)


def _valence_arousal(contents: Contents) -> Finding:
    """Whether valence and arousal, where there are any, fit."""
    path, name, title = (
        contents.folder / files.VALENCE_AROUSAL,
        "valence_arousal",
        "valence, arousal",
    )
    if not path.exists():
        return stated(name, title, "none given", GOOD)
    try:
        values = np.load(path)
        fits = values.shape == (len(contents), 2) and bool((np.abs(values) <= 1).all())
        text = f"{values.shape}" if fits else f"{values.shape}, or values outside -1 to 1"
    except (OSError, ValueError, EOFError, TypeError) as error:
        fits, text = False, f"cannot be read: {error}"
    advice = "" if fits else f"Write {path.name} with one row in [-1, 1] for each frame."
    return stated(name, title, text, GOOD if fits else NOT_USABLE, advice=advice)


def _source(contents: Contents, thresholds: Thresholds) -> Finding:
    """Whether the source's frame rate goes into 25 fps."""
    name, title = "source_rate", "frame rate of the source"
    if "manifest" in contents.faults:
        advice = f"Delete {files.MANIFEST}, or make the folder again."
        return stated(name, title, contents.faults["manifest"], USABLE, advice=advice)
    video = contents.manifest.get("video")
    fps = video.get("fps", video.get("nominal_fps")) if isinstance(video, dict) else None
    if not isinstance(fps, int | float) or not fps > 0:
        return report.unknown(name, title, "Recorded by experiments/preprocess.py only.")
    off = abs(fps / FPS - max(1, round(fps / FPS)))
    is_variable = bool(video.get("is_variable", False))
    good = off <= thresholds.source_fps[0] and not is_variable
    return stated(
        name,
        title,
        f"{fps:g} fps" + (", variable" if is_variable else ""),
        GOOD if good else USABLE,
        good="25 or 50 fps, constant",
        advice="" if good else "Record at 25 or 50 fps: resampled motion is uneven.",
    )
