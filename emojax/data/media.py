"""Media files opened with readable errors; their packets and frames, what is damaged left out.

Whether too much is left out is for the readers to judge, from the times of what they get: `tracks`
compares a file with its header, `video` pictures with packets, `audio` fills gaps with silence.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import stat
from collections.abc import Iterator

import av

from emojax.data.errors import DataError

# Old recorders write titles in Latin-1: PyAV 19 never raises for that, older ones unless told.
_IS_OLD = int(av.__version__.split(".")[0]) < 19
_LENIENT = {"metadata_errors": "surrogateescape"} if _IS_OLD else {}


@contextlib.contextmanager
def open_media(path: str | os.PathLike) -> Iterator[av.container.InputContainer]:
    """Opens a media file for reading, and closes it.

    Args:
      path: a file; blanks, colons, per cent signs and non-ASCII characters are ordinary.

    Raises:
      DataError: there is no such file, or it is not a media file.
    """
    path = pathlib.Path(path)
    wanted = "a video file"
    try:
        status = path.stat()
    except OSError as error:
        fix = "Check the path and your right to read it."
        raise DataError(expected=wanted, got=f"{path}: {error.strerror}", fix=fix) from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise DataError(expected=wanted, got=f"{path}, {kind}", fix="Name the video file itself.")
    if status.st_size == 0:
        fix = "Copy or download it again."
        raise DataError(expected=wanted, got=f"{path}, a file of zero bytes", fix=fix)
    try:
        # "file:" keeps FFmpeg from reading a protocol into a name such as "take 1:2.mp4".
        container = av.open(f"file:{path}", **_LENIENT)
    except av.FFmpegError as error:
        raise _not_media(path, error) from error
    with container:
        if container.format.name == "tty":  # FFmpeg draws text files as pictures of a terminal
            fix = "Name the video file itself."
            raise DataError(expected=wanted, got=f"{path}, a text file", fix=fix)
        yield container


def read_packets(
    container: av.container.InputContainer, *streams: av.stream.Stream
) -> Iterator[av.Packet | None]:
    """Yields the packets of some streams in file order, then None, up to the first that is broken.

    Args:
      container: an open file.
      *streams: of that file.
    """
    try:
        for packet in container.demux(*streams):
            if packet.dts is not None or packet.pts is not None or packet.size:
                yield packet
    except av.FFmpegError:
        pass  # `tracks.probe` compares what was read with what the header promises
    yield None


def main_stream(
    container: av.container.InputContainer, path: str | os.PathLike, *, kind: str
) -> av.stream.Stream:
    """Returns the stream that a player would choose, one that can be decoded.

    Args:
      container: an open file.
      path: of that file, for the message.
      kind: "video" or "audio".

    Raises:
      DataError: there is none of that kind, or FFmpeg has no decoder for it.
    """
    stream = container.streams.best(kind)
    if stream is None and kind == "audio":
        raise DataError(
            expected="a file with a sound track",
            got=f"{path}, a video without sound",
            fix="Export it again with its sound; lips cannot be learned without.",
        )
    if stream is None:
        raise DataError(
            expected="a file with a video track",
            got=f"{path}, " + ("sound only" if container.streams.audio else "without pictures"),
            fix="Name the recording that holds the pictures.",
        )
    if stream.codec_context is None:
        raise undecodable(path, stream)
    return stream


def decode(
    container: av.container.InputContainer, stream: av.stream.Stream
) -> Iterator[av.VideoFrame | av.AudioFrame]:
    """Yields the frames of a stream in order of presentation; what cannot be decoded is left out.

    Times are `frame.pts * stream.time_base`: the last frames have no time base of their own.

    Args:
      container: an open file.
      stream: of that file.
    """
    for packet in read_packets(container, stream):
        yield from decode_packet(stream, packet)


def decode_packet(
    stream: av.stream.Stream, packet: av.Packet | None
) -> list[av.VideoFrame | av.AudioFrame]:
    """Returns the frames that a packet completes, none if it is damaged.

    Args:
      stream: of an open file.
      packet: of that stream; None gives the frames that the decoder still holds.
    """
    try:
        return stream.codec_context.decode(packet)
    except av.FFmpegError:
        return []  # readers see the gap in the timestamps


def _not_media(path: pathlib.Path, error: av.FFmpegError) -> DataError:
    """The error for a file that FFmpeg cannot open."""
    with path.open("rb") as file:
        is_mp4 = file.read(12)[4:8] == b"ftyp"
    if is_mp4:
        got = f"{path}, an mp4 file whose index is missing: the recording was cut off"
        fix = "Copy or download it again; without the index at its end nothing can be read."
    else:
        got = f"{path}, not a media file ({error.strerror})"
        fix = "Name the video file itself."
    return DataError(expected="a video file", got=got, fix=fix)


def undecodable(path: str | os.PathLike, stream: av.stream.Stream) -> DataError:
    """Returns the error that says that FFmpeg cannot decode this stream of the file at path."""
    name = stream.codec_context.name if stream.codec_context else "unknown or encrypted"
    return DataError(
        expected=f"{stream.type} that can be decoded",
        got=f"{path}, codec {name}",
        fix="Convert it where it plays, for example with ffmpeg: "
        "ffmpeg -i IN -c:v libx264 -crf 16 -c:a aac OUT.mp4",
    )
