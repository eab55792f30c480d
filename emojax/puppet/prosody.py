"""What a voice stresses: loudness, pitch and accents of speech, for each frame at 25 fps.

Frame t stands at t / 25 s and looks at 64 ms of sound around it. Pitch is the lag of the highest
peak of the autocorrelation, divided by that of the window (Boersma 1993, "Accurate short-term
analysis of the fundamental frequency", IFA Proceedings 17).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

RATE = 16000
FPS = 25.0
HOP = 640  # samples a frame
WINDOW = 1024
PIECE = 1500  # frames at a time: spectra of half an hour at once would take gigabytes
PITCH_RANGE = (60.0, 400.0)  # Hz; of 64 ms a period of 60 Hz leaves three quarters to compare
VOICED = 0.5  # of a perfectly periodic sound's autocorrelation
# Each octave that a candidate is lower costs this much: a period's double is as good a period.
OCTAVE_COST = 0.02
FARTHEST_OCTAVES = 1.0  # from a recording's median; what is beyond is a noise that sounds periodic

LOUD_PERCENTILE = 95.0  # of a recording: its loud vowels
DEPTH_DB = 40.0  # below these nothing is heard
SILENT = 10 ** (-60 / 20)  # of full scale; a recording whose loud frames are below has no speech
SPEAKING = 0.4  # loudness of a frame in which somebody speaks: 24 dB below the loud vowels
HOLD = 0.2  # seconds that the closure of a stop may last amid speech

# An accent stands out from the 1.2 s around it, by so much of loudness and so many semitones.
NEAR, FAR = 0.06, 0.5  # seconds, standard deviations of the means compared
ACCENT_LOUDNESS, ACCENT_SEMITONES = 0.15, 3.0
LEAST_ACCENT = 0.4
ACCENT_GAP = 0.28  # seconds; faster than four syllables a second nobody stresses each


class Prosody(NamedTuple):
    """Of T frames at 25 fps.

    Attributes:
      loudness: float32 [T], 0 silent to 1 as the recording's loud vowels, linear in dB.
      pitch: float32 [T], Hz; 0 where there is no voice.
      speaking: bool [T], true through speech and the short silences in it.
      accents: int [B], frames that are stressed, ascending.
      stress: float32 [B], how much, 0 to 1.
    """

    loudness: np.ndarray
    pitch: np.ndarray
    speaking: np.ndarray
    accents: np.ndarray
    stress: np.ndarray


def measure(samples: np.ndarray, num_frames: int) -> Prosody:
    """Returns loudness, pitch and accents of speech.

    Args:
      samples: [N], 16 kHz mono, -1 to 1; silence is added where it is short.
      num_frames: T.
    """
    found = [(_level(blocks), _pitch(blocks)) for blocks in _blocks(samples, num_frames)]
    level, pitch = (np.concatenate(pieces) for pieces in zip(*found, strict=True))
    loudness = _loudness(level)
    pitch = np.where(loudness > 0, _plausible(pitch), 0)
    speaking = _closed(loudness > SPEAKING, round(HOLD * FPS))
    accents, stress = _accents(loudness, pitch, speaking)
    return Prosody(np.float32(loudness), np.float32(pitch), speaking, accents, np.float32(stress))


def smooth(values: np.ndarray, sigma: float) -> np.ndarray:
    """Returns values averaged over time with a Gaussian, as they are held at both ends.

    Args:
      values: [T, ...].
      sigma: standard deviation, frames.
    """
    half = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(values, [(half, half)] + [(0, 0)] * (np.ndim(values) - 1), mode="edge")
    return np.apply_along_axis(np.convolve, 0, padded, kernel, mode="valid")


def _blocks(samples: np.ndarray, num_frames: int) -> Iterator[np.ndarray]:
    """Windowed sound around frames, [<= PIECE, WINDOW], without its mean; at least one piece."""
    needed = (num_frames - 1) * HOP + WINDOW
    padded = np.concatenate([np.zeros(WINDOW // 2), samples, np.zeros(WINDOW)])
    padded = np.pad(padded, (0, max(0, needed - len(padded))))
    whole = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:num_frames]
    for first in range(0, max(num_frames, 1), PIECE):
        blocks = whole[first : first + PIECE]
        yield (blocks - blocks.mean(axis=1, keepdims=True)) * np.hanning(WINDOW)


def _level(blocks: np.ndarray) -> np.ndarray:
    """Root mean square of each block, of full scale, [T]."""
    return np.sqrt(np.mean(blocks**2, axis=1) / np.mean(np.hanning(WINDOW) ** 2))


def _loudness(level: np.ndarray) -> np.ndarray:
    """Levels [T] relative to the loud ones, 0 to 1."""
    loud = np.percentile(level, LOUD_PERCENTILE) if len(level) else 0
    if loud < SILENT:
        return np.zeros(len(level))
    decibels = 20 * np.log10(np.maximum(level, 1e-9) / loud)
    return np.clip(1 + decibels / DEPTH_DB, 0, 1)


def _pitch(blocks: np.ndarray) -> np.ndarray:
    """Frequency that blocks repeat with, Hz, [T]; 0 where they do not."""
    shortest, longest = (int(RATE / f) for f in PITCH_RANGE[::-1])

    def autocorrelation(x: np.ndarray) -> np.ndarray:
        spectrum = np.fft.rfft(x, 2 * WINDOW, axis=-1)
        return np.fft.irfft(np.abs(spectrum) ** 2, axis=-1)[..., : longest + 1]

    sound, window = autocorrelation(blocks), autocorrelation(np.hanning(WINDOW))
    share = (sound / np.maximum(sound[:, :1], 1e-12)) / (window / window[0])
    lags = np.arange(shortest, longest + 1)
    score = share[:, shortest:] - OCTAVE_COST * np.log2(lags / shortest)
    best = np.argmax(score, axis=1)
    # A peak on the border of the range is the flank of another one.
    inner = (best > 0) & (best < len(lags) - 1)
    voiced = inner & (share[np.arange(len(share)), shortest + best] > VOICED)
    return np.where(voiced, RATE / lags[best], 0)


def _plausible(pitch: np.ndarray) -> np.ndarray:
    """Pitch [T] without what is too far from the usual one."""
    usual = np.median(pitch[pitch > 0]) if pitch.any() else 1
    return np.where(np.abs(np.log2(np.maximum(pitch, 1) / usual)) < FARTHEST_OCTAVES, pitch, 0)


def _closed(on: np.ndarray, gap: int) -> np.ndarray:
    """Where `on` is, or is within `gap` frames on both sides."""
    frames = np.arange(len(on))
    before = np.maximum.accumulate(np.where(on, frames, -(10**9)))
    after = np.minimum.accumulate(np.where(on, frames, 10**9)[::-1])[::-1]
    return after - before <= gap + 1


def _accents(
    loudness: np.ndarray, pitch: np.ndarray, speaking: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Frames that stand out from their neighbourhood, ascending, and by how much."""
    voiced = pitch > 0
    if not (voiced & speaking).any():
        return np.zeros(0, np.int64), np.zeros(0)
    frames = np.arange(len(pitch))
    semitones = 12 * np.log2(np.interp(frames, frames[voiced], pitch[voiced]))

    def rise(values: np.ndarray) -> np.ndarray:
        return smooth(values, NEAR * FPS) - smooth(values, FAR * FPS)

    emphasis = rise(loudness) / ACCENT_LOUDNESS + rise(semitones) / ACCENT_SEMITONES
    emphasis = np.where(speaking & voiced, emphasis, 0)
    chosen: list[int] = []
    for frame in np.argsort(-emphasis, kind="stable"):
        if emphasis[frame] < LEAST_ACCENT:
            break
        if all(abs(frame - other) >= ACCENT_GAP * FPS for other in chosen):
            chosen.append(int(frame))
    accents = np.array(sorted(chosen), np.int64)
    return accents, np.clip(emphasis[accents] / 2, 0, 1)
