"""Files written all at once, and the names and places of everything in a data set folder.

The folder is the field's (AD-NeRF, ER-NeRF, TalkingGaussian): numbered pictures from 0, 25 frames a
second, 16 kHz sound. A reader never sees half of a file: each is written beside its place and then
renamed. Arrays are read in `arrays.py`.
"""

from __future__ import annotations

import errno
import io
import os
import pathlib
import secrets
import shutil
import time

import numpy as np

from emojax.data.errors import DataError
from emojax.opencv import cv2

FPS = 25  # of the pictures, sound features and action units in a folder

FRAMES = "ori_imgs"  # %d.jpg and %d.lms
PARSING = "parsing"  # %d.png
TEETH = "teeth_mask"  # %d.npy
GROUND_TRUTH = "gt_imgs"  # %d.jpg
TORSO = "torso_imgs"  # %d.png
BACKGROUND = "bc.jpg"
SOUND = "aud.wav"
ACTION_UNITS = "au.csv"
TRANSFORMS = ("transforms_train.json", "transforms_val.json")
VALENCE_AROUSAL = "va.npy"
MANIFEST = "preprocess.json"
LANDMARKS, TRACKING = "landmarks.npz", "tracking.npz"  # found frames and cuts; shape and expression

PARTIAL = ".partial"  # ends the names of what is still being written

# Near-lossless and with full colour resolution: lips are small and red.
JPEG = (cv2.IMWRITE_JPEG_QUALITY, 97, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111)
# Run-length filtering suits flat label pictures; photographs take little level for little gain.
PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1)


def write_bytes(path: pathlib.Path, data: bytes) -> None:
    """Writes a file all at once.

    Args:
      path: its place; the folder must exist.
      data: its content.

    Raises:
      DataError: the disk is full, or the place cannot be written to.
    """
    scratch = partial(path)
    try:
        scratch.write_bytes(data)
        os.replace(scratch, path)
    except BaseException as error:
        scratch.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise failed(path, error) from error
        raise


def partial(path: pathlib.Path) -> pathlib.Path:
    """Returns a new name beside path, for what is being written and then renamed to it."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")


def clear_partial(folder: pathlib.Path, *, idle: float = 0.0) -> None:
    """Removes what a killed process left half-written in a folder, those below it not searched.

    Args:
      folder: may be absent.
      idle: seconds for which nothing was written: what another process is writing stays.
    """
    for path in folder.glob(f".*{PARTIAL}"):
        inside = path.iterdir() if path.is_dir() else ()
        if time.time() - max(part.stat().st_mtime for part in (path, *inside)) < idle:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def check_folder(folder: pathlib.Path | str) -> pathlib.Path:
    """Returns folder as a path.

    Raises:
      DataError: there is no such folder.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise DataError(
            expected="the folder of a data set",
            got=f"{folder}, " + ("a file" if folder.exists() else "which is not there"),
            fix="Where it has moved, name its place with --data; or make it: "
            "experiments/preprocess.py --video FILE --out DIR.",
        )
    return folder


def failed(path: pathlib.Path, error: OSError) -> DataError:
    """Returns what to raise when writing stopped: a disk is full, or a place is closed to us.

    Args:
      path: that was written to.
      error: of the system.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DataError(
            expected=f"free space for {path}",
            got=f"a full disk ({error.strerror})",
            fix="Free some space and give the same command again: it goes on where it stopped.",
        )
    return DataError(
        expected=f"a place to write to at {path}",
        got=error.strerror or str(error),
        fix="Choose a folder that you may write to.",
    )


def make_folder(path: pathlib.Path) -> None:
    """Makes the folder path, and those above it.

    Raises:
      DataError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failed(path, error) from error


