"""What the names in a pickle of weights stand for: a closed table of inert values.

Each entry says what a call of the named thing would have built, as plain data: a tensor's place in
the file, an array's bytes, a dictionary. The thing itself is never imported. A name that is not in
the table is refused, by that name.

The named are PyTorch's rebuilders and storages (`torch._utils`, all versions), NumPy's arrays and
scalars (1.x and 2.x, Python 2 and 3), ordered dictionaries and sets, the records of TorchScript
(`__torch__.*`), and the persistent modules of StyleGAN2-ADA, whose source code travels in the file
and is dropped here.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from emojax.experts.checkpoint import limits, refusal, tensors

_STORAGES = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "Untyped": "uint8",
}
_NUMPY_TYPES = re.compile(r"[<>|=]?(f[248]|[iu][1248]|b1|\?)")
_MAX_TYPE_NAME = 4


@dataclasses.dataclass(frozen=True)
class Called:
    """Something named that a pickle calls.

    Attributes:
      name: module and name.
      call: arguments -> what the call stands for.
    """

    name: str
    call: Callable[[tuple], object]


@dataclasses.dataclass(frozen=True)
class StorageType:
    """A class of PyTorch's storages; `dtype` is one of `tensors.DTYPES`."""

    name: str
    dtype: str


@dataclasses.dataclass(frozen=True)
class Dtype:
    """A `torch.dtype`; `dtype` is one of `tensors.DTYPES`."""

    name: str
    dtype: str


@dataclasses.dataclass(eq=False)
class Record:
    """An object of a class that travels in the file: its attributes alone.

    Attributes:
      kind: the class's name.
      fields: attribute -> value.
    """

    kind: str
    fields: dict[str, object] = dataclasses.field(default_factory=dict)

    def build(self, state: object) -> None:
        """Takes the attributes, a dictionary."""
        if not isinstance(state, dict):
            raise refusal.refused(
                f"{refusal.shown(state)} as the state of {refusal.shown(self.kind)}"
            )
        self.fields.update(state)


@dataclasses.dataclass(eq=False)
class _NumpyType:
    """A NumPy type under construction: letters, then the byte order."""

    letters: str
    order: str = "<"

    def build(self, state: object) -> None:
        """Takes NumPy's state of a type: version, byte order, then what only structures have."""
        plain = isinstance(state, tuple) and len(state) >= 5 and state[2:5] == (None, None, None)
        if not plain or state[1] not in ("<", ">", "|", "=", b"<", b">", b"|", b"="):
            raise refusal.refused("a NumPy type of several parts")
        self.order = state[1].decode() if isinstance(state[1], bytes) else state[1]

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.order + self.letters.lstrip("<>|="))


