"""Arrays out of .npz files as NumPy reads them, and never an object."""

import io
import struct

import numpy as np
import pytest

from emojax.experts.checkpoint import archives, limits, npy
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts.checkpoint import files


def read(data):
    budget = limits.Budget(len(data))
    return npy.read(archives.Zip(data, budget), budget).tree


def entry(array, **options):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, **options)
    return out.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_as_numpy_reads_them(save):
    arrays = {
        **files.ARRAYS,
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big": np.arange(3, dtype=">i2"),
        "scalar": np.float32(2.5),
        "empty": np.zeros((0, 4), np.float16),
        "größe/deep": np.array([True]),
    }
    out = io.BytesIO()
    save(out, **arrays)
    found = read(out.getvalue())
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name].array(), array)
        assert found[name].array().dtype == array.dtype


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version(version):
    data = files.archive([("a.npy", entry(files.ARRAYS["weight"], version=version))])
    np.testing.assert_array_equal(read(data)["a"].array(), files.ARRAYS["weight"])


@pytest.mark.parametrize(
    "array",
    [
        np.array([{"a": 1}], object),
        np.array(["text"]),
        np.zeros(2, [("a", "f4")]),
        np.zeros(2, np.complex64),
        np.zeros(2, "M8[s]"),
    ],
    ids=lambda array: str(array.dtype),
)
def test_other_arrays_are_refused(array):
    with pytest.raises(CheckpointError, match="nothing of the file was executed"):
        read(files.archive([("a.npy", entry(array))]))


def header(text):
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }") + b"\0" * 12,
        header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2,, ), }") + b"\0" * 12,
        header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"9" * 99 + b",), }"),
        header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }"),
        header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os'),), }"),
    ],
)
def test_broken_entries_are_refused(data):
    with pytest.raises(CheckpointError):
        read(files.archive([("a.npy", data)]))


def test_an_entry_that_is_no_array_is_refused():
    with pytest.raises(CheckpointError, match=r"readme\.txt, no array"):
        read(files.archive([("readme.txt", b"x")]))
