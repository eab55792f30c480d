"""The mel spectrogram that Wav2Lip hears (audio.py, hparams.py; librosa 0.7.0's definitions).

Sound is mono at 16 kHz, -1 to 1. Pre-emphasis; a Fourier transform of 800 samples every 200, the
signal reflected at its ends; magnitudes in 80 Slaney mel filters of equal area from 55 to 7600 Hz;
decibels less 20, from -100 to 0, are brought to -4 to 4.
"""

from __future__ import annotations

import functools

import numpy as np

from emojax.experts.checkpoint.refusal import CheckpointError

SAMPLE_RATE = 16_000
FFT, HOP = 800, 200
STEP_RATE = SAMPLE_RATE / HOP
NUM_MELS = 80
LOWEST, HIGHEST = 55.0, 7600.0  # Hz
PREEMPHASIS = 0.97
FLOOR = 1e-5  # of magnitudes
REFERENCE_DB, RANGE_DB = 20.0, 100.0
LIMIT = 4.0

# The Slaney scale: linear below 1 kHz, 27 steps to a factor of 6.4 above.
_LINEAR_STEP = 200 / 3  # Hz
_BREAK = 1000.0
_LOG_STEP = np.log(6.4) / 27


def spectrogram(wave: np.ndarray) -> np.ndarray:
    """Returns the normalised spectrogram, [80, 1 + N // 200] float32, -4 to 4.

    Args:
      wave: [N] samples at 16 kHz, -1 to 1.

    Raises:
      CheckpointError: shorter than half a Fourier window, not mono, or not finite.
    """
    wave = np.asarray(wave)
    fix = f"Give mono sound at {SAMPLE_RATE} Hz, -1 to 1."
    if wave.ndim != 1 or len(wave) <= FFT // 2:
        raise CheckpointError(
            expected=f"sound of shape [N], N > {FFT // 2}",
            got=f"shape {list(wave.shape)}",
            fix=fix,
        )
    if not np.isfinite(wave).all():
        raise CheckpointError(expected="finite samples", got="NaN or infinity", fix=fix)
    wave = wave.astype(np.float64)
    emphasised = np.append(wave[0], wave[1:] - PREEMPHASIS * wave[:-1])
    padded = np.pad(emphasised, FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)
    magnitudes = np.abs(np.fft.rfft(frames * window).astype(np.complex64))
    level = 20 * np.log10(np.maximum(FLOOR, filters() @ magnitudes.T)) - REFERENCE_DB
    normal = 2 * LIMIT * (level + RANGE_DB) / RANGE_DB - LIMIT
    return np.clip(normal, -LIMIT, LIMIT).astype(np.float32)


@functools.cache
def filters() -> np.ndarray:
    """Returns the triangles of the mel filters, [80, 401] float32."""
    hertz = _to_hertz(np.linspace(_to_mel(LOWEST), _to_mel(HIGHEST), NUM_MELS + 2))
    bins = np.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1)
    ramps = hertz[:, None] - bins
    widths = np.diff(hertz)[:, None]
    rising, falling = -ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]
    area = 2 / (hertz[2:] - hertz[:-2])
    return np.float32(np.maximum(0, np.minimum(rising, falling)) * area[:, None])


def _to_mel(hertz: float) -> float:
    """Hertz -> Slaney mel."""
    if hertz < _BREAK:
        return hertz / _LINEAR_STEP
    return _BREAK / _LINEAR_STEP + np.log(hertz / _BREAK) / _LOG_STEP


def _to_hertz(mels: np.ndarray) -> np.ndarray:
    """Slaney mel -> Hertz."""
    above = np.maximum(mels - _BREAK / _LINEAR_STEP, 0)
    return np.where(above > 0, _BREAK * np.exp(_LOG_STEP * above), mels * _LINEAR_STEP)
