"""NumPy's .npz without its pickles: the arrays of a zip archive by name.

Each entry is an .npy file (versions 1 to 3): a header of one line, which is matched, not evaluated,
then the numbers. Arrays of objects, text and structures are refused.
"""

from __future__ import annotations

import re
import struct

import numpy as np

from emojax.experts.checkpoint import archives, limits, refusal, tensors

SUFFIX = ".npy"
_MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    rb"\{'descr': ?'([<>|=]?)([a-zA-Z?]\d{0,4})', ?'fortran_order': ?(True|False), ?"
    rb"'shape': ?\(([\d ,]{0,200})\),? ?\}\s*"
)
_NUMBERS = re.compile(rb"f[248]|[iu][1248]|b1|\?")


def read(archive: archives.Zip, budget: limits.Budget) -> tensors.Contents:
    """Reads an .npz file.

    Args:
      archive: of the file; each entry an array.
      budget: is spent.

    Raises:
      CheckpointError: the file is damaged, or holds something else than numbers.
    """
    budget.spend(len(archive))
    arrays = {}
    for name in archive:
        if not name.endswith(SUFFIX):
            raise refusal.refused(f"the entry {refusal.shown(name)}, no array")
        arrays[name.removesuffix(SUFFIX)] = _array(name, archive[name])
    return tensors.Contents("NumPy archive", arrays)


def _array(name: str, data: memoryview) -> tensors.Array:
    """The array of one .npy file."""
    shown = refusal.shown(name)
    if bytes(data[:6]) != _MAGIC or len(data) < 12:
        raise refusal.damaged(f"{shown} without the beginning of an array")
    form, start = ("<H", 10) if data[6] == 1 else ("<I", 12)
    (size,) = struct.unpack(form, data[8:start])
    header = _HEADER.fullmatch(bytes(data[start : start + size]))
    if header is None:
        raise refusal.refused(f"{shown}, an array of a structure or a broken one")
    order, letters, fortran, shape = header.groups()
    if not _NUMBERS.fullmatch(letters):
        raise refusal.refused(f"{shown}, an array of the NumPy type {refusal.shown(letters)}")
    dtype = np.dtype((order + letters).decode())
    try:
        shape = tensors.sizes([int(part) for part in shape.split(b",") if part.strip()])
    except ValueError as error:
        if isinstance(error, refusal.CheckpointError):
            raise
        raise refusal.damaged(f"{shown} of a broken shape") from None
    numbers = data[start + size :]
    if int(np.prod(shape, dtype=object)) * dtype.itemsize != len(numbers):
        raise refusal.damaged(f"{shown} of shape {shape} with {len(numbers):,} bytes")
    return tensors.Array(np.frombuffer(numbers, dtype), shape, fortran == b"True")
