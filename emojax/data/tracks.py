"""Facts about the tracks of a video file: sizes, rotation, rates, and the time of every picture.

Times are seconds of the presentation, the clock that the container gives all its tracks; edit lists
are applied by FFmpeg. `probe` refuses what cannot become a data set: no moving pictures, no
decoder, a file that is shorter than its header says. What the tracks have in common is for `video`.
"""

from __future__ import annotations

import dataclasses
import math
import os

import av
import numpy as np

from emojax.data import media
from emojax.data.errors import DataError

# An interval is unusual when it differs from the median by more than this share and by two ticks.
REGULAR_SHARE = 0.05
# A video has variable rate when more than this share of its intervals is unusual.
VARIABLE_SHARE = 0.01
# A file is refused when more than this is missing: half a second, or 2 % of a long file.
MISSING_SECONDS, MISSING_SHARE = 0.5, 0.02


@dataclasses.dataclass(frozen=True)
class AudioTrack:
    """What the container says of a sound track.

    Attributes:
      codec: name in FFmpeg, "unknown" where it has no decoder.
      rate: samples per second.
      channels: how many.
      start: of the first sample, seconds.
      duration: seconds, measured from the packets; 0 for a track without any.
    """

    codec: str
    rate: int
    channels: int
    start: float
    duration: float


@dataclasses.dataclass(frozen=True)
class Probe:
    """What a video file holds, from its packets; only the first picture was decoded.

    Attributes:
      container: name of the format in FFmpeg.
      codec: name of the video's codec in FFmpeg.
      coded_width: pixels as stored.
      coded_height: pixels as stored.
      width: pixels as displayed: rotated, pixels made square.
      height: pixels as displayed.
      rotation: clockwise turn from stored to displayed, 0, 90, 180 or 270 degrees.
      is_mirrored: whether the stored picture is flipped left to right before that turn.
      nominal_fps: frame rate that the container states or FFmpeg guesses.
      lag: what is taken from the times of frames and packets, seconds. AVI stores no times of
        presentation, and FFmpeg makes them late by the decoder's delay; elsewhere 0.
      timestamps: [N] float64, ascending, one per picture, seconds of the presentation.
      end: when the last picture ends, seconds of the presentation.
      is_variable: whether the intervals between pictures differ by more than rounding.
      audio: the sound track, None where there is none.
    """

    container: str
    codec: str
    coded_width: int
    coded_height: int
    width: int
    height: int
    rotation: int
    is_mirrored: bool
    nominal_fps: float
    lag: float
    timestamps: np.ndarray = dataclasses.field(repr=False, compare=False)
    end: float
    is_variable: bool
    audio: AudioTrack | None

    @property
    def num_frames(self) -> int:
        """Number of stored pictures N."""
        return len(self.timestamps)

    @property
    def start(self) -> float:
        """Time of the first picture, seconds of the presentation."""
        return float(self.timestamps[0])

    @property
    def duration(self) -> float:
        """Seconds from the first picture to the end of the last."""
        return self.end - self.start

    @property
    def fps(self) -> float:
        """Average frame rate, measured from the timestamps."""
        return (self.num_frames - 1) / float(self.timestamps[-1] - self.timestamps[0])

    @property
    def interval(self) -> float:
        """Usual time between two pictures (median), seconds."""
        return float(np.median(np.diff(self.timestamps)))


