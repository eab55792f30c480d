"""TensorFlow's frozen graphs without TensorFlow: the constants of a GraphDef by name.

Protocol buffers are read as far as weights need (field numbers of TensorFlow's `graph.proto`,
`node_def.proto`, `attr_value.proto`, `tensor.proto`, `tensor_shape.proto`): a graph is nodes, and a
node of the operation Const has an attribute `value` with a tensor. Nothing of the graph is
evaluated. Constants of text are left out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from emojax.experts.checkpoint import limits, refusal, tensors

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT = 10  # bytes

_NODE, _NAME, _OPERATION, _ATTRIBUTE = 1, 1, 2, 5
_KEY, _VALUE, _TENSOR = 1, 2, 8
_TYPE, _SHAPE, _RAW = 1, 2, 4
_DIMENSION, _SIZE = 2, 1

# DataType's numbers, and the field in which TensorProto lists few numbers of that type.
_TYPES = {
    1: ("float32", 5),
    2: ("float64", 6),
    3: ("int32", 7),
    4: ("uint8", 7),
    5: ("int16", 7),
    6: ("int8", 7),
    9: ("int64", 10),
    10: ("bool", 11),
    14: ("bfloat16", 13),
    19: ("float16", 13),
}
_TEXT = 7

Field = tuple[int, int, "int | memoryview"]  # number, wire type, value


def read(data: tensors.Buffer, budget: limits.Budget) -> tensors.Contents:
    """Reads a frozen graph.

    Args:
      data: of the file.
      budget: is spent.

    Raises:
      CheckpointError: the file is no graph, or damaged.
    """
    constants: dict[str, tensors.Array] = {}
    for number, kind, node in _fields(memoryview(data), budget):
        if number != _NODE:
            continue
        name, operation, attributes = "", b"", []
        for inner, form, value in _fields(_part(node, kind), budget):
            if inner == _NAME:
                name = _text(_part(value, form))
            elif inner == _OPERATION:
                operation = bytes(_part(value, form)[:16])
            elif inner == _ATTRIBUTE:
                attributes.append(_part(value, form))
        if operation != b"Const":
            continue
        array = _constant(name, attributes, budget)
        if name in constants:
            raise refusal.refused(f"two constants of the name {refusal.shown(name)}")
        if array is not None:
            constants[name] = array
    if not constants:
        raise refusal.damaged("a TensorFlow graph without constants")
    return tensors.Contents("TensorFlow graph", constants, is_graph=True)


def _constant(
    name: str, attributes: list[memoryview], budget: limits.Budget
) -> tensors.Array | None:
    for attribute in attributes:
        key, value = b"", memoryview(b"")
        for number, kind, part in _fields(attribute, budget):
            if number == _KEY:
                key = bytes(_part(part, kind)[:16])
            elif number == _VALUE:
                value = _part(part, kind)
        if key == b"value":
            for number, kind, part in _fields(value, budget):
                if number == _TENSOR:
                    return _tensor(name, _part(part, kind), budget)
    raise refusal.damaged(f"the constant {refusal.shown(name)} without its value")


def _tensor(name: str, data: memoryview, budget: limits.Budget) -> tensors.Array | None:
    fields = list(_fields(data, budget))
    kind = next((value for number, _, value in fields if number == _TYPE), 0)
    if kind == _TEXT:
        return None
    if kind not in _TYPES:
        raise refusal.refused(f"the constant {refusal.shown(name)} of the type {kind}")
    dtype, listed = _TYPES[kind]
    shape = []
    for number, form, value in fields:
        if number == _SHAPE:
            for inner, inner_form, dimension in _fields(_part(value, form), budget):
                if inner == _DIMENSION:
                    sizes = list(_fields(_part(dimension, inner_form), budget))
                    shape.append(next((size for n, _, size in sizes if n == _SIZE), 0))
    shape = tensors.sizes(shape)
    raw = [_part(value, form) for number, form, value in fields if number == _RAW]
    if raw and len(raw[-1]):
        count = len(raw[-1]) // tensors.item_size(dtype)
        whole = raw[-1][: count * tensors.item_size(dtype)]
        numbers = tensors.numbers(whole, dtype)
    else:
        numbers = _listed([f for f in fields if f[0] == listed], dtype, budget)
    total = int(np.prod(shape, dtype=object))
    if len(numbers) == total or len(numbers) == 1:
        return tensors.Array(numbers, shape)
    if not len(numbers) and total:
        return tensors.Array(np.zeros(1, numbers.dtype), shape)  # TensorFlow leaves zeros out
    if 0 < len(numbers) < total:  # the last one stands for all that follow
        budget.spend(1, copied=total * numbers.itemsize)
        rest = np.full(total - len(numbers), numbers[-1])
        return tensors.Array(np.concatenate([numbers, rest]), shape)
    raise refusal.damaged(f"{refusal.shown(name)}: {len(numbers):,} numbers of shape {shape}")


def _listed(fields: list[Field], dtype: str, budget: limits.Budget) -> np.ndarray:
    """Numbers given one by one, or packed."""
    if dtype in ("float32", "float64"):
        width = tensors.item_size(dtype)
        parts = [bytes(v) if f != _VARINT else b"" for _, f, v in fields]
        data = b"".join(parts)
        return tensors.numbers(data[: len(data) // width * width], dtype)
    values: list[int] = []
    for _, form, value in fields:
        if form == _VARINT:
            values.append(value)
        elif form == _BYTES:
            position = 0
            while position < len(value):
                budget.spend(1)
                number, position = _varint(value, position)
                values.append(number)
    width = tensors.item_size(dtype)
    mask = (1 << 8 * width) - 1
    data = b"".join((value & mask).to_bytes(width, "little") for value in values)
    return tensors.numbers(data, dtype)


def _part(value: int | memoryview, kind: int) -> memoryview:
    if kind != _BYTES:
        raise refusal.damaged("a TensorFlow graph with a number where a part should be")
    return value


def _text(data: memoryview) -> str:
    try:
        return bytes(data).decode("utf-8")
    except UnicodeDecodeError:
        raise refusal.damaged("a TensorFlow graph with a name that is no text") from None


def _fields(data: memoryview, budget: limits.Budget) -> Iterator[Field]:
    """The fields of one message; numbers as they are, the rest as views."""
    position = 0
    while position < len(data):
        budget.spend(1)
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield number, kind, value
            continue
        if kind == _BYTES:
            size, position = _varint(data, position)
        elif kind in (_FIXED64, _FIXED32):
            size = struct.calcsize("<q" if kind == _FIXED64 else "<i")
        else:
            raise refusal.damaged(f"a protocol buffer with the wire type {kind}")
        value = data[position : position + size]
        if len(value) < size:
            raise refusal.damaged("a TensorFlow graph that ends early")
        position += size
        yield number, kind, value


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[position : position + _MAX_VARINT]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, position + index + 1
    raise refusal.damaged("a TensorFlow graph with a broken number")
