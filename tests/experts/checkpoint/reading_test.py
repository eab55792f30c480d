"""Any file of weights: its kind is told by its beginning, and what is none is said in one line."""

import pathlib

import numpy as np
import pytest

from emojax.experts.checkpoint import reading, safetensors
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts.checkpoint import files, hostile

FOLDER = pathlib.Path(__file__).resolve().parent / "data"


@pytest.mark.parametrize("protocol", range(6))
def test_a_numpy_pickle_of_every_protocol(tmp_path, protocol):
    (tmp_path / "weights.pkl").write_bytes(files.numpy_pickle(protocol))
    contents = reading.read(tmp_path / "weights.pkl")
    assert contents.kind == "pickle"
    for name, array in files.ARRAYS.items():
        np.testing.assert_array_equal(contents.tree[name].array(), array)


def test_kinds_are_told_by_the_beginning_not_the_name(tmp_path):
    safetensors.write(tmp_path / "a", files.ARRAYS, {})
    (tmp_path / "b").write_bytes(files.npz())
    (tmp_path / "c").write_bytes((FOLDER / "legacy.pth").read_bytes())
    (tmp_path / "d.pb").write_bytes(files.graph())
    kinds = [reading.read(tmp_path / name).kind for name in ("a", "b", "c", "d.pb")]
    assert kinds == ["safetensors", "NumPy archive", "PyTorch legacy file", "TensorFlow graph"]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "which is empty"),
        (b"<!DOCTYPE html>", "begins with <!DOCTYPE ht.* web page"),
        (b"\x1f\x8b\x08\x00", "begins with"),
        (files.archive([("weights.pth", b"x")]), "Unpack it and name the file"),
        (b"PK\x03\x04", "without its end"),
    ],
)
def test_what_is_no_file_of_weights(tmp_path, content, match):
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=match):
        reading.read(tmp_path / "x.pth")


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(CheckpointError, match="which is not there"):
        reading.read(tmp_path / "none.pth")
    with pytest.raises(CheckpointError, match="no file"):
        reading.read(tmp_path)


def test_hostile_files_are_refused_and_nothing_runs(tmp_path):
    place = tmp_path / "made"
    for data, name in hostile.runners(place).values():
        (tmp_path / "x.pkl").write_bytes(data)
        with pytest.raises(CheckpointError) as caught:
            reading.read(tmp_path / "x.pkl")
        known_start = data[:1] in (b"\x80", b"(", b"}", b"]", b"c")
        assert not known_start or name in str(caught.value)
        assert not place.exists()


def test_arrays_outlive_the_reading(tmp_path):
    (tmp_path / "x.npz").write_bytes(files.npz())
    array = reading.read(tmp_path / "x.npz").tree["weight"].array()
    np.testing.assert_array_equal(array, files.ARRAYS["weight"])
