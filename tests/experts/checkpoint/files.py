"""Small files of every kind that is read, made without PyTorch and TensorFlow."""

import io
import pickle
import struct
import zipfile

import numpy as np

ARRAYS = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "bias": np.array([0.5, -1.0], np.float32),
}


def repacked(data, replace=(), *, method=zipfile.ZIP_STORED):
    """A zip archive with some entries' bytes replaced (name's end -> bytes) or added."""
    replace, out = dict(replace), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", method) as new:
        for name in old.namelist():
            end = next((end for end in replace if name.endswith(end)), None)
            new.writestr(name, old.read(name) if end is None else replace.pop(end))
        for name, content in replace.items():
            new.writestr(name, content)
    return out.getvalue()


def archive(entries, *, method=zipfile.ZIP_STORED):
    """A zip archive; entries are (name, bytes)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, content in entries:
            file.writestr(name, content)
    return out.getvalue()


def npz(arrays=ARRAYS):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def numpy_pickle(protocol=2):
    """As VGGFace2's weights came out of another framework."""
    return pickle.dumps(ARRAYS, protocol)


def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """A field of a protocol buffer: a number, or a part."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor_proto(kind, shape, **fields):
    """A TensorProto; fields are `content`, or `number, value` of one that lists numbers."""
    sizes = b"".join(field(2, field(1, size)) for size in shape)
    out = field(1, kind) + field(2, sizes)
    if "content" in fields:
        out += field(4, fields["content"])
    for number, value in fields.get("listed", ()):
        out += struct.pack("<Bf", number << 3 | 5, value) if number == 5 else field(number, value)
    return out


def node(name, operation, tensor=None):
    out = field(1, name.encode()) + field(2, operation.encode())
    if tensor is not None:
        value = field(1, b"value") + field(2, field(8, tensor))
        out += field(5, field(1, b"dtype") + field(2, field(6, 1))) + field(5, value)
    return field(1, out)


def graph(arrays=ARRAYS):
    """A frozen graph with float32 constants, and nodes between them."""
    out = node("input_node", "Placeholder")
    for name, array in arrays.items():
        out += node(name, "Const", tensor_proto(1, array.shape, content=array.tobytes()))
        out += node(f"{name}/read", "Identity")
    return out + node("words", "Const", tensor_proto(7, (1,), listed=[(8, b"text")]))


def persistent_module(fields, *, kind="Generator"):
    """StyleGAN2-ADA's pickle of a network with source code that must not run."""
    return _Raw(
        {
            "type": "class",
            "version": 6,
            "module_src": "raise SystemExit('the source code ran')",
            "class_name": kind,
            "state": fields,
        }
    )


class _Raw:
    """Pickled as a call of torch_utils.persistence, which is not installed."""

    def __init__(self, meta):
        self.meta = meta


class _Pickler(pickle._Pickler):
    """Writes `_Raw`, and arrays as PyTorch's tensors with their storages inside."""

    def __init__(self, file, storage):
        super().__init__(file, 3)
        self.storage = storage

    def save(self, value, *args, **options):
        if isinstance(value, _Raw):
            self.write(b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n")
            super().save((value.meta,))
            self.write(b"R")
        elif isinstance(value, np.ndarray):
            self.write(b"ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_bytes\n")
            super().save((self.storage(value),))
            self.write(b"R")
            strides = tuple(stride // 4 for stride in value.strides)
            for part in (0, value.shape, strides, False, {}):
                super().save(part)
            self.write(b"tR")
        else:
            super().save(value, *args, **options)


def stylegan_pickle(value, *, storage):
    """A pickle with `persistent_module`s and arrays; storage: array -> a whole PyTorch file."""
    out = io.BytesIO()
    _Pickler(out, storage).dump(value)
    return out.getvalue()


def legacy_storage(array):
    """A legacy PyTorch file whose value is one storage, float32."""

    def put(*values):
        return b"".join(pickle.dumps(value, 2) for value in values)

    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    head = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19." + put(1001, system)
    identity = (
        b"\x80\x02(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuJ"
        + struct.pack("<i", array.size)
        + b"NtQ."
    )
    return head + identity + put(["0"]) + struct.pack("<q", array.size) + array.tobytes()
