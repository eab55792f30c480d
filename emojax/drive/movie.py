"""Pictures and a sound -> an mp4 (H.264, AAC) exactly as long as the sound, in bounded memory.

The film is written beside its place under a hidden name that does not end in .mp4, and takes its
name when it is whole: an interrupted render leaves nothing that looks like a film. What a killed
one left is removed when the same film is begun again; who writes holds a lock on it.

Colour: ITU-R BT.601, limited range, and tagged so. The last picture ends with the sound. Every film
says of itself that it is synthetic (`data.carriers`).
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import pathlib
import secrets
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from emojax.data import carriers, files, provenance
from emojax.data.errors import DataError
from emojax.data.provenance import Provenance
from emojax.drive import sound as sounds
from emojax.drive.sound import Sound

try:
    import fcntl
except ImportError:  # Windows, where a file that is being written cannot be removed anyway
    fcntl = None

# x264: no visible loss on faces; the preset costs about 3 ms a frame at 512 x 512 on one core.
QUALITY, PRESET = 18, "veryfast"
AUDIO_BIT_RATE = 160_000
# Ticks a second of the film's clock: frames at 25 fps and milliseconds have whole numbers.
TICKS = 25_000
FRAME_TICKS = TICKS // files.FPS
# SMPTE 170M is BT.601 in the terms of H.264 (ITU-T H.264, table E-5).
_SMPTE170M = 6


def write(
    path: pathlib.Path,
    pictures: Iterable[np.ndarray],
    sound: Sound,
    *,
    about: Provenance = provenance.UNKNOWN,
    overwrite: bool = False,
) -> int:
    """Writes a film, picture by picture.

    Args:
      path: ends in .mp4; the folder must exist.
      pictures: uint8 [H, W, 3] RGB, `sound.num_frames` of them, all of one size. An odd side is
        made even by repeating its last pixels.
      sound: that it is for.
      about: what the film says of itself beside being synthetic.
      overwrite: replace a film that exists.

    Returns:
      Number of pictures.

    Raises:
      DataError: the file exists, the place cannot be written to, or the disk is full.
      ValueError: fewer or more pictures than the sound has frames.
    """
    check_place(path, overwrite=overwrite)
    with _in_making(path) as scratch:
        count = _write(scratch, pictures, sound, about)
        carriers.append_xmp(scratch, about)
    return count


def check_place(path: pathlib.Path, *, overwrite: bool) -> None:
    """Refuses a place for a film before any work is done.

    Args:
      path: of the film.
      overwrite: whether a film there may be replaced.

    Raises:
      DataError: another ending, a folder, a folder that does not exist or is closed, or a file that
        is there already.
    """
    if path.suffix.lower() != ".mp4" or path.is_dir():
        raise DataError(
            expected="a name that ends in .mp4",
            got=f"{path}" + (", a folder" if path.is_dir() else ""),
            fix="Name the film itself, OUT.mp4.",
        )
    if path.exists() and not overwrite:
        raise DataError(
            expected=f"a new film at {path}",
            got="a file that is there already",
            fix="Choose another name, or add --overwrite.",
        )
    files.check_writable(path.parent)


@contextlib.contextmanager
def _in_making(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A place for a file that takes its name when the block ends well, and vanishes otherwise."""
    _sweep(path)
    scratch = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{files.PARTIAL}")
    try:
        with _locked(scratch):
            yield scratch
        os.replace(scratch, path)
    except OSError as error:  # FFmpeg's errors of the system are among them
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(
                expected=f"free space for {path}",
                got="a full disk",
                fix="Free some space, or choose another place; the film was not written.",
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOENT, errno.EIO):
            raise files.failed(path, error) from error
        raise
    finally:
        scratch.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(scratch: pathlib.Path) -> Iterator[None]:
    """Makes a file and holds a lock on it, where the system has such."""
    if fcntl is None:
        yield
        return
    with open(scratch, "xb") as file:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sweep(path: pathlib.Path) -> None:
    """Removes what killed renders of a film left; what is being written is locked, and stays."""
    for scratch in path.parent.glob(f".{glob.escape(path.stem)}.????????{files.PARTIAL}"):
        with contextlib.suppress(OSError):
            if fcntl is None:
                scratch.unlink()
                continue
            with open(scratch, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                scratch.unlink()


def _write(
    path: pathlib.Path, pictures: Iterable[np.ndarray], sound: Sound, about: Provenance
) -> int:
    """Writes a film to a place where nothing is."""
    # "file:" keeps FFmpeg from reading a protocol into a name; the index goes to the front, so that
    # a film plays while it loads.
    options = {"movflags": "+faststart"}
    with av.open(f"file:{path}", "w", format="mp4", options=options) as container:
        container.metadata.update(carriers.tags(about))
        film = container.add_stream("libx264", rate=files.FPS)
        track = container.add_stream("aac", rate=sound.rate, layout=sound.layout)
        track.bit_rate = AUDIO_BIT_RATE if sound.layout == "stereo" else AUDIO_BIT_RATE // 2
        blocks, heard, number = sounds.blocks(sound), 0, 0
        for number, picture in enumerate(pictures, start=1):
            if number > sound.num_frames:
                break
            if number == 1:
                _set_up(film, picture)
            frame = _frame(picture)
            frame.pts, frame.time_base = (number - 1) * FRAME_TICKS, Fraction(1, TICKS)
            _mux_film(container, film.encode(frame), sound)
            while heard < sound.num_samples and heard * files.FPS < number * sound.rate:
                heard += _mux_sound(container, track, next(blocks), heard)
        if number != sound.num_frames:
            raise ValueError(f"expected {sound.num_frames} pictures, got {number} or more")
        _mux_film(container, film.encode(None), sound)
        container.mux(track.encode(None))
    return number


def _set_up(film: av.VideoStream, picture: np.ndarray) -> None:
    """Tells the encoder the size, the clock and the colours."""
    height, width = picture.shape[:2]
    film.width, film.height = width + width % 2, height + height % 2
    film.pix_fmt = "yuv420p"
    film.options = {"crf": str(QUALITY), "preset": PRESET}
    context = film.codec_context
    context.time_base = Fraction(1, TICKS)
    context.color_range = ColorRange.MPEG
    context.colorspace = context.color_primaries = context.color_trc = _SMPTE170M


def _frame(picture: np.ndarray) -> av.VideoFrame:
    """A picture as the encoder takes it."""
    height, width = picture.shape[:2]
    if height % 2 or width % 2:
        picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    return frame.reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU601,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )


def _mux_film(container, packets: list[av.Packet], sound: Sound) -> None:
    """Writes packets of pictures; the last picture ends with the sound."""
    last = (sound.num_frames - 1) * FRAME_TICKS
    for packet in packets:
        is_last = packet.pts == last
        packet.duration = round(sound.duration * TICKS) - last if is_last else FRAME_TICKS
        container.mux(packet)


def _mux_sound(container, track: av.AudioStream, block: np.ndarray, first: int) -> int:
    """Writes a block of sound whose first sample has a number; returns how many it has."""
    frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=track.layout.name)
    frame.sample_rate, frame.pts, frame.time_base = track.rate, first, Fraction(1, track.rate)
    container.mux(track.encode(frame))
    return block.shape[1]
