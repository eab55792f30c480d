"""Makes the small checkpoints of `data/` with PyTorch, and the arrays that they hold.

    python tests/experts/checkpoint/make_checkpoints.py

Written by PyTorch 2.13.0 (CPU). `values.npz` has what PyTorch itself reads from each file; the test
reads the files without PyTorch and compares bit by bit. The tar container of PyTorch 0.1 can no
longer be written by PyTorch: `tar_bytes` writes it, and PyTorch reads it here.
"""

from __future__ import annotations

import collections
import io
import pathlib
import pickle
import struct
import tarfile
import zipfile
from typing import ClassVar

import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parent / "data"


def tensors():
    """Returns tensors of every type, strided, shared, empty and without axes, by name."""
    import torch

    key = torch.Generator().manual_seed(0)
    base = torch.randn(6, 5, generator=key)
    state = collections.OrderedDict(
        weight=base,
        transposed=base.t(),
        row=base[2],
        every_second=base[::2, 1:4],
        expanded=torch.randn(3, 1, generator=key).expand(3, 4),
        scalar=torch.tensor(1.5),
        empty=torch.zeros(0, 3),
        half=base[:2].half(),
        brain=base[:2].bfloat16(),
        double=base[:2].double() / 3,
        parameter=torch.nn.Parameter(torch.randn(2, 3, generator=key)),
        channels_last=torch.randn(2, 3, 4, 5, generator=key).to(memory_format=torch.channels_last),
        bools=base[0] > 0,
        bytes=torch.arange(5, dtype=torch.uint8) + 250,
    )
    for kind in ("int8", "int16", "int32", "int64"):
        state[kind] = torch.arange(-3, 4, dtype=getattr(torch, kind))
    state["uint16"] = torch.arange(7, dtype=torch.int32).to(torch.uint16)
    return state


def network():
    """Returns a small network with parts of its own, a buffer, a shared weight."""
    import torch

    class Part(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(2, 3, 3, bias=False)
            self.norm = torch.nn.BatchNorm2d(3)

        def forward(self, x):
            return torch.relu(self.norm(self.conv(x)))

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.part = Part()
            self.head = torch.nn.Linear(3, 2)
            self.again = self.head
            self.sizes = [1, 2, 3]
            self.register_buffer("mean", torch.tensor([0.5, 0.25]))

        def forward(self, x):
            return self.head(self.part(x).mean((2, 3))) + self.mean * torch.tensor([3.0, 4.0])

    torch.manual_seed(0)
    return Network().eval()


def tar_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """Returns a file of PyTorch 0.1 with float32 arrays, the first two views of one storage."""
    names = list(arrays)

    def put(*values):
        return b"".join(_old_pickle(value) for value in values)

    storages, tensors, known = put(len(names)), put(len(names)), {}
    for number, name in enumerate(names):
        array = np.ascontiguousarray(arrays[name], np.float32)
        storages += put((number, "cpu", _Name("torch", "FloatStorage")))
        storages += struct.pack("<q", array.size) + array.tobytes()
        strides = [stride // 4 for stride in array.strides]
        tensors += put((100 + number, number, _Name("torch", "FloatTensor")))
        tensors += struct.pack("<ii", array.ndim, 0)
        tensors += struct.pack(f"<{2 * array.ndim}qq", *array.shape, *strides, 0)
        known[name] = _Persistent(str(100 + number))
    storages += put([])
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for member, data in (
            ("sys_info", put({"protocol_version": 1000, "little_endian": True})),
            ("pickle", put(collections.OrderedDict(known))),
            ("tensors", tensors),
            ("storages", storages),
        ):
            info = tarfile.TarInfo(member)
            info.size, info.mtime = len(data), 1.5  # a fraction makes a pax header, as files do
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


class _Name:
    """Written as a GLOBAL."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name


class _Persistent:
    """Written as a persistent id."""

    def __init__(self, identity: str):
        self.identity = identity


class _Pickler(pickle._Pickler):
    """Protocol 2 with names of what is not installed."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def persistent_id(self, value):
        return value.identity if isinstance(value, _Persistent) else None

    def _save_name(self, value):
        self.write(f"c{value.module}\n{value.name}\n".encode())

    dispatch[_Name] = _save_name


def _old_pickle(value: object) -> bytes:
    file = io.BytesIO()
    _Pickler(file, 2).dump(value)
    return file.getvalue()


def slim(path: pathlib.Path) -> None:
    """Leaves out what TorchScript keeps for its tracebacks: source text and places on this disk."""
    out = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            if not info.filename.endswith(".debug_pkl"):
                new.writestr(zipfile.ZipInfo(info.filename), old.read(info), info.compress_type)
    path.write_bytes(out.getvalue())


def main() -> None:
    """Writes the files."""
    import torch

    FOLDER.mkdir(exist_ok=True)
    state = tensors()
    checkpoint = {"state_dict": state, "epoch": 3, "opts": {"name": "größe", "rates": [0.1, 1e-3]}}
    torch.save(checkpoint, FOLDER / "zip.pth")
    # PyTorch cannot read this type again from a legacy file.
    checkpoint["state_dict"] = {k: v for k, v in state.items() if k != "uint16"}
    torch.save(checkpoint, FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.jit.script(network()).save(FOLDER / "script.pt")
    example = torch.zeros(1, 2, 5, 5)
    torch.jit.freeze(torch.jit.script(network())).save(FOLDER / "frozen.pt")
    torch.jit.trace(network(), example).save(FOLDER / "traced.pt")
    for name in ("script", "frozen", "traced"):
        slim(FOLDER / f"{name}.pt")
    old = {"weight": np.arange(6).reshape(2, 3), "bias": np.arange(3) / 3}
    (FOLDER / "tar.pth").write_bytes(tar_bytes(old))
    plain = {"whole": state["weight"], "part": state["row"], "parameter": state["parameter"]}
    (FOLDER / "plain.pkl").write_bytes(pickle.dumps(plain, 3))  # as StyleGAN2-ADA's: files inside
    values = {f"plain/{key}": tensor.detach().numpy() for key, tensor in plain.items()}
    for name in ("zip", "legacy", "tar"):
        loaded = torch.load(FOLDER / f"{name}.pth", weights_only=False)
        for key, tensor in loaded.get("state_dict", loaded).items():
            wide = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
            values[f"{name}/{key}"] = wide.detach().numpy()
    for name in ("script", "traced"):
        for key, tensor in torch.jit.load(FOLDER / f"{name}.pt").state_dict().items():
            values[f"{name}/{key}"] = tensor.numpy()
    np.savez_compressed(FOLDER / "values.npz", **values)


if __name__ == "__main__":
    main()
