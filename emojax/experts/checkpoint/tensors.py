"""Contents of a file, and tensors as it describes them: a storage and a strided view into it.

Nothing is read before `array` is called, and then as a view: several tensors share one storage, as
they do in PyTorch. bfloat16 becomes float32, which holds each of its numbers exactly. Numbers are
little-endian.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import numpy as np

from emojax.experts.checkpoint import limits, refusal

Buffer = bytes | memoryview

BFLOAT16 = "bfloat16"
# PyTorch's names of the types that weights come in; complex, quantised and 8-bit floats do not.
DTYPES: dict[str, np.dtype | None] = {
    "float64": np.dtype("<f8"),
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    BFLOAT16: None,  # NumPy has none
    "int64": np.dtype("<i8"),
    "int32": np.dtype("<i4"),
    "int16": np.dtype("<i2"),
    "int8": np.dtype("i1"),
    "uint64": np.dtype("<u8"),
    "uint32": np.dtype("<u4"),
    "uint16": np.dtype("<u2"),
    "uint8": np.dtype("u1"),
    "bool": np.dtype("?"),
}


def item_size(dtype: str) -> int:
    """Returns the bytes of one number.

    Args:
      dtype: one of `DTYPES`.
    """
    return _stored_as(dtype).itemsize


def _stored_as(dtype: str) -> np.dtype:
    """NumPy's type of the bytes in the file."""
    if dtype == BFLOAT16:
        return np.dtype("<u2")
    return np.dtype("u1") if dtype == "bool" else DTYPES[dtype]


def _meant(stored: np.ndarray, dtype: str) -> np.ndarray:
    """The numbers that the bytes stand for; a copy for bfloat16 and bool alone."""
    if dtype == BFLOAT16:  # the upper half of a float32
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored != 0 if dtype == "bool" else stored  # a byte 2 would be neither True nor False


def numbers(data: Buffer, dtype: str) -> np.ndarray:
    """Returns raw bytes as numbers, bfloat16 as float32.

    Args:
      data: a whole count of numbers.
      dtype: one of `DTYPES`.
    """
    return _meant(np.frombuffer(data, _stored_as(dtype)), dtype)


@dataclasses.dataclass(frozen=True)
class Contents:
    """What reading a file gives.

    Attributes:
      kind: of file, for reports.
      tree: dictionaries, lists, tuples, text, numbers, and what has `shape` and `array()`; the
        attributes of objects in `standins.Record`.
      is_graph: the arrays are constants of a graph: weights among others.
    """

    kind: str
    tree: object
    is_graph: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Storage:
    """Numbers in a row, somewhere in the file.

    Attributes:
      dtype: one of `DTYPES`.
      size: bytes.
      read: returns the bytes.
    """

    dtype: str
    size: int
    read: Callable[[], Buffer]

    @functools.cached_property
    def data(self) -> memoryview:
        """The bytes, read and checked once.

        Raises:
          CheckpointError: the file ends before them.
        """
        data = memoryview(self.read())[: self.size]
        if len(data) < self.size:
            raise refusal.damaged(f"{len(data):,} of {self.size:,} bytes of a tensor")
        return data


@dataclasses.dataclass(frozen=True, eq=False)
class Tensor:
    """A strided view into a storage.

    Attributes:
      storage: holds the numbers.
      dtype: one of `DTYPES`.
      offset: of the first element, in elements.
      shape: sizes.
      strides: elements between neighbours of each dimension.
    """

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> np.ndarray:
        """Returns the numbers, a read-only view but for bfloat16 and bool.

        Raises:
          CheckpointError: the file ends before the storage does.
        """
        if 0 in self.shape:
            return np.zeros(self.shape, DTYPES[self.dtype] or np.float32)
        kind, data = _stored_as(self.dtype), self.storage.data
        flat = np.frombuffer(data[: len(data) // kind.itemsize * kind.itemsize], kind)
        strides = [stride * kind.itemsize for stride in self.strides]
        part = np.lib.stride_tricks.as_strided(
            flat[self.offset :], self.shape, strides, writeable=False
        )
        return _meant(part, self.dtype)  # after the view: many may look at one large storage


@dataclasses.dataclass(frozen=True, eq=False)
class Array:
    """Numbers that stand in the file in a row, or once for all elements, under a shape.

    Attributes:
      numbers: all elements, or the one that all equal.
      shape: sizes.
      fortran: first index fastest.
    """

    numbers: np.ndarray
    shape: tuple[int, ...]
    fortran: bool = False

    def array(self) -> np.ndarray:
        """Returns the numbers in their shape, a view."""
        if self.numbers.size == 1:
            return np.broadcast_to(self.numbers.reshape(()), self.shape)
        return self.numbers.reshape(self.shape, order="F" if self.fortran else "C")


def view(
    storage: Storage, offset: object, shape: object, strides: object, *, dtype: str | None = None
) -> Tensor:
    """Returns a checked view.

    Args:
      storage: to look into.
      offset: of the first element, in elements.
      shape: sizes.
      strides: elements between neighbours.
      dtype: other than the storage's own.

    Raises:
      CheckpointError: these are not sizes, or reach out of the storage.
    """
    shape, dtype = sizes(shape), dtype or storage.dtype
    strides = sizes(strides, what="strides")
    if len(shape) != len(strides) or not _is_size(offset):
        raise refusal.damaged("a tensor of contradictory sizes")
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if 0 not in shape and (last + 1) * item_size(dtype) > storage.size:
        raise refusal.damaged(
            f"a tensor of shape {shape} that reaches out of its storage of {storage.size:,} bytes"
        )
    return Tensor(storage, dtype, offset, shape, strides)


def sizes(value: object, *, what: str = "sizes") -> tuple[int, ...]:
    """Returns the sizes of an array, checked.

    Args:
      value: a sequence of numbers, out of a file.
      what: they are, for the message.

    Raises:
      CheckpointError: they are none, or more than `limits` allow.
    """
    if not isinstance(value, Sequence) or len(value) > limits.MAX_DIMS:
        raise refusal.damaged(f"{refusal.shown(value)} or too many instead of a tensor's {what}")
    if not all(map(_is_size, value)):
        raise refusal.damaged(f"{refusal.listed(value)} as a tensor's {what}")
    if what == "sizes" and math.prod(value) > limits.MAX_ELEMENTS:
        raise refusal.damaged(f"a tensor of shape {tuple(value)}")
    return tuple(value)


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 48
