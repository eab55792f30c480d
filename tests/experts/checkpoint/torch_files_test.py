"""Files that PyTorch wrote (see make_checkpoints.py), bit by bit, and what can be wrong."""

import functools
import pathlib
import pickle
import zipfile

import numpy as np
import pytest

from emojax.experts.checkpoint import limits, reading, state, torch_files
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts.checkpoint import files, hostile

FOLDER = pathlib.Path(__file__).resolve().parent / "data"


@functools.cache
def made(name):
    return (FOLDER / name).read_bytes()


@functools.cache
def truth():
    with np.load(FOLDER / "values.npz") as values:
        return dict(values)


def expected(stem):
    return {k.partition("/")[2]: v for k, v in truth().items() if k.startswith(f"{stem}/")}


def compare(leaves, arrays):
    assert leaves.keys() == arrays.keys()
    for key, leaf in leaves.items():
        array = leaf.array()
        assert array.dtype == arrays[key].dtype, key
        assert leaf.shape == array.shape == arrays[key].shape, key
        np.testing.assert_array_equal(array, arrays[key], err_msg=key)


@pytest.mark.parametrize(
    ("name", "kind"), [("zip.pth", "PyTorch zip"), ("legacy.pth", "PyTorch legacy file")]
)
def test_every_type_and_stride_equals_what_torch_reads(name, kind):
    contents = reading.parse(made(name))
    assert contents.kind == kind
    compare(contents.tree["state_dict"], expected(name[:-4]))
    assert contents.tree["epoch"] == 3
    assert contents.tree["opts"] == {"name": "größe", "rates": [0.1, 1e-3]}


def test_a_plain_pickle_of_tensors_has_files_inside():
    compare(reading.parse(made("plain.pkl")).tree, expected("plain"))


def test_tensors_of_one_storage_share_it():
    leaves = reading.parse(made("zip.pth")).tree["state_dict"]
    assert leaves["weight"].storage is leaves["transposed"].storage
    assert np.shares_memory(leaves["weight"].array(), leaves["row"].array())


def test_the_tar_of_the_first_releases():
    contents = reading.parse(made("tar.pth"))
    assert contents.kind == "PyTorch tar"
    compare(contents.tree, expected("tar"))


@pytest.mark.parametrize("stem", ["script", "traced"])
def test_torchscript_gives_the_state_dict(stem):
    contents = reading.parse(made(f"{stem}.pt"))
    assert contents.kind == "TorchScript archive"
    record = contents.tree["model"]
    assert record.kind.startswith("__torch__.")
    compare(dict(state._module_leaves(record)), expected(stem))


def test_frozen_torchscript_keeps_its_constants():
    constants = reading.parse(made("frozen.pt")).tree["CONSTANTS"]
    weights = expected("script")
    arrays = [leaf.array() for leaf in constants.values()]
    assert any(np.array_equal(array, weights["mean"]) for array in arrays)


def test_a_packed_zip_reads_the_same():
    packed = files.repacked(made("zip.pth"), method=zipfile.ZIP_DEFLATED)
    compare(reading.parse(packed).tree["state_dict"], expected("zip"))


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth", "tar.pth", "script.pt"])
def test_hostile_pickles_in_containers_are_refused(name, tmp_path):
    place = tmp_path / "made"
    for data, named in hostile.runners(place).values():
        if name == "tar.pth":
            members = {"storages": pickle.dumps(0) + pickle.dumps([]), "tensors": pickle.dumps(0)}
            contents = {**members, "pickle": data}
            call = functools.partial(torch_files.read_tar, contents, limits.Budget(len(data)))
        elif name == "legacy.pth":
            head = made(name)[: made(name).index(b"state_dict")]
            head = head[: head.rindex(b"\x80\x02")]
            call = functools.partial(reading.parse, head + data)
        else:
            call = functools.partial(reading.parse, files.repacked(made(name), {"/data.pkl": data}))
        with pytest.raises(CheckpointError) as caught:
            call()
        if named != "outside of the pickle":  # containers have things outside
            assert named in str(caught.value)
        assert not place.exists()


@pytest.mark.parametrize("name", ["zip.pth", "script.pt"])
def test_a_big_endian_file_is_refused(name):
    with pytest.raises(CheckpointError, match="big-endian"):
        reading.parse(files.repacked(made(name), {"/byteorder": b"big"}))


def test_a_big_endian_legacy_file_is_refused():
    data = made("legacy.pth")
    place = data.index(b"little_endian")
    at = data.index(b"\x88", place)
    with pytest.raises(CheckpointError, match="big-endian"):
        reading.parse(data[:at] + b"\x89" + data[at + 1 :])


def test_a_storage_that_is_missing_or_short_is_damaged():
    with pytest.raises(CheckpointError, match="cut off"):
        reading.parse(files.repacked(made("zip.pth"), {"/data/0": b"\0" * 8}))
    entries = [("a/data.pkl", zipped_pickle())]
    with pytest.raises(CheckpointError, match="no storage 0 in the archive"):
        reading.parse(files.archive(entries))


def zipped_pickle():
    with zipfile.ZipFile(FOLDER / "zip.pth") as archive:
        return archive.read("zip/data.pkl")


def test_keys_of_storages_are_no_paths(tmp_path):
    (tmp_path / "secret").write_bytes(b"\0" * 1000)
    key = str(tmp_path / "secret").encode()
    hack = zipped_pickle().replace(
        b"X\x01\x00\x00\x000", b"X" + len(key).to_bytes(4, "little") + key
    )
    with pytest.raises(CheckpointError, match="no storage"):
        reading.parse(files.repacked(made("zip.pth"), {"/data.pkl": hack}))


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth", "script.pt"])
def test_cut_anywhere_it_is_damaged(name):
    data = made(name)
    for length in range(0, len(data) - 1, 1 + len(data) // 300):
        with pytest.raises(CheckpointError):
            reading.parse(data[:length])


def test_a_cut_tar_is_damaged():
    data = made("tar.pth")
    last = data.index(b"storages\0") + 512  # behind it there is padding alone
    for length in range(0, last, 97):
        with pytest.raises(CheckpointError):
            reading.parse(data[:length])


def test_a_nested_file_must_be_a_storage():
    budget = limits.Budget(1 << 20)
    storage = torch_files.nested_storage(files.legacy_storage(np.float32([1, 2])), budget)
    np.testing.assert_array_equal(np.frombuffer(storage.data, "<f4"), [1, 2])
    with pytest.raises(CheckpointError, match="no storage"):
        torch_files.nested_storage(made("zip.pth"), budget)


def test_round_trips_where_torch_is_installed(tmp_path):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    key = torch.Generator().manual_seed(1)
    tensors = {
        "weight": torch.randn(4, 3, 2, generator=key).permute(2, 0, 1),
        "half": torch.randn(5, generator=key).half(),
        "count": torch.tensor(7),
    }
    for number, options in enumerate(({}, {"_use_new_zipfile_serialization": False})):
        path = tmp_path / f"{number}.pth"
        torch.save(tensors, path, **options)
        compare(reading.read(path).tree, {k: v.numpy() for k, v in tensors.items()})
