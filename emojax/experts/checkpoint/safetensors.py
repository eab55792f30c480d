"""Safetensors files, read and written: a length, a header in JSON, numbers in a row.

The format is Hugging Face's: 8 bytes of length (little-endian), a header {name: {"dtype", "shape",
"data_offsets"}} with text under "__metadata__", then the arrays' bytes without gaps, in C order.
bfloat16 is read as float32.
"""

from __future__ import annotations

import json
import os
import pathlib
import secrets
from collections.abc import Mapping

import numpy as np

from emojax.experts.checkpoint import limits, refusal, tensors

METADATA = "__metadata__"
MAX_HEADER = 4 << 20  # bytes; a thousand arrays take 150,000
_ALIGNMENT = 8
_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}
_CODES = {tensors.DTYPES[name]: code for code, name in _DTYPES.items() if tensors.DTYPES[name]}


def is_safetensors(data: bytes) -> bool:
    """Returns whether a file begins as a safetensors file.

    Args:
      data: of the file.
    """
    return len(data) > 9 and int.from_bytes(data[:8], "little") < len(data) and data[8:9] == b"{"


def parse(data: bytes, budget: limits.Budget) -> tuple[tensors.Contents, dict[str, str]]:
    """Returns the arrays and the metadata of a file.

    Args:
      data: of the file.
      budget: is spent.

    Raises:
      CheckpointError: the file is damaged.
    """
    size = int.from_bytes(data[:8], "little")
    if not is_safetensors(data) or size > MAX_HEADER:
        raise refusal.damaged("a safetensors file with a broken beginning")
    try:
        header = json.loads(bytes(data[8 : 8 + size]).decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        if isinstance(error, refusal.CheckpointError):
            raise
        raise refusal.damaged("a safetensors file with a broken header") from None
    budget.spend(len(header))
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise refusal.damaged("a safetensors file with metadata that is no text")
    numbers = memoryview(data)[8 + size :]
    arrays = {name: _array(name, entry, numbers) for name, entry in header.items()}
    if sum(end - start for _, start, end in arrays.values()) != len(numbers):
        raise refusal.damaged("a safetensors file with gaps, or cut off")
    return tensors.Contents(
        "safetensors", {name: array for name, (array, _, _) in arrays.items()}
    ), metadata


def _unique(pairs: list) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise refusal.refused("two entries of one name")
    return found


def _array(name: str, entry: object, numbers: memoryview) -> tuple[tensors.Array, int, int]:
    """An array and the bytes it takes, from and to."""
    shown = refusal.shown(name)
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise refusal.damaged(f"{shown} without type, shape or place")
    kind, place = entry["dtype"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in _DTYPES:
        raise refusal.refused(f"{shown} of the type {refusal.shown(kind)}")
    shape, offsets = tensors.sizes(entry["shape"]), tensors.sizes(place, what="place")
    count = int(np.prod(shape, dtype=object))
    start, end = offsets if len(offsets) == 2 else (0, -1)
    if end - start != count * tensors.item_size(_DTYPES[kind]) or end > len(numbers):
        raise refusal.damaged(f"{shown} of shape {shape} at {list(offsets)}")
    return tensors.Array(tensors.numbers(numbers[start:end], _DTYPES[kind]), shape), start, end


def read(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Returns the arrays and the metadata of a file.

    Args:
      path: of the file.

    Raises:
      CheckpointError: the file is absent or damaged.
    """
    try:
        data = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise refusal.CheckpointError(
            expected="a safetensors file",
            got=f"{os.fspath(path)}: {error.strerror}",
            fix="Make it: experiments/convert.py --network NAME --checkpoint FILE --out DIR.",
        ) from error
    contents, metadata = parse(data, limits.Budget(len(data)))
    return {name: array.array() for name, array in contents.tree.items()}, metadata


def write(
    path: str | os.PathLike, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Writes a file all at once, arrays in the order of their names: equal ones, equal files.

    Args:
      path: its place, replaced if it exists; the folder must exist.
      arrays: by name; of the types of the format.
      metadata: text by name.

    Raises:
      OSError: the place cannot be written to.
    """
    header: dict[str, object] = {METADATA: dict(metadata)}
    parts, position = [], 0
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        kind = array.dtype.newbyteorder("<") if array.dtype.itemsize > 1 else array.dtype
        part = np.ascontiguousarray(array, kind).reshape(array.shape)
        header[name] = {
            "dtype": _CODES[part.dtype],
            "shape": list(part.shape),
            "data_offsets": [position, position + part.nbytes],
        }
        parts.append(part)
        position += part.nbytes
    text = json.dumps(header, ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % _ALIGNMENT)
    path = pathlib.Path(path)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with scratch.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for part in parts:
                file.write(part.tobytes())
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
