"""The sound that drives a head: facts about its file, its waveform, and its blocks for the movie.

Any file that FFmpeg reads, of any length. Time 0 is the first sample that the file's clock shows;
the film is as long as the sound. An mp4's edit list ends the sound before the padding that fills
AAC's last block. A film's sound is the file's own, not the 16 kHz that the head hears: blocks stand
where their timestamps say, gaps become silence.
"""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
from collections.abc import Iterator

import av
import numpy as np

from emojax.data import audio, files, media
from emojax.data.errors import DataError

# Sampling rates that AAC has; the others become 48 kHz.
AAC_RATES = (48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
# A sound whose loudest 20 ms stay below this is silent: digital silence, or a microphone's noise.
# Normalising it like speech would raise that noise to the level of speech.
SILENT_DB = -60.0
# Samples at full scale beyond this share are heard as distortion.
CLIPPED_SHARE = 1e-3
FULL_SCALE = 0.9999


@dataclasses.dataclass(frozen=True)
class Sound:
    """What a sound file holds.

    Attributes:
      path: of the file.
      start: of the first sample, seconds of the file's clock.
      duration: seconds from the first sample to the end of the last.
      rate: samples a second of the film's sound: the file's, or 48000 where AAC has no such rate.
      layout: of the film's sound, "mono" or "stereo".
      clipped_share: of the samples, at full scale.
      waveform: float32 [round(16000 * duration)] at 16 kHz, in [-1, 1].
    """

    path: pathlib.Path
    start: float
    duration: float
    rate: int
    layout: str
    clipped_share: float
    waveform: np.ndarray = dataclasses.field(repr=False, compare=False)

    @property
    def num_frames(self) -> int:
        """Pictures at 25 fps; the last one ends with the sound, and may be shorter."""
        return max(1, math.ceil(self.duration * files.FPS - 1e-6))

    @property
    def num_samples(self) -> int:
        """Samples of the film's sound."""
        return max(1, round(self.duration * self.rate))

    @property
    def is_silent(self) -> bool:
        """Whether nothing in it is louder than `SILENT_DB`."""
        block = audio.RATE // 50
        padded = np.pad(self.waveform, (0, -len(self.waveform) % block)).reshape(-1, block)
        loudest = np.sqrt(np.mean(np.square(padded), axis=1)).max(initial=0.0)
        return loudest < 10 ** (SILENT_DB / 20)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the sound, in words."""
        found = []
        if self.is_silent:
            found.append(f"the sound is silent (below {SILENT_DB:g} dBFS): the lips rest")
        if self.clipped_share > CLIPPED_SHARE:
            found.append(
                f"{100 * self.clipped_share:.1f} % of the samples are clipped: "
                "record with less gain for better lips"
            )
        return tuple(found)


def read(path: str | os.PathLike) -> Sound:
    """Returns a sound file, decoded once to measure it and once to hear it.

    Args:
      path: any sound file, or a video with sound.

    Raises:
      DataError: no such file, no sound in it, nothing that can be decoded, or numbers that are not
        finite.
    """
    try:
        start, end, rate, channels, clipped = _measure(path)
        waveform = audio.read_waveform(path, start=start, duration=end - start)
    except DataError as error:
        raise DataError(
            expected="a sound file, or a video with sound",
            got=error.got,
            fix="Name a file that plays: WAV, FLAC, MP3, M4A, OGG, MP4, MOV, ...",
        ) from error
    return Sound(
        path=pathlib.Path(path),
        start=start,
        duration=end - start,
        rate=rate if rate in AAC_RATES else AAC_RATES[0],
        layout="mono" if channels == 1 else "stereo",
        clipped_share=clipped,
        waveform=waveform,
    )


def cut(sound: Sound, *, seconds: float) -> Sound:
    """Returns the beginning of a sound.

    Args:
      sound: to shorten.
      seconds: that are kept; all, where it is shorter.

    Raises:
      DataError: nothing would be left.
    """
    if not seconds > 0:
        raise DataError(
            expected="more than 0 seconds of the sound", got=f"{seconds:g}", fix="Ask for more."
        )
    duration = min(sound.duration, seconds)
    kept = sound.waveform[: round(duration * audio.RATE)]
    return dataclasses.replace(sound, duration=duration, waveform=kept)


def blocks(sound: Sound) -> Iterator[np.ndarray]:
    """Yields the film's sound, decoded again block by block: no length is too long for it.

    Args:
      sound: to play.

    Yields:
      float32 [channels, S] in [-1, 1], S differs; `sound.num_samples` in all.
    """
    channels = 1 if sound.layout == "mono" else 2
    written = 0
    for time, block in _timed_blocks(sound):
        first = round((time - sound.start) * sound.rate)
        # Below the tolerance, a difference is the rounding of timestamps: blocks are then joined.
        if first - written > audio.JITTER * sound.rate:
            gap = min(first, sound.num_samples) - written
            yield from _silence(channels, gap, sound.rate)
            written += max(gap, 0)
        elif written - first > audio.JITTER * sound.rate:
            block = block[:, written - first :]
        block = block[:, : sound.num_samples - written]
        if block.shape[1]:
            written += block.shape[1]
            yield np.clip(block, -1, 1)
    yield from _silence(channels, sound.num_samples - written, sound.rate)


def _measure(path: str | os.PathLike) -> tuple[float, float, int, int, float]:
    """(start, end, rate, channels, share of clipped samples) of the sound of a file."""
    start, end, rate, channels = math.inf, -math.inf, 0, 0
    clipped = total = last = 0
    with media.open_media(path) as container:
        stream = media.main_stream(container, path, kind="audio")
        for time, frame in _decode(container, stream):
            values = frame.to_ndarray()
            full = 1.0
            if values.dtype == np.uint8:
                values, full = values.astype(np.int16) - 128, 128.0
            elif values.dtype.kind == "i":
                full = -float(np.iinfo(values.dtype).min)
            elif not np.isfinite(values).all():
                raise DataError(
                    expected="finite samples",
                    got=f"{path}, NaN or infinite samples at {time:.2f} s",
                    fix="Export it again.",
                )
            # One step of the source's own numbers below full scale counts: the largest int8 is 127.
            limit = FULL_SCALE * full - (full > 1)
            clipped += int(np.count_nonzero(np.abs(values.astype(np.float32)) >= limit))
            total += values.size
            last = frame.samples / frame.sample_rate
            start, end = min(start, time), max(end, time + last)
            rate, channels = rate or frame.sample_rate, channels or len(frame.layout.channels)
        end = _without_padding(container, stream, end, last)
    if total == 0:
        raise DataError(
            expected="sound that can be decoded",
            got=f"{path}, a sound track with no samples",
            fix="Export it again.",
        )
    return start, end, rate, channels, clipped / total


def _without_padding(container, stream, end: float, last: float) -> float:
    """The end that an mp4's edit list states, where it falls into the last block's `last` s."""
    if "mp4" not in container.format.name or stream.duration is None:
        return end
    stated = float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    return stated if end - last < stated < end else end


def _decode(container, stream) -> Iterator[tuple[float, av.AudioFrame]]:
    """Yields (time, frame); a frame without time follows the one before."""
    expected = 0.0
    for frame in media.decode(container, stream):
        time = expected if frame.pts is None else float(frame.pts * stream.time_base)
        expected = time + frame.samples / frame.sample_rate
        if frame.samples:
            yield time, frame


def _timed_blocks(sound: Sound) -> Iterator[tuple[float, np.ndarray]]:
    """Yields (time, samples [channels, S]) at the film's rate and layout."""
    with media.open_media(sound.path) as container:
        stream = media.main_stream(container, sound.path, kind="audio")
        resampler, kind, start, count, expected = None, None, 0.0, 0, 0.0
        for time, frame in _decode(container, stream):
            now = (frame.sample_rate, frame.layout.name, frame.format.name)
            if resampler is None or now != kind or abs(time - expected) > audio.JITTER:
                if resampler is not None:
                    for block in _samples(resampler, None):
                        yield start + count / sound.rate, block
                        count += block.shape[1]
                resampler = av.AudioResampler(format="fltp", layout=sound.layout, rate=sound.rate)
                kind, start, count = now, time, 0
            expected = time + frame.samples / frame.sample_rate
            frame.pts = None
            for block in _samples(resampler, frame):
                yield start + count / sound.rate, block
                count += block.shape[1]
        if resampler is not None:
            for block in _samples(resampler, None):
                yield start + count / sound.rate, block
                count += block.shape[1]


def _samples(resampler: av.AudioResampler, frame: av.AudioFrame | None) -> list[np.ndarray]:
    """What a resampler gives for a frame, or at the end."""
    return [out.to_ndarray() for out in resampler.resample(frame)]


def _silence(channels: int, count: int, rate: int) -> Iterator[np.ndarray]:
    """Yields zeros, a second at a time."""
    while count > 0:
        size = min(count, rate)
        yield np.zeros((channels, size), np.float32)
        count -= size
