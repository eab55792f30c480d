"""Any file of weights -> an inert tree: the kind is told by how the file begins, not by its name.

Read are PyTorch's zip, TorchScript, legacy and tar files, plain pickles (of NumPy arrays, or of
StyleGAN2-ADA), .npz, safetensors and TensorFlow's frozen graphs. No code of the file is executed
and neither PyTorch nor TensorFlow is needed. The file is mapped, not loaded: arrays are views.
"""

from __future__ import annotations

import mmap
import os
import pathlib

from emojax.experts.checkpoint import (
    archives,
    graphs,
    limits,
    npy,
    pickles,
    refusal,
    safetensors,
    standins,
    tensors,
    torch_files,
)

_PICKLE_STARTS = (b"\x80", b"(", b"}", b"]", b"c")  # protocol 2 and later; 0 and 1
_GRAPH_SUFFIX = ".pb"  # protocol buffers have no beginning of their own


def read(path: str | os.PathLike) -> tensors.Contents:
    """Reads a file of weights.

    Args:
      path: of the file; it must not change while the contents are in use.

    Raises:
      CheckpointError: the file is absent, damaged, of no known kind, or asks for more than data.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise refusal.CheckpointError(
            expected="a file of weights",
            got=f"{path}, " + ("no file" if path.exists() else "which is not there"),
            fix="Name the file that was downloaded.",
        )
    try:
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise refusal.damaged(f"{path}, which is empty")
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise refusal.CheckpointError(
            expected="a file of weights that may be read",
            got=f"{path}: {error.strerror}",
            fix="Give yourself the right to read it.",
        ) from error
    return parse(data, is_graph=path.suffix == _GRAPH_SUFFIX)


def parse(data: bytes, *, is_graph: bool = False) -> tensors.Contents:
    """Reads the bytes of a file of weights.

    Args:
      data: bytes or a memory map.
      is_graph: take it for TensorFlow's graph, which cannot be told by its beginning.

    Raises:
      CheckpointError: as `read`.
    """
    budget = limits.Budget(len(data))
    if is_graph:
        return graphs.read(data, budget)
    if data[:4] == archives.ZIP_MAGIC:
        archive = archives.Zip(data, budget)
        if any(name.endswith("/data.pkl") for name in archive):
            return torch_files.read_zip(archive, budget)
        if all(name.endswith(npy.SUFFIX) for name in archive):
            return npy.read(archive, budget)
        raise refusal.CheckpointError(
            expected="an archive of PyTorch (data.pkl) or NumPy (.npy)",
            got=f"a zip archive of {refusal.listed(archive)}",
            fix="Unpack it and name the file of weights in it.",
        )
    if archives.is_tar(data):
        return torch_files.read_tar(archives.tar_members(data, budget), budget)
    if safetensors.is_safetensors(data):
        return safetensors.parse(data, budget)[0]
    if torch_files.is_legacy(data):
        return torch_files.read_legacy(data, budget)
    if data[:1] in _PICKLE_STARTS:
        return _read_pickle(data, budget)
    raise refusal.CheckpointError(
        expected="a file of PyTorch, NumPy, safetensors or TensorFlow (.pb)",
        got=f"a file that begins with {refusal.shown(bytes(data[:12]))}",
        fix="Look whether the download is a web page, or packed.",
    )


def _read_pickle(data: bytes, budget: limits.Budget) -> tensors.Contents:
    def nested(inner: bytes) -> object:
        return torch_files.nested_storage(inner, budget)

    names = standins.Table(budget, storage=nested).find
    tree, _ = pickles.load(data, 0, names=names, budget=budget)
    return tensors.Contents("pickle", tree)
