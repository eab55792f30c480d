"""Clouds as .ply files that standard 3DGS viewers show right.

The file (3DGS, Kerbl et al. 2023, its code's `save_ply`): binary little-endian, one `vertex`
element, all properties float32, in this order: x y z, nx ny nz, f_dc_0..2, f_rest_0.., opacity,
scale_0..2, rot_0..3. Metres, world frame; `f_rest` has all coefficients of R, then of G, then of B;
`opacity` is a logit, `scale_*` the natural *logarithm* of metres whatever the internal activation
(TalkingGaussian's own files hold its raw softplus parameters, which viewers draw wrong), `rot_*` is
(w, x, y, z), not normalised. Only living Gaussians are written, in slot order.

Round trips: save -> load -> save gives the same bytes, for both activations (normals apart, which
the reader drops). With "exp" every number is copied. With "softplus" the reader picks a float32 raw
scale whose logarithm of metres is the stored float32; it need not be the very raw scale that was
saved, as several share one logarithm. It exists for whatever this module wrote, and for any scale
below half a metre; in files of other origin larger scales may have none, and then the nearest is
taken, off by less than 1e-7 relative.

The reader takes properties in any order and of any number type, further properties and elements,
ascii, both byte orders, comments and CRLF headers. It never allocates by a header's word: a count
is compared with the size of the file first.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import uuid
from typing import BinaryIO, NamedTuple

import jax.numpy as jnp
import numpy as np

from emojax.gaussians import activations, density, harmonics
from emojax.types import Gaussians, ScaleActivation

_MAX_HEADER_BYTES = 2**16
_BYTE_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": "="}
# Names in a header -> numpy type codes.
_NUMBER_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
# Below it log(softplus(s)) = s to float64 precision, and exp(s) need not be formed.
_LINEAR_BELOW = -40.0
# Metres beyond it have no float32.
_MAX_LOG_SCALE = 88.0

_DAMAGED = "the file is damaged, or no .ply; export it again"

_Path = str | os.PathLike[str]


class _Element(NamedTuple):
    """One element of a header: `properties` maps names to numpy type codes, None for a list."""

    name: str
    count: int
    properties: dict[str, str | None]


def save(
    path: _Path,
    gaussians: Gaussians,
    *,
    normals: np.ndarray | None = None,
    comment: str = "",
    overwrite: bool = False,
) -> None:
    """Writes the living Gaussians; the file appears complete or not at all.

    Args:
      path: of the file, in an existing folder.
      gaussians: one cloud, no leading dimensions, in the world frame (deform it first).
      normals: [N, 3] written to nx ny nz; zeros when None.
      comment: a line for the header, ASCII; viewers pass over it.
      overwrite: replace a file that exists.

    Raises:
      FileExistsError: the file exists and `overwrite` is false.
      FileNotFoundError: the folder does not exist.
      ValueError: nothing is alive, the cloud has leading dimensions, `normals` has another shape,
        the comment is no line of ASCII, or a value has no meaning to a viewer: NaN or infinite, a
        quaternion of length 0, a scale beyond the range of float32.
    """
    path = pathlib.Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path}: exists already; pass overwrite=True or another path")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}; create it first")
    if not (comment.isascii() and comment.isprintable()):
        raise _error(path, "a comment of one line, ASCII", repr(comment), "write it so")
    fields = _encode(path, gaussians, normals)
    _check_values(path, fields)
    rows = np.concatenate(list(fields.values()), axis=1)
    layout = _layout(harmonics.degree_of(gaussians.harmonics))
    names = [name for group in layout.values() for name in group]
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += [f"comment {comment}"] if comment else []
    lines += [f"element vertex {len(rows)}"]
    lines += [f"property float {name}" for name in names] + ["end_header", ""]
    _write_atomically(path, "\n".join(lines).encode() + rows.astype("<f4").tobytes())


def load(
    path: _Path,
    *,
    capacity: int | None = None,
    scale_activation: ScaleActivation = "softplus",
) -> Gaussians:
    """Reads a 3DGS .ply; the degree of the harmonics is the file's.

    Args:
      path: of the file.
      capacity: number of slots, at least the number of Gaussians in the file; just that when None.
      scale_activation: of the cloud; the file does not record one.

    Returns:
      Gaussians, float32; those of the file are in the lowest slots, in order.

    Raises:
      ValueError: the file is damaged, is not a 3DGS .ply, holds values that `save` would refuse,
        or has more Gaussians than `capacity`.
    """
    path = pathlib.Path(path)
    activations.check_activation(scale_activation)
    columns = _read_columns(path)
    fields = _group(path, columns)
    _check_values(path, fields)
    count = len(fields["means"])
    if capacity is not None and capacity < count:
        raise _error(path, f"capacity of {count} or more", str(capacity), "pass a larger one")
    cloud = _decode(fields, scale_activation)
    return cloud if capacity is None else density.grow(cloud, capacity=capacity)[0]


def _layout(degree: int) -> dict[str, list[str]]:
    """Returns the property names, in the order of the file, grouped by field."""
    num_rest = 3 * (harmonics.num_coefficients(degree) - 1)
    return {
        "means": ["x", "y", "z"],
        "normals": ["nx", "ny", "nz"],
        "constant harmonics": [f"f_dc_{i}" for i in range(3)],
        "higher harmonics": [f"f_rest_{i}" for i in range(num_rest)],
        "opacities": ["opacity"],
        "scales": [f"scale_{i}" for i in range(3)],
        "quaternions": [f"rot_{i}" for i in range(4)],
    }


def _group(path: pathlib.Path, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the columns of a file as float32 fields [n, width], without normals."""
    layout = _layout(_degree(path, columns))
    del layout["normals"]
    missing = [name for group in layout.values() for name in group if name not in columns]
    if missing:
        raise _error(
            path,
            "the properties of a 3DGS cloud",
            f"none named {', '.join(missing)} among {', '.join(columns) or 'none at all'}",
            "export it uncompressed, as a 3DGS .ply",
        )
    count = len(columns["x"])
    return {
        field: np.array([_to_float32(columns[name]) for name in group]).reshape(-1, count).T
        for field, group in layout.items()
    }