class NumpyArray:
    """A NumPy array under construction: empty until its state comes."""

    def __init__(self, budget: limits.Budget):
        self.budget = budget
        self.content: tensors.Array | None = None

    def build(self, state: object) -> None:
        """Takes NumPy's state of an array: version, shape, type, order, bytes."""
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise refusal.damaged("an array without its parts")
        shape, kind, fortran, data = state[-4:]
        self.content = _array(self.budget, data, kind, shape, fortran=fortran)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes."""
        return self.content.shape if self.content else (0,)

    def array(self) -> np.ndarray:
        """Returns the numbers, a view."""
        return self.content.array() if self.content else np.zeros(0, np.float32)


@dataclasses.dataclass(frozen=True)
class Table:
    """Which names are known while one file is read.

    Attributes:
      budget: is spent on what calls build.
      storage: returns the storage of a whole PyTorch file inside of a pickle (bytes ->); None
        refuses those.
      has_records: the file is a TorchScript archive.
    """

    budget: limits.Budget
    storage: Callable[[bytes], tensors.Storage] | None = None
    has_records: bool = False

    def find(self, module: str, name: str) -> object:
        """Returns the stand-in of a name.

        Args:
          module: as in the pickle.
          name: as in the pickle.

        Raises:
          CheckpointError: the name is not of the table.
        """
        full = f"{module}.{name}"
        kind = re.fullmatch(r"torch\.(?:cuda\.|storage\.)?([A-Za-z0-9]+)Storage", full)
        if kind and kind[1] in _STORAGES:
            return StorageType(full, _STORAGES[kind[1]])
        if module == "torch" and name in tensors.DTYPES:
            return Dtype(full, name)
        if self.has_records and module.startswith("__torch__"):
            return Called(full, functools.partial(_record, full))
        if self.storage is not None and full == "torch.storage._load_from_bytes":
            return Called(full, self._nested)
        if full not in _CALLS:
            raise refusal.refused(f"the name {refusal.shown(full)} in a pickle")
        return Called(full, functools.partial(self._call, full))

    def _call(self, name: str, arguments: tuple) -> object:
        try:
            return _CALLS[name](self.budget, *arguments)
        except TypeError:
            raise refusal.damaged(f"a call of {name} with {len(arguments)} arguments") from None

    def _nested(self, arguments: tuple) -> tensors.Storage:
        if len(arguments) != 1 or not isinstance(arguments[0], bytes):
            raise refusal.damaged("a storage that is no bytes")
        self.budget.spend(1, copied=len(arguments[0]))
        return self.storage(arguments[0])


def storage_of(
    identity: object, read: Callable[[object, int], Callable[[], tensors.Buffer]]
) -> tensors.Storage:
    """Returns the storage that PyTorch's persistent id stands for.

    Args:
      identity: ("storage", type, key, location, count of elements), of a pickle.
      read: returns what reads the bytes of a key, given how many; refuses unknown keys.

    Raises:
      CheckpointError: the id is none of a storage.
    """
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        raise refusal.refused(f"a reference to {refusal.shown(identity)}")
    _, kind, key, _, count = identity[:5]
    limits.key(key)
    if not isinstance(kind, StorageType):
        raise refusal.refused(f"a storage of {refusal.shown(kind)}")
    (count,) = tensors.sizes((count,), what="storage")
    size = count * tensors.item_size(kind.dtype)
    return tensors.Storage(kind.dtype, size, read(key, size))


def _record(name: str, arguments: tuple) -> Record:
    if arguments:
        raise refusal.refused(f"a call of {refusal.shown(name)} with arguments")
    return Record(name)


def _persistent_module(budget: limits.Budget, meta: Mapping) -> Record:
    """StyleGAN2-ADA's object: the class's name and attributes; its source code is dropped."""
    del budget
    if not isinstance(meta, dict) or meta.get("type") != "class":
        raise refusal.refused("a persistent object that is no class")
    record = Record(refusal.shown(meta.get("class_name")))
    record.build(meta.get("state"))
    return record


def _ordered(budget: limits.Budget, pairs: Sequence = (), /) -> dict:
    """Python 2 gives an ordered dictionary its pairs at once."""
    if not isinstance(pairs, list | tuple):
        raise refusal.refused(f"a dictionary of {refusal.shown(pairs)}")
    budget.spend(len(pairs))
    if not all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
        raise refusal.damaged("a dictionary whose pairs are none")
    return {limits.key(key): value for key, value in pairs}


def _set(budget: limits.Budget, items: Sequence = (), /) -> set:
    if not isinstance(items, list | tuple):
        raise refusal.refused(f"a set of {refusal.shown(items)}")
    budget.spend(len(items))
    return set(map(limits.key, items))


def _no_bytes(budget: limits.Budget) -> bytes:
    """Protocols 0 to 2 call for bytes that are none."""
    del budget
    return b""


def _encoded(budget: limits.Budget, text: str, encoding: str, /) -> bytes:
    """Protocol 2's way to write bytes: text that is to be encoded."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise refusal.refused("an encoding other than Latin-1")
    budget.spend(1, copied=len(text))
    return text.encode("latin-1")


def _numpy_type(budget: limits.Budget, letters: object, *_: object) -> _NumpyType:
    del budget
    letters = letters.decode("latin-1") if isinstance(letters, bytes) else letters
    known = isinstance(letters, str) and len(letters) <= _MAX_TYPE_NAME
    if not known or not _NUMPY_TYPES.fullmatch(letters):
        raise refusal.refused(f"an array of the NumPy type {refusal.shown(letters)}")
    return _NumpyType(letters, letters[0] if letters[0] in "<>" else "<")


def _array(
    budget: limits.Budget, data: object, kind: object, shape: object, *, fortran: object
) -> tensors.Array:
    if not isinstance(kind, _NumpyType):
        raise refusal.refused(f"an array of {refusal.shown(kind)}")
    if isinstance(data, str):  # of Python 2
        data = _encoded(budget, data, "latin1")
    if not isinstance(data, bytes):
        raise refusal.refused(f"an array of {refusal.shown(data)}")
    shape, dtype = tensors.sizes(shape), kind.dtype
    if int(np.prod(shape, dtype=object)) * dtype.itemsize != len(data):
        raise refusal.damaged(f"an array of shape {shape} with {len(data):,} bytes")
    return tensors.Array(np.frombuffer(data, dtype), shape, fortran is True or fortran == 1)