def probe(path: str | os.PathLike) -> Probe:
    """Returns the facts about a video file: demuxes all of it, decodes one picture.

    Args:
      path: the file.

    Raises:
      DataError: not a video, no moving pictures in it, a codec without decoder, or a file that is
        shorter than it says.
    """
    with media.open_media(path) as container:
        video = media.main_stream(container, path, kind="video")
        sound = container.streams.best("audio")
        first, spans = None, {stream.index: [] for stream in (video, sound) if stream}
        for packet in media.read_packets(container, *filter(None, (video, sound))):
            if first is None and (packet is None or packet.stream_index == video.index):
                first = next(iter(media.decode_packet(video, packet)), None)
            # What an edit list cuts off is decoded where the rest needs it, and never shown.
            if packet is not None and not packet.is_discard:
                time = packet.dts if packet.pts is None else packet.pts
                spans[packet.stream_index].append((time, packet.duration or 0))
        if first is None:
            raise media.undecodable(path, video)
        times, durations = _seconds(video, spans[video.index])
        _check_moving(path, times, len(spans[video.index]))
        lag = float(times[0]) if container.format.name == "avi" else 0.0
        times -= lag
        intervals = np.diff(times)
        usual = float(np.median(intervals))
        tolerance = max(2 * float(video.time_base), REGULAR_SHARE * usual)
        end = float(times[-1]) + (float(durations[-1]) or usual)
        track = _audio_track(sound, spans[sound.index]) if sound else None
        _check_complete(container, (video, sound), path, float(times[0]), end, track)
        rotation, is_mirrored = _orientation(first)
        ratio = float(video.sample_aspect_ratio or 0) or 1.0
        displayed = (max(1, round(first.width * ratio)), first.height)
        width, height = displayed if rotation % 180 == 0 else displayed[::-1]
        return Probe(
            container=container.format.name,
            codec=video.codec_context.name,
            coded_width=first.width,
            coded_height=first.height,
            width=width,
            height=height,
            rotation=rotation,
            is_mirrored=is_mirrored,
            nominal_fps=float(video.guessed_rate or video.average_rate or 1 / usual),
            lag=lag,
            timestamps=times,
            end=end,
            is_variable=float(np.mean(np.abs(intervals - usual) > tolerance)) > VARIABLE_SHARE,
            audio=track,
        )


def _orientation(frame: av.VideoFrame) -> tuple[int, bool]:
    """(clockwise degrees, mirrored) of the display matrix: (x, y) -> (ax + cy, bx + dy)."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return 0, False
    a, b, _, c, d = (float(x) for x in np.frombuffer(data, np.int32)[:5])
    is_mirrored = a * d - b * c < 0
    sign = -1 if is_mirrored else 1
    return round(math.degrees(math.atan2(sign * b, sign * a)) / 90) * 90 % 360, is_mirrored


def _seconds(stream, spans) -> tuple[np.ndarray, np.ndarray]:
    """Start times (ascending) and durations of packets, float64 seconds; empty without times."""
    known = sorted(span for span in spans if span[0] is not None)
    seconds = np.array(known, np.float64).reshape(-1, 2) * float(stream.time_base)
    return seconds[:, 0], seconds[:, 1]


def _audio_track(stream, spans) -> AudioTrack:
    """What is known of a sound track."""
    context = stream.codec_context
    starts, durations = _seconds(stream, spans)
    start = end = 0.0
    if len(starts):
        # The stream's start leaves out the encoder's start-up samples, the first packet has them.
        known = stream.start_time is not None
        start = float(stream.start_time * stream.time_base) if known else float(starts[0])
        end = float(np.max(starts + durations))
    return AudioTrack(
        codec=context.name if context else "unknown",
        rate=context.sample_rate if context else 0,
        channels=context.channels if context else 0,
        start=start,
        duration=max(0.0, end - start),
    )


def _check_moving(path, times, num_packets) -> None:
    """Refuses a track of one picture, or whose pictures have no times."""
    if len(times) >= 2 and times[-1] > times[0]:
        return
    still = num_packets < 2
    raise DataError(
        expected="a video",
        got=f"{path}, " + ("a still picture" if still else "a raw stream without timestamps"),
        fix="Name a file with moving pictures."
        if still
        else "Convert it with its frame rate, for example with ffmpeg: "
        "ffmpeg -r 25 -i IN -crf 16 OUT.mp4",
    )


def _check_complete(container, streams, path, start, end, track) -> None:
    """Refuses a file that is shorter than its header promises."""
    read = [end - start, track.duration if track else 0]
    pairs = [
        (float(stream.duration * stream.time_base), seconds)
        for stream, seconds in zip(streams, read, strict=True)
        if stream and stream.duration
    ]
    if not pairs and container.duration:
        ends = [end] + ([track.start + track.duration] if track else [])
        pairs = [(container.duration / av.time_base, max(ends))]
    for promised, seconds in pairs:
        if promised - seconds > max(MISSING_SECONDS, MISSING_SHARE * promised):
            raise DataError(
                expected=f"{promised:.1f} s, as the file says",
                got=f"{path}, a truncated file of which {seconds:.1f} s can be read",
                fix="Copy or download it again, or keep what can be read, for example with ffmpeg: "
                "ffmpeg -i IN -c copy OUT.mkv",
            )
