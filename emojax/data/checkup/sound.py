"""The doctor's ear: rate, level, silence, clipping and variety of the sound."""

from __future__ import annotations

import numpy as np

from emojax.data import audio, audio_features
from emojax.data.checkup import report
from emojax.data.checkup.contents import Contents
from emojax.data.checkup.curves import SILENCE, Curves
from emojax.data.checkup.report import GOOD, NOT_USABLE, USABLE, Finding, stated
from emojax.data.checkup.thresholds import Thresholds

LOUD_PERCENTILE = 95.0
SILENT_DB = 30.0  # below the loud frames; pauses of clean recordings lie 40 dB and more below
FLAT_SHARE, FLAT_SAMPLES = 0.98, 3  # of the peak; a wave that is not clipped has single peaks
# Cells of `variety`: natural logarithms of energy ratios over 3, as in `audio_features.log_mel`.
_CELL = 0.25


def check(contents: Contents, curves: Curves, thresholds: Thresholds) -> list[Finding]:
    """Returns the findings about the sound alone.

    Args:
      contents: of the folder.
      curves: of the folder.
      thresholds: to judge by.
    """
    sound = contents.sound
    names = {
        "sound_rate": "sample rate",
        "sound_channels": "channels",
        "level": "level of loud frames",
        "silence": "silent frames",
        "sound_clipped": "clipped samples",
        "sounds": "effective number of sounds",
    }
    if sound is None:
        return [report.unknown(name, title, "Needs aud.wav.") for name, title in names.items()]
    rate = report.at_least(
        "sound_rate", names["sound_rate"], sound.rate, thresholds.sound_rate, unit="Hz",
        advice="Take the sound from the original recording at 16 kHz or more.",
    )  # fmt: skip
    if sound.rate > audio.RATE:
        rate = stated(
            "sound_rate",
            names["sound_rate"],
            f"{sound.rate} Hz",
            USABLE,
            good=f"{audio.RATE} Hz",
            advice="Convert: other tools take 16 kHz for granted (emojax resamples), "
            "for example with ffmpeg: ffmpeg -i aud.wav -ar 16000 -ac 1 OUT.wav",
        )
    channels = stated(
        "sound_channels",
        names["sound_channels"],
        f"{sound.channels}",
        GOOD if sound.channels == 1 else USABLE,
        good="1",
        advice=""
        if sound.channels == 1
        else "Mix to one, for example with ffmpeg: ffmpeg -i aud.wav -ac 1 OUT.wav",
    )
    loud = loud_level(curves.loudness)
    if loud <= SILENCE + 1:
        silent = stated(
            "level",
            names["level"],
            "digital silence",
            NOT_USABLE,
            advice="Extract the sound again: aud.wav is empty, the wrong track perhaps.",
        )
        rest = [report.unknown(n, names[n], "There is no sound.") for n in list(names)[3:]]
        return [rate, channels, silent, *rest]
    return [
        rate,
        channels,
        report.at_least(
            "level", names["level"], loud, thresholds.level, unit="dB",
            advice="Record closer to the microphone; a gain does not remove the noise.",
        ),
        report.at_most(
            "silence", names["silence"], np.mean(curves.loudness < loud - SILENT_DB),
            thresholds.silence, unit="%",
            advice="Cut pauses, or use a recording with more speech.",
        ),
        report.at_most(
            "sound_clipped", names["sound_clipped"], clipped(sound.waveform),
            thresholds.sound_clipped, unit="%",
            advice="Record with less gain: clipped sound misleads the features.",
        ),
        report.at_least(
            "sounds", names["sounds"], variety(sound.waveform), thresholds.sounds,
            advice="Use a recording with more, and more varied, speech; not music or a held tone.",
        ),
    ]  # fmt: skip


def loud_level(loudness: np.ndarray) -> float:
    """Returns the level of a clip's loud frames, dB of full scale; `SILENCE` without frames.

    Args:
      loudness: [T] dB of full scale.
    """
    return float(np.percentile(loudness, LOUD_PERCENTILE)) if len(loudness) else SILENCE


def clipped(waveform: np.ndarray) -> float:
    """Returns the share of samples in flat tops, at whatever level they were clipped.

    Args:
      waveform: [S].
    """
    size = np.abs(waveform)
    flat = size >= FLAT_SHARE * max(size.max(initial=0), 1e-6)
    runs = np.convolve(flat, np.ones(FLAT_SAMPLES), "same") >= FLAT_SAMPLES
    return float(FLAT_SAMPLES * runs.mean()) if len(runs) else 0.0


def variety(waveform: np.ndarray) -> float:
    """Returns the effective number of different spectra in speech, a proxy of phonetic coverage.

    Every 20 ms that are not silent fall into a cell of a plane: the balance of low (to 650 Hz) and
    middle (to 2.3 kHz), and of middle and high bands. The result is 2 to the entropy of the cells.
    Vowels differ along the first axis, hisses along the second.

    Args:
      waveform: [S] at 16 kHz.
    """
    steps = audio_features.log_mel(waveform)
    if not len(steps):
        return 0.0
    hop = len(waveform) // len(steps)
    power = np.square(waveform[: hop * len(steps)].reshape(len(steps), hop)).mean(axis=1)
    level = 10 * np.log10(power + 10 ** (SILENCE / 10))
    low, middle, high = (part.mean(axis=1) for part in np.array_split(steps, 3, axis=1))
    plane = np.stack([low - middle, middle - high], axis=-1)[level > loud_level(level) - SILENT_DB]
    _, counts = np.unique(np.floor(plane / _CELL).astype(int), axis=0, return_counts=True)
    shares = counts / max(counts.sum(), 1)
    return float(2 ** -(shares * np.log2(shares)).sum()) if len(shares) else 0.0
