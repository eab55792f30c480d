"""Where things are kept that were made once and can be made again: kernels, programs, pictures.

That is the user's cache folder: EMOJAX_CACHE if it is set, else `emojax` in XDG_CACHE_HOME, else
`~/.cache/emojax`. Where it is closed to us, a folder among the temporary ones serves until the
system clears it. Libraries are loaded from there, so it must be this user's own, open to nobody
else.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import platform
import stat
import tempfile

import jax

# How users choose the folder, for messages.
CURE = "name a folder that you may write to in XDG_CACHE_HOME or EMOJAX_CACHE"
_PRIVATE = 0o700


def user_folder() -> pathlib.Path:
    """Returns the user's cache folder, which need not be there."""
    if os.environ.get("EMOJAX_CACHE"):
        return pathlib.Path(os.environ["EMOJAX_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "emojax"


def temporary_folder() -> pathlib.Path:
    """Returns a folder of this user alone among the temporary ones; made if absent.

    It is the same at each call, unless somebody else holds its name: then it is a new one.

    Raises:
      OSError: none can be made.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = pathlib.Path(tempfile.gettempdir()) / f"emojax-{user}"
    folder.mkdir(mode=_PRIVATE, exist_ok=True)
    return folder if _is_private(folder) else pathlib.Path(tempfile.mkdtemp(prefix="emojax-"))


def why_closed(folder: pathlib.Path) -> str | None:
    """Returns why nothing can be written to a folder, or None where it can; makes it if absent.

    Args:
      folder: to try.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)


def keep_programs() -> None:
    """Lets this process keep what XLA compiles, and find what others have; a user's wish stands.

    Programs of XLA hold instructions of the processor that they were compiled on, and machines may
    share a cache: each kind of processor has its own folder. Where the cache is closed nothing is
    kept.
    """
    if jax.config.jax_compilation_cache_dir:
        return
    kind = hashlib.sha256(_processor().encode()).hexdigest()[:16]
    folder = user_folder() / "programs" / kind
    if why_closed(folder) is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))


def _processor() -> str:
    """What tells one kind of processor from another."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    names = ("model name", "flags", "Features")
    kinds = sorted({line for line in lines if line.startswith(names)})
    return "\n".join([platform.machine(), platform.processor(), *kinds])


def _is_private(folder: pathlib.Path) -> bool:
    """Whether a folder, not a link to one, belongs to this user and is open to nobody else."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return False
    if not hasattr(os, "getuid"):  # Windows: each user has temporary folders of their own
        return True
    return status.st_uid == os.getuid() and stat.S_IMODE(status.st_mode) == _PRIVATE
