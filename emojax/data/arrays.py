"""Arrays of a data set folder, read with a word for every way in which a file can be damaged.

Masks' headers are enough to see, before any work starts, whether they fit the pictures (`fault`).
"""

from __future__ import annotations

import io
import pathlib
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence

import numpy as np

from emojax.data import files
from emojax.data.errors import DataError

# What numpy raises for files that are absent, cut short or something else.
UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    SyntaxError,
    tokenize.TokenError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


def read(path: pathlib.Path) -> np.ndarray:
    """Reads a .npy file.

    Args:
      path: of the file.

    Raises:
      DataError: there is no such file, or it holds no array of numbers.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except UNREADABLE as error:
        raise _damaged(path, error) from error
    if not isinstance(array, np.ndarray):
        raise _damaged(path, "several arrays (.npz)")
    return array


def read_named(path: pathlib.Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads a .npz file.

    Args:
      path: of the file.
      names: of the arrays to read.

    Raises:
      DataError: there is no such file, it is damaged, or lacks one of them.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except (*UNREADABLE, AttributeError) as error:  # a .npy file is no context
        raise _damaged(path, error) from error


def read_mask(path: pathlib.Path, shape: tuple[int, ...]) -> np.ndarray:
    """Reads a teeth mask.

    Args:
      path: of the .npy file.
      shape: that of its picture, [H, W].

    Returns:
      bool [H, W].

    Raises:
      DataError: it is damaged or of another size.
    """
    mask = read(path)
    if mask.shape != tuple(shape[:2]):
        raise DataError(
            expected=f"{path} as large as the frame, {shape[1]} x {shape[0]}",
            got=f"an array of shape {mask.shape}",
            fix=f"Make the masks from the pictures in {files.FRAMES}.",
        )
    return mask.astype(bool)


def write_named(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes named arrays as .npz to path all at once."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    files.write_bytes(path, buffer.getvalue())


def fault(path: pathlib.Path, size: tuple[int, int] | None) -> str:
    """Returns what is wrong with a mask or picture, "" if nothing is; its head and tail are read.

    Args:
      path: of a .png or .npy file.
      size: height and width that it should have; None allows any.
    """
    try:
        if path.suffix == ".png":
            with path.open("rb") as file:
                head = file.read(24)
                file.seek(0, 2)
                file.seek(max(file.tell() - 16, 0))
                if len(head) < 24 or not head.startswith(_PNG_START):
                    return "is no PNG"
                if _PNG_END not in file.read():
                    return "is cut short"
            shape = struct.unpack(">II", head[16:24])[::-1]
        else:
            shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
    except FileNotFoundError:
        return "is missing"
    except (*UNREADABLE, AttributeError) as error:  # .npz has no shape
        return f"cannot be read ({error})"
    if size is not None and tuple(shape[:2]) != tuple(size):
        return f"is {shape[1] if len(shape) > 1 else 0} x {shape[0] if shape else 0}"
    return ""


def _damaged(path: pathlib.Path, error: object) -> DataError:
    """The error for a file that holds something else."""
    if isinstance(error, OSError) and error.strerror:
        error = error.strerror
    return DataError(
        expected=f"an array in {path}",
        got=" ".join(f"{error}".split()) or "nothing",
        fix="Make the file again.",
    )
