"""Emotional pictures on disk, found by the content they were made from.

The key is a hash of all that decides a picture: the frame's pixels, its landmarks, the point, and
the settings of who makes it. A changed frame is another key; nothing can be out of date. Entries
lie under the folder of this `VERSION`, so that pictures of other versions of the code are not seen;
they stay until `remove_others`.

An entry that cannot be read counts as absent. Writing beyond `limit` bytes removes what has not
been used for longest.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import pathlib
import shutil
import zipfile

import numpy as np

from emojax.data import files
from emojax.data.errors import DataError
from emojax.opencv import cv2

# Goes up with every change of what is drawn: `displacement`, `warp` and its parts, `paste`.
VERSION = 1
LIMIT = 4 << 30  # bytes: about ten thousand pictures of 512 pixels
_KEPT = 0.9  # of the limit, after a removal
_PREFIX = "emotional-faces-"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One picture.

    Attributes:
      picture: uint8 [H, W, 3].
      landmarks: float64 [68, 2] pixels.
      labels: uint8 [H, W], or None.
      reason: why it was rejected; "" where it was not.
    """

    picture: np.ndarray
    landmarks: np.ndarray
    labels: np.ndarray | None
    reason: str


def key_of(settings: str, *arrays: np.ndarray | None) -> str:
    """Returns the name of what is made from some arrays.

    Args:
      settings: everything else that decides the result, in words.
      *arrays: any number; None stands for an absent one.
    """
    digest = hashlib.sha256(settings.encode())
    for array in arrays:
        if array is None:
            digest.update(b"none")
            continue
        array = np.ascontiguousarray(array)
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()[:40]


class Cache:
    """Pictures by key, on disk.

    Args:
      folder: made if absent; only folders of this module's names are touched in it.
      limit: most bytes of this version's entries.

    Attributes:
      hits: pictures that were found.
      misses: pictures that were not.
      damaged: entries that could not be read, counted among the misses too.

    Raises:
      DataError: the folder cannot be made.
    """

    def __init__(self, folder: pathlib.Path | str, *, limit: int = LIMIT):
        self._root = pathlib.Path(folder)
        self._folder = self._root / f"{_PREFIX}{VERSION}"
        files.make_folder(self._folder)
        self._limit = limit
        self._bytes = sum(path.stat().st_size for path in self._folder.glob("*/*.npz"))
        self.hits = self.misses = self.damaged = 0

    def others(self) -> list[pathlib.Path]:
        """Returns the folders of other versions, which are not read."""
        found = self._root.glob(f"{_PREFIX}*")
        return sorted(path for path in found if path != self._folder and path.is_dir())

    def remove_others(self) -> None:
        """Deletes the pictures of other versions."""
        for path in self.others():
            shutil.rmtree(path, ignore_errors=True)

    def get(self, key: str) -> Entry | None:
        """Returns the entry of a key, or None where there is none that can be read."""
        path = self._path(key)
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as data:
                labels = _decoded(data["labels"]) if "labels" in data else None
                entry = Entry(
                    cv2.cvtColor(_decoded(data["picture"]), cv2.COLOR_BGR2RGB),
                    data["landmarks"],
                    labels,
                    str(data["reason"]),
                )
            os.utime(path)
        except FileNotFoundError:
            self.misses += 1
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, cv2.error):
            self.misses += 1
            self.damaged += 1
            return None
        self.hits += 1
        return entry

    def put(self, key: str, entry: Entry) -> None:
        """Writes an entry.

        Args:
          key: of `key_of`.
          entry: what to find under it.

        Raises:
          DataError: the disk is full, or the folder cannot be written to.
        """
        parts = {
            "picture": _encoded(cv2.cvtColor(entry.picture, cv2.COLOR_RGB2BGR)),
            "landmarks": np.float64(entry.landmarks),
            "reason": np.array(entry.reason),
        }
        if entry.labels is not None:
            parts["labels"] = _encoded(entry.labels)
        buffer = io.BytesIO()
        np.savez(buffer, **parts)
        path = self._path(key)
        files.make_folder(path.parent)
        before = path.stat().st_size if path.exists() else 0
        files.write_bytes(path, buffer.getvalue())
        self._bytes += buffer.tell() - before
        if self._bytes > self._limit:
            self._shrink()

    def _path(self, key: str) -> pathlib.Path:
        """The file of a key; a folder for each first byte keeps listings short."""
        if not key.isalnum():
            raise DataError(expected="a key of `key_of`", got=repr(key), fix="Make it by key_of.")
        return self._folder / key[:2] / f"{key}.npz"

    def _shrink(self) -> None:
        """Removes what has not been used for longest."""
        entries = [(path.stat(), path) for path in self._folder.glob("*/*.npz")]
        entries.sort(key=lambda item: item[0].st_mtime_ns)
        self._bytes = sum(stat.st_size for stat, _ in entries)
        for stat, path in entries:
            if self._bytes <= _KEPT * self._limit:
                break
            path.unlink(missing_ok=True)
            self._bytes -= stat.st_size


def _encoded(picture: np.ndarray) -> np.ndarray:
    """A picture as the bytes of a PNG."""
    return cv2.imencode(".png", picture, files.PNG)[1].ravel()


def _decoded(data: np.ndarray) -> np.ndarray:
    """The picture in the bytes of a PNG."""
    picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ValueError("no picture")
    return picture
