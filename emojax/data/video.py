"""Videos of any container and codec -> pictures on a constant clock that sound shares.

Pictures are RGB uint8 [H, W, 3] as a player shows them: rotated and mirrored as the file says,
square pixels, any bit depth, chroma layout and range brought to 0-255. Interlaced footage is *not*
deinterlaced: its combs stay visible. Colour is converted by swscale with the matrix that the file
names (ITU-R BT.601 where it names none); HDR footage is not tone-mapped.

The clock. All times are seconds of the presentation, the clock that the container gives both
tracks. Frame k of the result stands at t0 + k / fps, where t0 = `common_start`: the first picture
that has sound. Reading starts there, so no picture and no sound is invented, and the same t0 is
given to `audio.read_waveform`. Both end with the track that ends first.

Which picture frame k is: the one whose timestamp is nearest to t0 + k / fps. The error is at most
half an interval of the source and zero on average, whatever the source's rate; "the last picture
not later than" would be late by half an interval, 17 ms at 30 fps. As t0 is itself the timestamp
of a picture, a source of exactly `fps` gives each of its pictures once, with timestamps rounded by
up to half a frame. Across a gap the last picture holds, as in a player, until half a usual interval
before the next.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

import av
import numpy as np
from av.video.reformatter import Colorspace

from emojax.data import media
from emojax.data.errors import DataError
from emojax.data.tracks import Probe, probe

__all__ = ["Probe", "common_start", "left_out", "num_common_frames", "probe", "read_frames"]

# A sound track may begin this much later than the first picture, s: half a frame at 25 fps, the
# accuracy asked of sound against picture. Encoders' start-up delay is of this size and is silent.
START_TOLERANCE = 0.02
# More than this of one track without the other is worth telling, s: recorders stop them apart.
LEFT_OUT_SECONDS = 1.0
# Containers round times, some to 1 ms: two roundings shall not cost the last frame. Seconds.
ROUNDING = 0.002
# More than this in a row that cannot be decoded is not bridged by holding a picture, s.
LOST_SECONDS = 0.5
# An interval of more than this many usual ones is a gap: one dropped picture is none yet.
GAP = 2.5
# A picture is better than its neighbour when nearer by more than this, s: ties must not flicker.
TIE = 1e-3
# Colour matrices by H.273 number; old versions of PyAV miss the last.
_MATRICES = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M"}
_MATRICES |= {9: "BT2020"} if "BT2020" in Colorspace.__members__ else {}
_FULL_RANGE = 2  # as FFmpeg counts: 1 is 16-235


def common_start(probe: Probe) -> float:
    """Returns t0, the time of frame 0 and of sample 0: the first picture that has sound.

    Args:
      probe: of a file; one without sound starts with its first picture.

    Returns:
      Seconds of the presentation.

    Raises:
      DataError: the sound begins after the last picture.
    """
    earliest = probe.start
    if probe.audio is not None:
        earliest = max(earliest, probe.audio.start - START_TOLERANCE)
    index = int(np.searchsorted(probe.timestamps, earliest - 1e-6))
    if index == probe.num_frames:
        raise _no_overlap(probe)
    return float(probe.timestamps[index])


def num_common_frames(probe: Probe, *, fps: float = 25.0) -> int:
    """Returns how many whole frames lie between `common_start` and the end of the shorter track.

    Args:
      probe: of a file.
      fps: frame rate of the result.

    Raises:
      DataError: there is not one.
    """
    end = probe.end
    if probe.audio is not None:
        end = min(end, probe.audio.start + probe.audio.duration)
    count = math.floor((end - common_start(probe) + ROUNDING) * fps)
    if count < 1:
        raise _no_overlap(probe)
    return count


def left_out(probe: Probe, *, fps: float = 25.0) -> tuple[float, float]:
    """Returns how much of the pictures and of the sound is in no frame, for the other is not there.

    Args:
      probe: of a file.
      fps: frame rate of the result.

    Returns:
      Seconds of the pictures and of the sound; 0 for sound that there is none of.

    Raises:
      DataError: they have not one frame in common.
    """
    used = num_common_frames(probe, fps=fps) / fps
    sound = probe.audio.duration - used if probe.audio else 0.0
    return max(probe.duration - used, 0.0), max(sound, 0.0)


def read_frames(path: str | os.PathLike, *, fps: float = 25.0) -> Iterator[np.ndarray]:
    """Returns an iterator of `num_common_frames` pictures, k at `common_start` + k / fps.

    Args:
      path: a video file.
      fps: frame rate of the result.

    Returns:
      Pictures, RGB uint8 [H, W, 3], displayed size and orientation; each an array of its own.

    Raises:
      DataError: at the call, what `probe` and `num_common_frames` raise; while reading, more than
        half a second of pictures cannot be decoded.
    """
    facts = probe(path)
    times = common_start(facts) + np.arange(num_common_frames(facts, fps=fps)) / fps
    return _resample(_pictures(path, facts), facts, times)


def _resample(pictures, facts: Probe, times: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the picture of each time."""
    now, then = next(pictures), next(pictures, None)
    for time in times:
        while then is not None:
            interval = then[0] - now[0]
            lead = (interval if interval <= GAP * facts.interval else facts.interval) / 2
            if time <= then[0] - lead + TIE / 2:
                break
            now, then = then, next(pictures, None)
        yield _to_rgb(now[1], facts)


