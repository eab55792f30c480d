"""Pictures of normals: unit vectors of the face's surface, as files and as bytes.

x to the image's right, y up, z to the viewer. As bytes: 255 (n + 1) / 2, rounded, and black where
there is no surface; a unit vector is never black. A data set has `normals/N.png` (bytes, or 16 bits
in the same scale), or `truth/normals/N.png` where it was filmed.
"""

from __future__ import annotations

import contextlib
import pathlib

import numpy as np

from emojax.data import files, record, resizing
from emojax.data.errors import DataError
from emojax.opencv import cv2

FOLDERS = ("normals", "truth/normals")
SHORTEST = 0.5  # a stored vector that is shorter is no normal


def to_bytes(normals: np.ndarray) -> np.ndarray:
    """Returns a picture of normals as bytes.

    Args:
      normals: [..., 3] unit vectors; 0 where there is no surface.

    Returns:
      uint8 [..., 3].
    """
    known = np.linalg.norm(normals, axis=-1, keepdims=True) > SHORTEST
    return np.where(known, np.uint8(np.clip(normals, -1, 1) * 127.5 + 127.5 + 0.5), np.uint8(0))


def of_drawn(normals: np.ndarray) -> np.ndarray:
    """Returns a picture of drawn normals as bytes: at full length, however opaque the surface is.

    Args:
      normals: [..., 3] drawn over 0; where less than half of one is drawn, there is none.

    Returns:
      uint8 [..., 3].
    """
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return to_bytes(np.where(length > SHORTEST, normals / np.maximum(length, 1e-6), 0))


def from_bytes(picture: np.ndarray) -> np.ndarray:
    """Returns unit vectors, float32 [..., 3], 0 where there is no surface.

    Args:
      picture: uint8 [..., 3].
    """
    vectors = picture.astype(np.float32) / 127.5 - 1
    known = (picture > 0).any(axis=-1, keepdims=True)
    length = np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)
    return np.where(known, vectors / length, 0)


def find(folder: pathlib.Path) -> pathlib.Path | None:
    """Returns the folder of a data set's normals, or None.

    Args:
      folder: of the data set.
    """
    return next((folder / name for name in FOLDERS if (folder / name).is_dir()), None)


def source(folder: pathlib.Path) -> str | None:
    """Returns how a data set's normals came about, or None where its record does not know.

    Args:
      folder: of the data set.
    """
    place = find(folder)
    there = files.numbered(place, ".png") if place else {}
    if there:
        with contextlib.suppress(DataError):  # a damaged record knows nothing
            return record.source(record.read(folder), "normals", next(iter(there.values())))
    return None


def read(path: pathlib.Path, *, size: int) -> np.ndarray:
    """Reads a picture of normals.

    Args:
      path: of 8 or 16 bits.
      size: side of the picture to return, pixels.

    Returns:
      uint8 [size, size, 3] as `to_bytes` gives.

    Raises:
      DataError: it is missing or no picture of three channels.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(
            expected=f"the normals {path}", got=error.strerror or str(error), fix="Make them again."
        ) from error
    picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    if picture is None or picture.ndim != 3 or picture.shape[-1] != 3:
        raise DataError(
            expected=f"a picture with three channels in {path}",
            got=f"{len(data):,} bytes that are none",
            fix="Make the normals again.",
        )
    full = np.iinfo(picture.dtype).max
    vectors = picture[..., ::-1].astype(np.float32) * (2 / full) - 1
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    # Black is no normal, though it decodes to a long vector.
    known = (length > SHORTEST) & (picture > 0).any(axis=-1, keepdims=True)
    vectors = np.where(known, vectors / np.maximum(length, 1e-6), 0)
    return to_bytes(resizing.square(np.float32(vectors), size, exact=False))
