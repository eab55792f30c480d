"""Safetensors: what is written is read, equal contents make equal files, broken ones end."""

import json

import numpy as np
import pytest

from emojax.experts.checkpoint import limits, safetensors
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts.checkpoint import files


def packed(header, numbers=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


def parse(data):
    return safetensors.parse(data, limits.Budget(len(data)))


def one(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"a": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


@pytest.mark.parametrize(
    "kind", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]
)
def test_every_type_comes_back(tmp_path, kind):
    arrays = {"b": np.arange(6).reshape(2, 3).T.astype(kind), "a": np.ones((), kind)}
    arrays["none"] = np.zeros((0, 2), kind)
    safetensors.write(tmp_path / "x.safetensors", arrays, {"licence": "größe"})
    found, metadata = safetensors.read(tmp_path / "x.safetensors")
    assert metadata == {"licence": "größe"}
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


def test_equal_contents_make_equal_files(tmp_path):
    one, two = tmp_path / "1", tmp_path / "2"
    safetensors.write(one, files.ARRAYS, {"a": "b"})
    safetensors.write(two, dict(reversed(files.ARRAYS.items())), {"a": "b"})
    assert one.read_bytes() == two.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


def test_a_big_endian_array_is_turned(tmp_path):
    safetensors.write(tmp_path / "x", {"a": np.arange(3, dtype=">f4")}, {})
    np.testing.assert_array_equal(safetensors.read(tmp_path / "x")[0]["a"], [0, 1, 2])


def test_bfloat16_becomes_float32():
    numbers = (np.float32([1, -2]).view(np.uint32) >> 16).astype("<u2").tobytes()
    contents, _ = parse(packed(one("BF16", offsets=(0, 4)), numbers))
    np.testing.assert_array_equal(contents.tree["a"].array(), [1, -2])


def test_the_library_reads_what_is_written(tmp_path):
    library = pytest.importorskip("safetensors.numpy", reason="needs safetensors")
    safetensors.write(tmp_path / "x.safetensors", files.ARRAYS, {"a": "b"})
    for name, array in library.load_file(tmp_path / "x.safetensors").items():
        np.testing.assert_array_equal(array, files.ARRAYS[name])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8 + b"{}",
        (1 << 40).to_bytes(8, "little") + b"{}" + b"\0" * 9,
        packed(b"{" * 100_000),
        packed(b"{" + b'"a":{' * 50_000 + b"x"),
        packed(b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
        packed(b"[]"),
        packed(b"{\xff}"),
        packed(b'{"a": 1}'),
        packed(one(), b"\0" * 7),
        packed(one(), b"\0" * 9),
        packed(one("F4"), b"\0" * 8),
        packed(one("C64", offsets=(0, 16)), b"\0" * 16),
        packed(one(shape=(3,)), b"\0" * 8),
        packed(one(shape=(-2,)), b"\0" * 8),
        packed(one(shape=(1 << 31, 1 << 31)), b"\0" * 8),
        packed(one(offsets=(8, 0)), b"\0" * 8),
        packed(one(offsets=(0, 8, 8)), b"\0" * 8),
        packed(one(shape=(1e9,)), b"\0" * 8),
        packed({"__metadata__": {"a": 1}}),
        packed({"__metadata__": []}),
        packed(b'{"a":{},"a":{}}'),
        packed(b'{"a": ' + b"9" * 10_000 + b"}"),
    ],
)
def test_broken_files_are_refused(data):
    with pytest.raises(CheckpointError):
        parse(data)


def test_no_file_is_one_readable_line(tmp_path):
    with pytest.raises(CheckpointError, match="No such file"):
        safetensors.read(tmp_path / "none")


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyError):
        safetensors.write(tmp_path / "x", {"a": np.zeros(2, np.complex64)}, {})
    with pytest.raises(OSError, match="No such file"):
        safetensors.write(tmp_path / "none" / "x", files.ARRAYS, {})
    assert not list(tmp_path.iterdir())
