"""Small media files whose content tells its own time, written with PyAV.

Every picture carries its timestamp in milliseconds as a row of black and white bars (`time_of`
reads it back), and is white below near a flash.
"""

import dataclasses
from fractions import Fraction

import av
import numpy as np

WIDTH, HEIGHT = 64, 48
BITS = 16  # bars, each WIDTH / BITS pixels wide: times up to 65 s
FLASH_SECONDS = 0.045  # before and after: half a frame at 25 fps and half an interval at 24 fps


@dataclasses.dataclass(frozen=True)
class Sound:
    """A sound track: samples [C, S] in [-1, 1] that start at `start` seconds."""

    samples: np.ndarray
    rate: int = 48000
    start: float = 0.0
    codec: str = "pcm_s16le"
    gaps: tuple[tuple[float, float], ...] = ()  # spans of the track whose packets are left out


def picture(time, flashes=(), *, width=WIDTH, height=HEIGHT):
    """[H, W, 3]: the bars of `time` above, white or grey below."""
    bits = (round(time * 1000) >> np.arange(BITS)) & 1
    image = np.full((height, width, 3), 60, np.uint8)
    image[: height // 2] = np.repeat(bits * 255, width // BITS)[None, :, None]
    if any(abs(time - s) <= FLASH_SECONDS for s in flashes):
        image[height // 2 :] = 255
    return image


def time_of(image):
    """Seconds, read from the bars of a picture."""
    rows = image[2 : image.shape[0] // 2 - 2, :, 0].mean(axis=0).reshape(BITS, -1)
    return int(((rows.mean(axis=1) > 128) << np.arange(BITS)).sum()) / 1000


def is_flash(image):
    """Whether a picture shows the flash."""
    return image[image.shape[0] // 2 + 4 : -2].mean() > 160


def regular(rate, seconds, *, start=0.0):
    """Timestamps of a constant frame rate."""
    return [start + i / rate for i in range(round(rate * seconds))]


def clicks(times, seconds, *, rate=48000, channels=2, start=0.0, codec="pcm_s16le", gaps=()):
    """A track of 2 ms clicks that begin at `times` (of the presentation) on a silent ground."""
    samples = np.zeros((channels, round(seconds * rate)), np.float32)
    for time in times:
        first = round((time - start) * rate)
        samples[:, max(first, 0) : max(first + round(0.002 * rate), 0)] = 0.9
    return Sound(samples, rate, start, codec, gaps)


def write(
    path,
    *,
    times=None,
    sound=None,
    flashes=(),
    draw=picture,
    codec="libx264",
    pix_fmt="yuv420p",
    time_base=Fraction(1, 90000),
    rate=25,
    sar=None,
    options=None,
    setup=None,
    container=None,
):
    """Writes a file: pictures `draw(time, flashes)` at `times`, or none; `sound`, or none.

    Pictures are RGB arrays or frames in any format. `options` go to the video encoder, `container`
    (a dict) to the muxer, `setup(codec context)` is called before anything is encoded.
    """
    with av.open(str(path), "w", options=container or {}) as out:
        video = audio = None
        if times is not None:
            first = draw(times[0], flashes)
            defaults = {"crf": "12", "preset": "ultrafast"} if codec == "libx264" else {}
            video = out.add_stream(codec, rate=rate, options=defaults | (options or {}))
            is_array = isinstance(first, np.ndarray)
            video.height, video.width = first.shape[:2] if is_array else (first.height, first.width)
            video.pix_fmt = pix_fmt
            video.codec_context.time_base = time_base
            if sar is not None:
                video.codec_context.sample_aspect_ratio = sar
            if setup is not None:
                setup(video.codec_context)
        if sound is not None:
            layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(sound.samples)]
            audio = out.add_stream(sound.codec, rate=sound.rate, layout=layout)
        if video is not None:
            for time in times:
                frame = draw(time, flashes)
                if isinstance(frame, np.ndarray):
                    frame = av.VideoFrame.from_ndarray(frame, format="rgb24")
                frame.pts, frame.time_base = round(time / time_base), time_base
                out.mux(video.encode(frame))
            out.mux(video.encode())
        if sound is not None:
            _write_sound(out, audio, sound)
    return path


def _write_sound(out, stream, sound):
    """Encodes the track in frames of 1024 samples; those inside a gap are left out."""
    layout = stream.codec_context.layout.name
    size = stream.codec_context.frame_size or 1024
    for first in range(0, sound.samples.shape[1], size):
        if any(a <= first / sound.rate < b for a, b in sound.gaps):
            continue
        block = np.ascontiguousarray(sound.samples[:, first : first + size])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate = sound.rate
        frame.time_base = Fraction(1, sound.rate)
        frame.pts = round(sound.start * sound.rate) + first
        wanted = stream.codec_context.format.name
        if wanted != "fltp":
            frame = _convert(frame, wanted, layout)
        out.mux(stream.encode(frame))
    out.mux(stream.encode())


def _convert(frame, sample_format, layout):
    """The same frame in another sample format."""
    resampler = av.AudioResampler(format=sample_format, layout=layout, rate=frame.sample_rate)
    (converted,) = resampler.resample(frame)
    converted.pts, converted.time_base = frame.pts, frame.time_base
    return converted


def set_display_matrix(path, matrix):
    """Patches the (a, b, c, d) of the video track of an mp4: point (x, y) -> (ax + cy, bx + dy)."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4  # the video track comes first
    at += 40 if data[at] == 0 else 52  # version 0 holds 32-bit times, version 1 64-bit ones
    a, b, c, d = (int(value * 65536).to_bytes(4, "big", signed=True) for value in matrix)
    zero, one = bytes(4), (1 << 30).to_bytes(4, "big")
    data[at : at + 36] = a + b + zero + c + d + zero + zero + zero + one
    path.write_bytes(data)


def damage(path, first, last):
    """Zeroes the packets of the video between two times; the container stays whole."""
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            if packet.pts is not None and first <= float(packet.pts * stream.time_base) < last:
                at = data.index(bytes(packet))
                data[at : at + packet.size] = bytes(packet.size)
    path.write_bytes(data)
