"""One process trains a run: who does holds the file `lock` in its folder, with its number within.

The system's own lock on the file decides (flock), so that it goes with its process however that
ends: a file that a killed process left holds nobody up. Where a file system has no locks, runs are
not protected.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import socket
from collections.abc import Iterator
from typing import TextIO

from emojax.data import files
from emojax.data.errors import DataError

FILE = "lock"


@contextlib.contextmanager
def hold(run: pathlib.Path) -> Iterator[None]:
    """Holds a run's lock; its folder is made where it is absent.

    Args:
      run: the run's folder.

    Raises:
      DataError: another process holds it, or the folder cannot be written to.
    """
    files.make_folder(run)
    path = run / FILE
    try:
        handle = _locked(path)
    except OSError as error:
        raise files.failed(path, error) from error
    if handle is None:
        raise _second(path)
    with handle:
        handle.truncate(0)
        handle.write(f"{os.getpid()} on {socket.gethostname()}")
        handle.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # before the lock goes: the next one makes its own file


def refuse_second(run: pathlib.Path) -> None:
    """Does nothing but look whether a run is free.

    Args:
      run: the run's folder.

    Raises:
      DataError: another process trains it.
    """
    path = run / FILE
    try:
        with path.open(encoding="utf-8") as handle:
            is_free = _take(handle, fcntl.LOCK_SH)
    except OSError:  # nobody has ever locked it
        return
    if not is_free:
        raise _second(path)


def _locked(path: pathlib.Path) -> TextIO | None:
    """The file at the path, opened and locked; None where another process has it."""
    while True:
        handle = path.open("a+", encoding="utf-8")
        if not _take(handle, fcntl.LOCK_EX):
            handle.close()
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle.fileno()), path.stat()):
                return handle
        handle.close()  # its holder has removed it between opening and locking


def _take(handle: TextIO, kind: int) -> bool:
    """Locks an open file, if it is free."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # of a file system without locks
        pass
    return True


def _second(path: pathlib.Path) -> DataError:
    holder = ""
    with contextlib.suppress(OSError):
        holder = path.read_text(encoding="utf-8")
    return DataError(
        expected=f"to be alone with the run {path.parent}",
        got=f"another process that is training this run{holder and f', {holder}'}",
        fix="Wait for it, or stop it.",
    )