def _encode(
    path: pathlib.Path, gaussians: Gaussians, normals: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Returns the living Gaussians as float32 columns, grouped as in `_layout`."""
    if gaussians.means.ndim != 2:
        raise _error(path, "one cloud, means [N, 3]", f"{gaussians.means.shape}", "save one by one")
    if normals is None:
        normals = np.zeros((gaussians.capacity, 3))
    if np.shape(normals) != (gaussians.capacity, 3):
        raise _error(
            path, f"normals [{gaussians.capacity}, 3]", f"{np.shape(normals)}", "give one per slot"
        )
    alive = np.asarray(gaussians.alive, bool)
    if not alive.any():
        raise _error(path, "a living Gaussian", "none", "there is nothing to look at")
    coefficients = np.asarray(gaussians.harmonics)[alive]
    fields = {
        "means": np.asarray(gaussians.means)[alive],
        "normals": np.asarray(normals)[alive],
        "constant harmonics": coefficients[:, 0],
        # [n, K - 1, 3] -> all coefficients of R, then of G, then of B.
        "higher harmonics": coefficients[:, 1:].transpose(0, 2, 1).reshape(alive.sum(), -1),
        "opacities": np.asarray(gaussians.opacities)[alive, None],
        "scales": _log_scales(np.asarray(gaussians.scales)[alive], gaussians.scale_activation),
        "quaternions": np.asarray(gaussians.quaternions)[alive],
    }
    return {name: _to_float32(values) for name, values in fields.items()}


def _decode(fields: dict[str, np.ndarray], scale_activation: ScaleActivation) -> Gaussians:
    """Returns Gaussians, all alive, of the columns of a file."""
    count = len(fields["means"])
    rest = fields["higher harmonics"].reshape(count, 3, -1).transpose(0, 2, 1)
    coefficients = np.concatenate([fields["constant harmonics"][:, None], rest], axis=1)
    return Gaussians(
        means=jnp.asarray(fields["means"]),
        quaternions=jnp.asarray(fields["quaternions"]),
        scales=jnp.asarray(_raw_scales(fields["scales"], scale_activation)),
        opacities=jnp.asarray(fields["opacities"][:, 0]),
        harmonics=jnp.asarray(coefficients),
        alive=jnp.ones(count, bool),
        scale_activation=scale_activation,
    )


def _log_scales(raw: np.ndarray, activation: ScaleActivation) -> np.ndarray:
    """Returns float32 log(activation(raw))."""
    if activation == "exp":
        return _to_float32(raw)
    raw = raw.astype(np.float64)
    # NaN and infinity pass through, to be refused by name.
    with np.errstate(invalid="ignore"):
        softplus = np.logaddexp(0, np.maximum(raw, _LINEAR_BELOW))
    return _to_float32(np.where(raw < _LINEAR_BELOW, raw, np.log(softplus)))


def _raw_scales(log_scales: np.ndarray, activation: ScaleActivation) -> np.ndarray:
    """Returns float32 s with `_log_scales(s) == log_scales` bit for bit, or nearest to that."""
    if activation == "exp":
        return log_scales
    metres = np.exp(np.maximum(log_scales, _LINEAR_BELOW).astype(np.float64))
    inverse = metres + np.log(-np.expm1(-metres))
    # All s whose logarithm rounds to the stored one lie around the inverse. The float32 nearest to
    # it is one of them if any is: tried for every s from 1/16 to 8, where they are sparse.
    return _to_float32(np.where(log_scales < _LINEAR_BELOW, log_scales, inverse))


def _check_values(path: pathlib.Path, fields: dict[str, np.ndarray]) -> None:
    """Raises ValueError if any value has no meaning to a viewer."""
    for name, values in fields.items():
        bad = np.sum(~np.isfinite(values).all(axis=1))
        if bad:
            raise _error(
                path,
                f"finite {name}",
                f"NaN or infinite float32 in {bad} of {len(values)} Gaussians",
                "remove them first (`density.prune` does)",
            )
    count = len(fields["means"])
    huge = np.sum((fields["scales"] > _MAX_LOG_SCALE).any(axis=1))
    if huge:
        limit = f"scales up to e^{_MAX_LOG_SCALE:.0f} metres"
        raise _error(path, limit, f"more in {huge} of {count} Gaussians", "remove them first")
    zero = np.sum(~fields["quaternions"].any(axis=1))
    if zero:
        got = f"length 0 in {zero} of {count} Gaussians"
        raise _error(path, "quaternions of non-zero length", got, "set them to (1, 0, 0, 0)")


def _write_atomically(path: pathlib.Path, content: bytes) -> None:
    """Writes a file so that a reader, or a crash, sees all of it or nothing."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise


def _read_columns(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the properties of the vertices by name, each [n] of the file's number type."""
    with open(path, "rb") as file:
        byte_order, elements = _read_header(path, file)
        before, vertex, is_last = _find_vertex(path, elements)
        if byte_order == "=":
            return _read_ascii(path, file, before, vertex, is_last)
        return _read_binary(path, file, byte_order, before, vertex, is_last)


def _find_vertex(
    path: pathlib.Path, elements: list[_Element]
) -> tuple[list[_Element], _Element, bool]:
    """Returns the elements before the vertices, the vertices, and whether nothing follows them."""
    names = [element.name for element in elements]
    if "vertex" not in names:
        raise _error(path, "an element `vertex`", f"elements {names}", "export a 3DGS .ply")
    index = names.index("vertex")
    before, vertex = elements[:index], elements[index]
    lists = [
        f"{element.name}.{name}"
        for element in (*before, vertex)
        for name, code in element.properties.items()
        if code is None
    ]
    if lists:
        got = f"list properties {', '.join(lists)}"
        raise _error(path, "numbers only up to the vertices", got, "export a 3DGS .ply")
    if vertex.count == 0:
        raise _error(path, "at least one vertex", "0", "the cloud is empty; export it again")
    return before, vertex, index + 1 == len(elements)


def _read_binary(
    path: pathlib.Path,
    file: BinaryIO,
    byte_order: str,
    before: list[_Element],
    vertex: _Element,
    is_last: bool,
) -> dict[str, np.ndarray]:
    """Reads the columns of binary vertices, once the size of the file has been found right."""
    skipped = sum(e.count * _record(e, byte_order).itemsize for e in before)
    record = _record(vertex, byte_order)
    size = vertex.count * record.itemsize
    available = os.fstat(file.fileno()).st_size - file.tell()
    what = f"bytes of data for {vertex.count} vertices"
    _check_size(path, skipped + size, available, is_last, what)
    file.seek(skipped, os.SEEK_CUR)
    table = np.frombuffer(file.read(size), record)
    return {name: table[name] for name in vertex.properties}


def _read_ascii(
    path: pathlib.Path,
    file: BinaryIO,
    before: list[_Element],
    vertex: _Element,
    is_last: bool,
) -> dict[str, np.ndarray]:
    """Reads the columns of ascii vertices, one per line, blank lines aside."""
    lines = [line for line in file.read().splitlines() if line.strip()]
    skipped = sum(element.count for element in before)
    needed = skipped + vertex.count
    _check_size(path, needed, len(lines), is_last, f"lines of data for {vertex.count} vertices")
    rows = [line.split() for line in lines[skipped:needed]]
    width = len(vertex.properties)
    wrong = sum(len(row) != width for row in rows)
    if wrong:
        got = f"another number in {wrong} of {len(rows)}"
        raise _error(path, f"{width} numbers in each vertex line", got, _DAMAGED)
    try:
        table = np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise _error(path, "numbers in the vertex lines", str(error), _DAMAGED) from error
    return dict(zip(vertex.properties, table.T, strict=True))


def _check_size(path: pathlib.Path, needed: int, available: int, is_last: bool, what: str) -> None:
    """Raises ValueError if the data does not have the size that the header announces."""
    if available < needed or (is_last and available > needed):
        raise _error(
            path,
            f"{needed} {what}",
            f"{available}",
            "the file was cut or changed in transfer; copy or export it again",
        )


def _record(element: _Element, byte_order: str) -> np.dtype:
    """Returns the structured dtype of one row of a binary element."""
    return np.dtype([(name, byte_order + code) for name, code in element.properties.items()])


def _read_header(path: pathlib.Path, file: BinaryIO) -> tuple[str, list[_Element]]:
    """Returns the byte order, "=" for ascii, and the elements; the file is then at its data."""
    byte_order, elements = None, []
    for line in _header_lines(path, file):
        match line.split():
            case [] | ["comment" | "obj_info", *_]:
                continue
            case ["format", kind, _] if kind in _BYTE_ORDERS and byte_order is None:
                byte_order = _BYTE_ORDERS[kind]
            case ["element", name, count] if re.fullmatch("[0-9]{1,18}", count):
                elements.append(_Element(name, int(count), {}))
            case ["property", *kinds, name] if elements and name not in elements[-1].properties:
                elements[-1].properties[name] = _number_type(path, kinds)
            case _:
                raise _error(path, "header lines of a .ply, each once", repr(line[:80]), _DAMAGED)
    if byte_order is None:
        raise _error(path, f"a format line ({', '.join(_BYTE_ORDERS)})", "none", _DAMAGED)
    return byte_order, elements


def _number_type(path: pathlib.Path, kinds: list[str]) -> str | None:
    """Returns the numpy type code of a property, None for a list."""
    if kinds[:1] == ["list"]:
        return None
    if len(kinds) != 1 or kinds[0] not in _NUMBER_TYPES:
        got = repr(" ".join(kinds)[:80])
        raise _error(path, f"a property type ({', '.join(_NUMBER_TYPES)})", got, _DAMAGED)
    return _NUMBER_TYPES[kinds[0]]


def _header_lines(path: pathlib.Path, file: BinaryIO) -> list[str]:
    """Returns the lines between `ply` and `end_header`, of a header of bounded length."""
    magic = file.readline(8).rstrip(b"\r\n")
    if magic != b"ply":
        raise _error(path, "a file that begins with 'ply'", repr(magic), "is it a .ply file?")
    lines = []
    while file.tell() < _MAX_HEADER_BYTES:
        line = file.readline(_MAX_HEADER_BYTES)
        if not line:
            break
        lines.append(line.decode("utf-8", errors="replace").strip())
        if lines[-1] == "end_header":
            return lines[:-1]
    limit = f"`end_header` within {_MAX_HEADER_BYTES} bytes"
    raise _error(path, limit, f"{len(lines)} lines without it", _DAMAGED)


def _degree(path: pathlib.Path, columns: dict[str, np.ndarray]) -> int:
    """Returns the degree of harmonics that the f_rest_* properties make up."""
    num_rest = sum(re.fullmatch("f_rest_[0-9]+", name) is not None for name in columns)
    for degree in range(harmonics.MAX_DEGREE + 1):
        if num_rest == 3 * (harmonics.num_coefficients(degree) - 1):
            return degree
    raise _error(path, "0, 9, 24 or 45 f_rest_* properties", f"{num_rest}", "export it again")


def _to_float32(values: np.ndarray) -> np.ndarray:
    """Returns float32; what overflows becomes infinite, to be refused by name."""
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(np.float32)


def _error(path: pathlib.Path, expected: str, got: str, fix: str) -> ValueError:
    """Returns the error of one file: what was expected, what was found, what to do."""
    return ValueError(f"{path}: expected {expected}, got {got}; {fix}")
