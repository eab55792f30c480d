"""The doctor's look at whether lips, sound, sound features and action units belong together."""

from __future__ import annotations

import numpy as np

from emojax.data import audio, audio_features, files
from emojax.data.checkup import report
from emojax.data.checkup.contents import Contents
from emojax.data.checkup.curves import Curves, filled
from emojax.data.checkup.following import Following, follow, principal_parts
from emojax.data.checkup.report import NOT_USABLE, USABLE, Finding
from emojax.data.checkup.sound import loud_level
from emojax.data.checkup.thresholds import Thresholds

NUM_BANDS = 20  # of mel, from which lips are predicted
WINDOW = 6  # steps of 20 ms around a frame, likewise
NUM_PARTS = 40  # principal components of features
STRONG = 0.8  # a correlation that no chance gives, however short the clip
HEARD_DB = 40.0  # below the loud frames: what differs further down is noise


def check(contents: Contents, curves: Curves, thresholds: Thresholds) -> list[Finding]:
    """Returns the findings about what should go together.

    Args:
      contents: of the folder.
      curves: of the folder.
      thresholds: to judge by.
    """
    out = _pair(
        "sync",
        "lips behind the sound",
        "lips follow the sound",
        None if contents.sound is None else _lips_from_sound(contents, curves),
        thresholds.sync_lag,
        thresholds,
        len(contents),
        "Move the sound by {seconds:.2f} s ({frames} frames) to {when}; take both from one file.",
        "Check that aud.wav is the sound of these pictures: lips and sound do not belong together.",
    )
    for name, features in contents.features.items():
        values, count = features.values, len(contents)
        if np.ptp(values, axis=0).max(initial=0) < 1e-6:
            finding = report.stated(
                f"{name}_course",
                f"{name} features over time",
                "constant",
                NOT_USABLE,
                good="varying",
                advice=f"Make {audio_features.KINDS[name].file} again: it says nothing.",
            )
            out.append(finding)
            continue
        middle = values[:, (values.shape[1] - 1) // 2 : values.shape[1] // 2 + 1].reshape(count, -1)
        found = None
        if contents.sound is not None:
            heard = np.maximum(curves.loudness, loud_level(curves.loudness) - HEARD_DB)
            # Windows are centred on the beginning of a frame, loudness on its middle.
            heard = (heard + np.concatenate([heard[:1], heard[:-1]])) / 2
            found = follow(principal_parts(middle, NUM_PARTS), heard)
        out += _pair(
            f"{name}",
            f"sound behind {name} features",
            f"sound follows {name} features",
            found,
            thresholds.feature_lag,
            thresholds,
            count,
            "Make the features again from aud.wav: they are {frames} frames off.",
            "Make the features again from aud.wav: they are of another sound.",
        )
    return out


def _lips_from_sound(contents: Contents, curves: Curves) -> Following | None:
    """How the lips follow the sound."""
    count = len(contents)
    steps = audio_features.log_mel(contents.sound.waveform[: count * audio.RATE // files.FPS])
    bands = steps.reshape(len(steps), NUM_BANDS, -1).mean(axis=-1)
    around = audio_features.windows(bands, count, window=WINDOW)  # centred on the frames' times
    pairs = around.reshape(count, WINDOW // 2, 2, NUM_BANDS).mean(axis=2)
    return follow(pairs.reshape(count, -1), filled(curves.opening))


def _pair(
    name: str,
    lag_title: str,
    clarity_title: str,
    found: Following | None,
    lags: tuple,
    thresholds: Thresholds,
    count: int,
    shift: str,
    strangers: str,
) -> list[Finding]:
    """Lag and clarity of one course that should follow another."""
    if found is None:
        why = "Needs both, varying, for 4 s at least."
        return [
            report.unknown(f"{name}_lag", lag_title, why),
            report.unknown(f"{name}_clarity", clarity_title, why),
        ]
    limits = thresholds.sync_clarity
    if count < files.FPS * thresholds.clarity_seconds:
        limits = (limits[0], None)
        strangers = "Use a longer clip: whether sound and pictures belong together is not clear."
    clarity = report.at_least(
        f"{name}_clarity", clarity_title, found.clarity, limits, unit="sigma", advice=strangers
    )
    if found.correlation >= STRONG:
        text = f"correlation {found.correlation:.2f}"
        clarity = report.stated(f"{name}_clarity", clarity_title, text, report.GOOD)
    if clarity.level != report.GOOD:
        why = f"Not clear: a correlation of {found.correlation:.2f} at {found.lag:+d} frames."
        return [report.unknown(f"{name}_lag", lag_title, why), clarity]
    good, usable = lags
    size = abs(found.lag)
    level = report.GOOD if size <= good else USABLE if size <= usable else NOT_USABLE
    when = "later" if found.lag > 0 else "earlier"
    advice = shift.format(frames=size, seconds=size / files.FPS, when=when)
    lag = report.stated(
        f"{name}_lag",
        lag_title,
        f"{found.lag:+d} frames (correlation {found.correlation:.2f})",
        level,
        good=f"within {good} frames",
        advice="" if level == report.GOOD else advice,
    )
    return [lag, clarity]
