"""Arrays on disk of which single rows are read, with little of them resident in memory.

A memory map alone would count every page once touched as this process's memory until the system
needs it elsewhere. `Rows` gives pages back after each read; they stay in the system's file cache,
so reading them again is as fast.
"""

from __future__ import annotations

import mmap
import pathlib
import shutil
from collections.abc import Iterable

import numpy as np

from emojax.data import files
from emojax.data.errors import DataError


class Rows:
    """A read-only array on disk; indexing copies rows into memory.

    Args:
      path: of a .npy file.
    """

    def __init__(self, path: pathlib.Path):
        try:
            self._map = np.load(path, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise DataError(
                expected=f"an array in {path}",
                got=str(error),
                fix=f"Delete the folder {path.parent}: it is made again from the pictures.",
            ) from error

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""
        return self._map.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the elements."""
        return self._map.dtype

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._map)

    def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray:
        """Returns a copy of one row, or of several."""
        rows = np.array(self._map[index])
        raw = getattr(self._map, "_mmap", None)
        if raw is not None and hasattr(mmap, "MADV_DONTNEED"):  # Linux, macOS
            raw.madvise(mmap.MADV_DONTNEED)
        return rows


def write(path: pathlib.Path, rows: Iterable[np.ndarray], length: int) -> None:
    """Writes rows one after another, so that none but the last is in memory.

    Args:
      path: of the .npy file.
      rows: of equal shape and dtype.
      length: how many.

    Raises:
      DataError: the place cannot be written to, or the disk is full.
      ValueError: a row differs from the first in shape or dtype, or there are more or fewer.
    """
    first, count = None, 0
    try:
        with path.open("wb") as file:
            for row in rows:
                if first is None:
                    first = row
                    shape = (length, *row.shape)
                    description = np.lib.format.dtype_to_descr(row.dtype)
                    header = {"descr": description, "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_2_0(file, header)
                if (row.shape, row.dtype) != (first.shape, first.dtype):
                    raise ValueError(
                        f"row {count} is {row.dtype} {row.shape}, "
                        f"the first {first.dtype} {first.shape}"
                    )
                file.write(np.ascontiguousarray(row).data)
                count += 1
    except OSError as error:
        raise files.failed(path, error) from error
    if count != length:
        raise ValueError(f"{count} rows for {length}")


class FolderInMaking:
    """Context of a folder that appears whole at its place, or not at all.

    Args:
      path: its place, where nothing must be; the folder above it is made.
    """

    def __init__(self, path: pathlib.Path):
        self._path = path
        self._scratch = files.partial(path)

    def __enter__(self) -> pathlib.Path:
        """Returns the folder to write into."""
        files.make_folder(self._scratch)
        return self._scratch

    def __exit__(self, kind, error, traceback) -> None:
        """Puts the folder to its place, or removes it after an error."""
        if error is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            return
        try:
            self._scratch.rename(self._path)
        except OSError as problem:
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise files.failed(self._path, problem) from problem
