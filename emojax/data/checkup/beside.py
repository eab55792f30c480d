"""The doctor's look at the files beside the frames: sound, features, action units, the record.

What training cannot do without is not usable when it is missing; what `clip.load` replaces by a
fallback is usable.
"""

from __future__ import annotations

import numpy as np

from emojax.data import action_units, audio, audio_features, files, record
from emojax.data.checkup import report
from emojax.data.checkup.contents import Contents
from emojax.data.checkup.report import GOOD, NOT_USABLE, USABLE, Finding, remake, stated
from emojax.data.checkup.thresholds import Thresholds

_OTHER_RATES = (23.976, 24, 29.97, 30, 50, 60)  # fps, that the pictures may really have
_RATIO = 3e-3  # tolerance of lengths that tell a rate
_MEL = audio_features.KINDS["mel"].file
_FIELD = {"aud_ds.npy", "aud_eo.npy", "aud_hu.npy"}  # that TalkingGaussian's loader opens


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
        _stages(contents),
        *_source(contents, thresholds),
    ]


def _sound(contents: Contents) -> Finding:
    """Whether there is sound that can be read."""
    fault = contents.faults.get("sound")
    advice = f"Extract it from the video, {audio.REMAKE}"
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
    ratio = seconds * files.FPS / len(contents)
    rate = min(_OTHER_RATES, key=lambda fps: abs(ratio * fps / files.FPS - 1))
    is_close = abs(ratio * rate / files.FPS - 1) < _RATIO
    hint = f"; pictures at {rate:g} fps would have this length." if is_close else "."
    return report.at_most(
        name,
        title,
        abs(seconds - len(contents) / files.FPS),
        thresholds.sound_difference,
        unit="s",
        advice=f"Make pictures (25 fps) and sound again from one video{hint}",
    )


def _features(contents: Contents) -> Finding:
    """Whether there are sound features that fit, or sound to make them from."""
    name, title = "features", "sound features"
    faulty = [k.file for k in audio_features.KINDS.values() if k.file in contents.faults]
    if faulty:
        text, advice = contents.faults[faulty[0]], f"Delete or replace {', '.join(faulty)}."
        if faulty == [_MEL] and contents.sound is not None:
            advice = f"Make them again: {remake('features')}."
        return stated(name, title, text, NOT_USABLE, advice=advice)
    if contents.features:
        shapes = [f"{k} {'x'.join(map(str, v.values.shape))}" for k, v in contents.features.items()]
        text = ", ".join(shapes)
        if not _FIELD & {audio_features.KINDS[k].file for k in contents.features}:
            text += f"; for emojax only: TalkingGaussian opens {', '.join(sorted(_FIELD))}"
        return stated(name, title, text, GOOD)
    if contents.sound is not None:
        text = "none; log-mel is made from the sound"
        return stated(name, title, text, USABLE, advice=f"Make them: {remake('features')}.")
    advice = f"Extract the sound, {audio.REMAKE}; features are made from it."
    return stated(name, title, "none", NOT_USABLE, advice=advice)


def _units(contents: Contents) -> Finding:
    """Whether there are action units that fit."""
    name, title = "action_units", "action units"
    if "action_units" in contents.faults:
        advice = "Run OpenFace on these pictures, or make built-in estimates: "
        advice += f"{remake('action_units')}."
        return stated(name, title, contents.faults["action_units"], NOT_USABLE, advice=advice)
    if contents.units is None:
        text = "none; estimated from landmarks"
        return stated(name, title, text, USABLE, advice=f"Make them: {remake('action_units')}.")
    has = contents.units.numbers
    absent = ", ".join(str(n) for n in action_units.ESTIMATED if n not in has)
    text = f"{len(contents.units.values)} rows of {', '.join(map(str, has))}"
    return stated(name, title, text + (f"; without {absent}" if absent else ""), GOOD)


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


def _stages(contents: Contents) -> Finding:
    """Whether all files are of one run: none made before what it was made from."""
    name, title = "stages", "stages of preprocessing"
    if not contents.manifest:
        return report.unknown(name, title, "Recorded by experiments/preprocess.py only.")
    undone = record.undone(contents.manifest)
    if not undone:
        return stated(name, title, "none out of date", GOOD)
    return stated(
        name,
        title,
        f"out of date or stopped: {', '.join(undone)}",
        NOT_USABLE,
        advice="Make them from what is there now: experiments/preprocess.py --video FILE --out DIR "
        "with the options that you want, all stages, without --overwrite.",
    )


def _source(contents: Contents, thresholds: Thresholds) -> list[Finding]:
    """What the video was: its frame rate, how much of it is used, its sound, how it was enlarged.

    Only `experiments/preprocess.py` records it; what it does not say is unknown.
    """
    if "manifest" in contents.faults:
        text = contents.faults["manifest"]
        advice = f"Delete {files.MANIFEST}, or make the folder again."
        return [stated("source_rate", "frame rate of the source", text, USABLE, advice=advice)]
    video = contents.manifest.get("video")
    video = video if isinstance(video, dict) else {}
    sound, cut = video.get("audio"), video.get("crop")
    return [
        _source_rate(video, thresholds),
        _source_lengths(video, thresholds),
        report.at_least(
            "source_sound_rate", "sample rate of the source",
            _figure(sound, "rate"), thresholds.source_sound_rate, unit="Hz",
            advice="Take a recording with sound of 16 kHz or more: what aud.wav lacks over half of "
            "the source's rate (s, f) no resampling brings back.",
        ),
        _source_size(contents, _figure(cut, "side"), thresholds),
    ]  # fmt: skip


def _figure(content: object, name: str) -> float | None:
    """A positive number of a record, or None."""
    value = content.get(name) if isinstance(content, dict) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and value > 0 else None


def _source_rate(video: dict, thresholds: Thresholds) -> Finding:
    """Whether the source's frame rate goes into 25 fps."""
    name, title = "source_rate", "frame rate of the source"
    fps = _figure(video, "fps") or _figure(video, "nominal_fps")
    if fps is None:
        return report.unknown(name, title, "Recorded by experiments/preprocess.py only.")
    off = abs(fps / files.FPS - max(1, round(fps / files.FPS)))
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


def _source_lengths(video: dict, thresholds: Thresholds) -> Finding:
    """Whether pictures or sound of the source were left out, for the other was not there."""
    parts = video.get("left_out")
    is_known = isinstance(parts, list | tuple) and len(parts) == 2
    is_known = is_known and all(isinstance(part, int | float) for part in parts)
    advice = ""
    if is_known:
        which, other = ("pictures", "sound") if parts[0] >= parts[1] else ("sound", "pictures")
        advice = f"Export the video again with both tracks whole: {which} without {other} are left "
        advice += "out; look at the end, where one of them stops."
    return report.at_most(
        "source_lengths", "of the source not used", max(parts) if is_known else None,
        thresholds.source_lengths, unit="s", advice=advice,
    )  # fmt: skip


def _source_size(contents: Contents, side: float | None, thresholds: Thresholds) -> Finding:
    """Whether the pictures were enlarged from few pixels."""
    name, title = "source_size", "side in the source / of the pictures"
    if side is None or contents.size is None:
        return report.unknown(name, title, "Recorded by experiments/preprocess.py only.")
    return report.at_least(
        name, title, side / contents.size[0], thresholds.source_size,
        advice=f"The pictures show {side:g} pixels of the source enlarged: record closer or at a "
        f"higher resolution, or use --size {side:g}.",
    )  # fmt: skip