def check_writable(folder: pathlib.Path) -> None:
    """Refuses a folder that is not there or is closed to us, before any work is done.

    Args:
      folder: to write to.

    Raises:
      DataError: files cannot be made in it.
    """
    if not os.access(folder, os.W_OK) or not folder.is_dir():
        raise DataError(
            expected=f"a folder to write to at {folder}",
            got="none that may be written to",
            fix="Make it, or choose another.",
        )


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes text, UTF-8, to path all at once."""
    write_bytes(path, text.encode("utf-8"))


def write_array(path: pathlib.Path, array: np.ndarray) -> None:
    """Writes array as .npy to path all at once."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def write_picture(path: pathlib.Path, picture: np.ndarray) -> None:
    """Writes a picture all at once.

    Args:
      path: ends in .jpg or .png.
      picture: uint8, [H, W, 3] RGB, [H, W, 4] RGBA or [H, W] grey.
    """
    write_bytes(path, encode_picture(path.suffix, picture))


def encode_picture(suffix: str, picture: np.ndarray) -> bytes:
    """Returns a picture as the content of a file.

    Args:
      suffix: ".jpg" or ".png".
      picture: as `write_picture` takes it.
    """
    if picture.ndim == 3:
        code = cv2.COLOR_RGBA2BGRA if picture.shape[-1] == 4 else cv2.COLOR_RGB2BGR
        picture = cv2.cvtColor(picture, code)
    options = JPEG if suffix == ".jpg" else PNG
    return cv2.imencode(suffix, picture, options)[1].tobytes()


def read_picture(path: pathlib.Path, *, alpha: bool = False) -> np.ndarray:
    """Reads a picture.

    Args:
      path: of any format that OpenCV knows.
      alpha: return RGBA; a file without has alpha 255.

    Returns:
      uint8 [H, W, 3] RGB, or [H, W, 4].

    Raises:
      DataError: there is no such file, or it is no picture.
    """
    try:
        data = np.fromfile(path, np.uint8)  # cv2.imread cannot open every name on every system
    except OSError as error:
        raise DataError(
            expected=f"the picture {path}", got=error.strerror or str(error), fix="Make it again."
        ) from error
    flags = cv2.IMREAD_UNCHANGED if alpha else cv2.IMREAD_COLOR
    picture = cv2.imdecode(data, flags) if len(data) else None
    if picture is None:
        raise DataError(
            expected=f"a picture in {path}",
            got=f"{len(data):,} bytes that are none",
            fix="Delete the file and make it again.",
        )
    if not alpha:
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    if picture.ndim == 2:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2RGBA)
    code = cv2.COLOR_BGRA2RGBA if picture.shape[-1] == 4 else cv2.COLOR_BGR2RGBA
    return cv2.cvtColor(picture, code)


def numbered(folder: pathlib.Path, suffix: str) -> dict[int, pathlib.Path]:
    """Returns the files `N.suffix` of a folder by number, ascending.

    Args:
      folder: may be absent: then there are none.
      suffix: ".jpg", say.

    Raises:
      DataError: a name is no plain number.
    """
    found: dict[int, pathlib.Path] = {}
    for path in folder.glob(f"*{suffix}"):
        if path.name.startswith("."):
            continue
        if not path.stem.isdecimal() or path.stem != str(int(path.stem)):
            raise DataError(
                expected=f"{folder.name}/0{suffix}, 1{suffix}, ... and nothing else of that kind",
                got=path.name,
                fix=f"Rename or remove {path}.",
            )
        found[int(path.stem)] = path
    return dict(sorted(found.items()))


class Pictures:
    """A sequence of numbered pictures that are read when asked for.

    Args:
      paths: in order.
    """

    def __init__(self, paths: list[pathlib.Path]):
        self._paths = paths

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self._paths)

    def __getitem__(self, index: int) -> np.ndarray:
        """Returns picture `index`, uint8 [H, W, 3] RGB."""
        return read_picture(self._paths[index])


def frame_paths(folder: pathlib.Path, kind: str, suffix: str, num_frames: int) -> list:
    """Returns the places of the numbered files of all frames.

    Args:
      folder: of the data set.
      kind: of the files: FRAMES, PARSING, ...
      suffix: ".jpg", say.
      num_frames: T.
    """
    return [folder / kind / f"{t}{suffix}" for t in range(num_frames)]