def _empty_array(budget: limits.Budget, kind: object, *_: object) -> NumpyArray:
    if getattr(kind, "name", None) != "numpy.ndarray":
        raise refusal.refused(f"an array of the class {refusal.shown(getattr(kind, 'name', kind))}")
    return NumpyArray(budget)


def _array_from_buffer(
    budget: limits.Budget, data: object, kind: object, shape: object, order: object, /
) -> NumpyArray:
    array = NumpyArray(budget)
    array.content = _array(budget, data, kind, shape, fortran=order == "F")
    return array


def _scalar(budget: limits.Budget, kind: object, data: object, /) -> float | int | bool:
    return _array(budget, data, kind, (), fortran=False).array().item()


def _namespace(budget: limits.Budget) -> Record:
    """The options of a training run, beside many weights: attributes alone."""
    del budget
    return Record("argparse.Namespace")


def _no_array(budget: limits.Budget, *_: object) -> None:
    del budget
    raise refusal.refused("a call of numpy.ndarray")


def _tensor(
    budget: limits.Budget,
    storage: object,
    offset: object,
    shape: object,
    strides: object,
    *_: object,
) -> tensors.Tensor:
    del budget
    return tensors.view(_storage(storage), offset, shape, strides)


def _typed_tensor(
    budget: limits.Budget,
    storage: object,
    offset: object,
    shape: object,
    strides: object,
    requires_grad: object,
    hooks: object,
    dtype: object,
    *_: object,
) -> tensors.Tensor:
    del budget, requires_grad, hooks
    if not isinstance(dtype, Dtype):
        raise refusal.refused(f"a tensor of {refusal.shown(dtype)}")
    return tensors.view(_storage(storage), offset, shape, strides, dtype=dtype.dtype)


def _storage(value: object) -> tensors.Storage:
    if not isinstance(value, tensors.Storage):
        raise refusal.refused(f"a tensor in {refusal.shown(value)}")
    return value


def _parameter(budget: limits.Budget, data: object, *_: object) -> tensors.Tensor:
    del budget
    if not isinstance(data, tensors.Tensor):
        raise refusal.refused(f"a parameter of {refusal.shown(data)}")
    return data


def _same_list(budget: limits.Budget, items: object, *_: object) -> list:
    """TorchScript's lists of one type."""
    del budget
    if not isinstance(items, list):
        raise refusal.refused(f"a list of {refusal.shown(items)}")
    return items


def _size(budget: limits.Budget, items: object = (), /) -> tuple[int, ...]:
    del budget
    return tensors.sizes(items)


def _device(budget: limits.Budget, *parts: object) -> str:
    del budget
    return ":".join(refusal.shown(part) for part in parts[:2])


def _untagged(budget: limits.Budget, value: object, *_: object) -> object:
    del budget
    return value


_CALLS: dict[str, Callable[..., object]] = {
    "collections.OrderedDict": _ordered,
    "dnnlib.util.EasyDict": _ordered,
    "builtins.set": _set,
    "__builtin__.set": _set,
    "builtins.bytes": _no_bytes,
    "__builtin__.bytes": _no_bytes,
    "_codecs.encode": _encoded,
    "argparse.Namespace": _namespace,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.nn.parameter.Parameter": _parameter,
    "torch.Size": _size,
    "torch.device": _device,
    "torch.jit._pickle.build_intlist": _same_list,
    "torch.jit._pickle.build_doublelist": _same_list,
    "torch.jit._pickle.build_boollist": _same_list,
    "torch.jit._pickle.build_tensorlist": _same_list,
    "torch.jit._pickle.restore_type_tag": _untagged,
    "torch_utils.persistence._reconstruct_persistent_obj": _persistent_module,
    "numpy.dtype": _numpy_type,
    "numpy.ndarray": _no_array,
    "numpy.core.multiarray._reconstruct": _empty_array,
    "numpy._core.multiarray._reconstruct": _empty_array,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy.core.numeric._frombuffer": _array_from_buffer,
    "numpy._core.numeric._frombuffer": _array_from_buffer,
}