def _pictures(path, facts: Probe) -> Iterator[tuple[float, av.VideoFrame]]:
    """Yields (seconds, picture) in display order; refuses when too much in a row is lost."""
    last, count = facts.start, 0
    with media.open_media(path) as container:
        stream = media.main_stream(container, path, kind="video")
        stream.thread_type = "AUTO"
        for frame in media.decode(container, stream):
            if frame.pts is not None:
                time = float(frame.pts * stream.time_base) - facts.lag
            else:  # pictures follow each other in order
                time = float(facts.timestamps[min(count, facts.num_frames - 1)])
            count += 1
            if frame.is_corrupt:
                continue
            _check_lost(path, facts, last, time)
            last = time
            yield time, frame
    _check_lost(path, facts, last, facts.end)


def _to_rgb(frame: av.VideoFrame, facts: Probe) -> np.ndarray:
    """The picture as displayed."""
    turned = facts.rotation % 180 != 0
    width, height = (facts.height, facts.width) if turned else (facts.width, facts.height)
    # All named, for PyAV before 17 does not take matrix and range from the frame.
    is_full = frame.format.is_rgb or frame.format.name.startswith("yuvj")
    image = frame.reformat(
        width=width,
        height=height,
        format="rgb24",
        src_colorspace=_MATRICES.get(int(frame.colorspace), "ITU601"),
        dst_colorspace="ITU601",
        src_color_range="JPEG" if is_full or int(frame.color_range) == _FULL_RANGE else "MPEG",
        dst_color_range="JPEG",
    ).to_ndarray()
    if facts.is_mirrored:
        image = image[:, ::-1]
    return np.ascontiguousarray(np.rot90(image, -facts.rotation // 90))


def _check_lost(path, facts: Probe, last: float, time: float) -> None:
    """Refuses a stretch from `last` to `time` in which there should have been pictures."""
    lost = np.sum((facts.timestamps > last + 1e-6) & (facts.timestamps < time - 1e-6))
    if lost and time - last > LOST_SECONDS:
        raise DataError(
            expected="pictures that can be decoded",
            got=f"{path}, damaged from {last:.1f} to {time:.1f} s ({lost} pictures lost)",
            fix="Copy or download it again, or cut the damaged part out, for example with ffmpeg: "
            "ffmpeg -i IN -ss START -to END OUT.mp4",
        )


def _no_overlap(probe: Probe) -> DataError:
    """The error for sound and pictures that do not meet."""
    track = probe.audio
    sound = "" if track is None else f", sound {track.start:.2f} to "
    sound += "" if track is None else f"{track.start + track.duration:.2f} s"
    return DataError(
        expected="pictures and sound at the same time",
        got=f"pictures {probe.start:.2f} to {probe.end:.2f} s{sound}",
        fix="Record or export the video again with both tracks.",
    )
