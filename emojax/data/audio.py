"""Sound tracks and WAV files -> 16 kHz mono waveforms, float32 [S] in [-1, 1].

Time is kept, not sample counts: a block of sound stands where its timestamp says. A gap becomes
silence, a block that comes twice or too early overwrites, damaged blocks are silent. Channels are
averaged. (FFmpeg's own down-mix to mono adds 3 dB to what both channels share, and clips.)
"""

from __future__ import annotations

import dataclasses
import io
import os
import pathlib
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import soundfile

from emojax.data import files, media
from emojax.data.errors import DataError

RATE = 16000
# A timestamp that is off by less than this, s, is rounding (up to 1 ms in Matroska, more in AVI):
# blocks then follow each other without a seam. A quarter of a frame at 25 fps.
JITTER = 0.01
# Resampled at once, samples of the source: bounds memory, long against the filter's 1 ms.
BLOCK = 1 << 18
# How a user makes a folder's sound again.
REMAKE = "for example with ffmpeg: ffmpeg -i VIDEO -ar 16000 -ac 1 aud.wav"


@dataclasses.dataclass(frozen=True)
class Wav:
    """A sound file, brought to 16 kHz mono.

    Attributes:
      waveform: float32 [S], in [-1, 1].
      rate: samples per second of the file itself.
      channels: of the file itself.
    """

    waveform: np.ndarray
    rate: int
    channels: int

    @property
    def conversion(self) -> str:
        """What was done to the file, "" if nothing: "44100 Hz, 2 channels -> 16000 Hz mono"."""
        if (self.rate, self.channels) == (RATE, 1):
            return ""
        channels = "1 channel" if self.channels == 1 else f"{self.channels} channels"
        return f"{self.rate} Hz, {channels} -> {RATE} Hz mono"


def read_waveform(
    path: str | os.PathLike, *, start: float, duration: float, rate: int = RATE
) -> np.ndarray:
    """Returns a stretch of a file's sound, by the clock of the presentation.

    Args:
      path: a video or sound file.
      start: of sample 0, seconds of the presentation: `video.common_start`.
      duration: seconds.
      rate: samples per second of the result.

    Returns:
      float32 [round(duration * rate)], in [-1, 1]; silent where the file has no sound.

    Raises:
      DataError: no such file, no sound track, or one that cannot be decoded.
    """
    waveform = np.zeros(round(duration * rate), np.float32)
    is_empty = True
    with media.open_media(path) as container:
        stream = media.main_stream(container, path, kind="audio")
        for time, source_rate, samples in _runs(container, stream):
            is_empty = False
            _place(waveform, resample(samples, source_rate, rate), round((time - start) * rate))
    if is_empty:
        raise DataError(
            expected="sound that can be decoded",
            got=f"{path}, a sound track ({stream.codec_context.name}) with no samples",
            fix="Export it again with its sound.",
        )
    return np.clip(waveform, -1, 1, out=waveform)


def resample(waveform: np.ndarray, from_rate: int, to_rate: int) -> np.ndarray:
    """Returns a waveform at another rate, low-passed below both Nyquist frequencies, without delay.

    Args:
      waveform: float32 [S].
      from_rate: its samples per second.
      to_rate: those of the result.

    Returns:
      float32 [round(S * to_rate / from_rate)]; sample 0 stands at the same time.
    """
    count = round(len(waveform) * to_rate / from_rate)
    if from_rate == to_rate or count == 0:
        return waveform[:count].astype(np.float32)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=to_rate)
    frames = []
    for first in range(0, len(waveform), BLOCK):
        block = np.ascontiguousarray(waveform[None, first : first + BLOCK], np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = from_rate, first, Fraction(1, from_rate)
        frames += resampler.resample(frame)
    frames += resampler.resample(None)
    result = np.concatenate([frame.to_ndarray()[0] for frame in frames] or [np.zeros(0)])
    return np.pad(result[:count], (0, max(0, count - len(result)))).astype(np.float32)


def write_wav(path: str | os.PathLike, waveform: np.ndarray) -> None:
    """Writes a 16 kHz mono file, 16-bit PCM, all at once.

    Args:
      path: its place; the folder must exist.
      waveform: float [S] in [-1, 1] at 16 kHz; louder is clipped.

    Raises:
      DataError: the place cannot be written to, or the disk is full.
    """
    samples = np.clip(np.round(np.asarray(waveform, np.float64) * 32768), -32768, 32767)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples.astype(np.int16), RATE, format="WAV", subtype="PCM_16")
    files.write_bytes(pathlib.Path(path), buffer.getvalue())


def read_wav(path: str | os.PathLike) -> Wav:
    """Returns a sound file of any rate and number of channels as 16 kHz mono.

    Args:
      path: any format that libsndfile reads: WAV, FLAC, OGG, MP3.

    Raises:
      DataError: no such file, not a sound file, empty, or with values that are not finite.
    """
    try:
        with open(path, "rb") as file:
            samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except OSError as error:
        raise DataError(
            expected=f"the sound file {path}",
            got=error.strerror or str(error),
            fix="Make it again from the video.",
        ) from error
    except soundfile.LibsndfileError as error:
        raise DataError(
            expected=f"a sound file in {path}",
            got=str(error.error_string).rstrip("."),
            fix=f"Make it again, {REMAKE}",
        ) from error
    if not len(samples) or not np.all(np.isfinite(samples)):
        raise DataError(
            expected=f"sound in {path}",
            got="no samples" if not len(samples) else "values that are not finite",
            fix=f"Make it again, {REMAKE}",
        )
    waveform = resample(samples.mean(axis=1), rate, RATE)
    return Wav(np.clip(waveform, -1, 1), rate, samples.shape[1])


def _runs(container, stream) -> Iterator[tuple[float, int, np.ndarray]]:
    """Yields (start, rate, samples [S]) of stretches whose blocks follow each other."""
    start, rate, blocks, count = 0.0, 0, [], 0
    for frame in media.decode(container, stream):
        expected = start + count / rate if rate else 0.0
        time = expected if frame.pts is None else float(frame.pts * stream.time_base)
        if blocks and (frame.sample_rate != rate or abs(time - expected) > JITTER):
            yield start, rate, np.concatenate(blocks)
            blocks, count = [], 0
        if not blocks:
            start, rate = time, frame.sample_rate
        blocks.append(_to_mono(frame))
        count += frame.samples
    if blocks:
        yield start, rate, np.concatenate(blocks)


def _to_mono(frame: av.AudioFrame) -> np.ndarray:
    """The mean of the channels, float32 [samples], of any sample format."""
    values = frame.to_ndarray()
    channels = len(frame.layout.channels)
    values = values if frame.format.is_planar else values.reshape(-1, channels).T
    mean = values.mean(axis=0, dtype=np.float64)
    if values.dtype == np.uint8:
        mean = mean / 128 - 1
    elif values.dtype.kind == "i":
        mean = mean / -float(np.iinfo(values.dtype).min)
    return mean.astype(np.float32)


def _place(waveform: np.ndarray, samples: np.ndarray, first: int) -> None:
    """Writes samples into a waveform from index `first` on, as far as they fall inside."""
    begin, end = max(first, 0), min(first + len(samples), len(waveform))
    if begin < end:
        waveform[begin:end] = samples[begin - first : end - first]
