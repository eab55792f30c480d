"""MFCC as python_speech_features 0.6 defines them: what SyncNet and DeepSpeech hear.

Sound is mono at 16 kHz in the range of 16-bit integers, not divided by 32768. Frames are 25 ms long
every 10 ms, cut with a rectangular window after pre-emphasis of the whole signal; the last one is
filled with zeros. Computed in float64 on the host: cepstra of near silence need it, and nothing
differentiates through sound.
"""

from __future__ import annotations

import functools

import numpy as np

from emojax.experts.checkpoint.refusal import CheckpointError

SAMPLE_RATE = 16_000
FRAME, HOP, FFT = 400, 160, 512  # samples; FFT is the next power of two
NUM_FILTERS = 26
PREEMPHASIS = 0.97
LIFTER = 22


def fbank(wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns energies in mel filters [T, 26] and of whole frames [T], before the logarithm.

    Args:
      wave: [N] samples in the range of int16.

    Raises:
      CheckpointError: shorter than a frame, not mono, or not finite.
    """
    wave = _checked(wave)
    emphasised = np.append(wave[0], wave[1:] - PREEMPHASIS * wave[:-1])
    count = 1 + -(-(len(wave) - FRAME) // HOP)
    padded = np.pad(emphasised, (0, (count - 1) * HOP + FRAME - len(wave)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    power = np.square(np.abs(np.fft.rfft(frames, FFT))) / FFT
    energies = (power @ _filters().T, power.sum(axis=1))
    tiny = np.finfo(float).eps
    return tuple(np.where(energy == 0, tiny, energy) for energy in energies)


def mfcc(wave: np.ndarray, *, num_cepstra: int) -> np.ndarray:
    """Returns cepstra [T, num_cepstra] at 100 Hz; the first is the logarithm of the energy.

    Args:
      wave: [N] samples in the range of int16.
      num_cepstra: at most 26.

    Raises:
      CheckpointError: shorter than a frame, not mono, or not finite.
    """
    filters, energy = fbank(wave)
    order = np.arange(num_cepstra)
    lifter = 1 + LIFTER / 2 * np.sin(np.pi * order / LIFTER)
    cepstra = np.log(filters) @ _cosines()[:num_cepstra].T * lifter
    cepstra[:, 0] = np.log(energy)
    return cepstra


def _checked(wave: np.ndarray) -> np.ndarray:
    """The wave in float64, long enough for a frame."""
    wave = np.asarray(wave)
    fix = f"Give mono sound at {SAMPLE_RATE} Hz, at least {FRAME / SAMPLE_RATE * 1000:.0f} ms."
    if wave.ndim != 1 or len(wave) < FRAME:
        raise CheckpointError(
            expected=f"sound of shape [N], N >= {FRAME}", got=f"shape {list(wave.shape)}", fix=fix
        )
    if not np.isfinite(wave).all():
        raise CheckpointError(expected="finite samples", got="NaN or infinity", fix=fix)
    return wave.astype(np.float64)


@functools.cache
def _filters() -> np.ndarray:
    """Triangles of the mel scale, [26, 257]; their corners are rounded down to bins."""
    highest = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, highest, NUM_FILTERS + 2) / 2595) - 1)
    corners = np.floor((FFT + 1) * hertz / SAMPLE_RATE)
    bins = np.arange(FFT // 2 + 1)
    low, middle, high = (corners[i : i + NUM_FILTERS, None] for i in range(3))
    rising = (bins - low) / np.maximum(middle - low, 1)
    falling = (high - bins) / np.maximum(high - middle, 1)
    is_rising = (bins >= low) & (bins < middle)
    return np.where(is_rising, rising, np.where((bins >= middle) & (bins < high), falling, 0))


@functools.cache
def _cosines() -> np.ndarray:
    """The orthonormal DCT-II, [26, 26]: row k is the k-th cosine."""
    order = np.arange(NUM_FILTERS)
    matrix = np.cos(np.pi * order[:, None] * (2 * order + 1) / (2 * NUM_FILTERS))
    scale = np.sqrt(np.where(order == 0, 1, 2) / NUM_FILTERS)
    return matrix * scale[:, None]
