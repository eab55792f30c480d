"""Conversion as a command: official files in, checked safetensors out, or one readable line."""

import hashlib
import pickle

import numpy as np
import pytest

from emojax.experts import registry
from emojax.experts.checkpoint import safetensors
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experiments import command
from tests.experts.checkpoint import files, hostile

NAME = "lpips_alex"  # the smallest that has two official files


@pytest.fixture(scope="module")
def weights():
    key = np.random.default_rng(0)
    shapes = registry.get(NAME).layout({})
    return {name: key.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def two_files(weights, tmp_path):
    """The trunk as a pickle under a nesting, the rest as .npz with keys of no use."""
    trunk = {f"module.{k}": v for k, v in weights.items() if k.startswith("features.")}
    trunk["module.classifier.6.bias"] = np.ones(1000, np.float32)
    data = pickle.dumps({"state_dict": trunk, "epoch": 5}, 2)
    first = tmp_path / f"trunk-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    first.write_bytes(data)
    second = tmp_path / "lin-0123456789.npz"
    np.savez(second, **{k: v for k, v in weights.items() if k.startswith("lin")})
    return f"--checkpoint={first}", f"--checkpoint={second}"


def convert(*arguments):
    return command.run("convert", *arguments)


def test_two_files_become_one_with_its_provenance(weights, two_files, tmp_path):
    out = tmp_path / "größe" / "weights"
    done = convert(f"--network={NAME}", f"--out={out}", *two_files)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{NAME}: {len(weights)} arrays of trunk-")
    assert "under state_dict" in lines[0]
    assert "its sha256 begins as its name says" in lines[1]
    assert "WARNING: no digest begins with 0123456789" in lines[2]
    assert lines[3] == f"licence: {registry.get(NAME).licence}"
    assert lines[4].startswith("parity on the stored probe: ")
    found, metadata = safetensors.read(out / f"{NAME}.safetensors")
    assert found.keys() == weights.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, weights[name])
    assert metadata["network"] == NAME
    assert len(metadata["source_sha256"].split(", ")) == 2
    assert metadata["licence"] == registry.get(NAME).licence
    assert metadata["converted"][:2] == "20"

    again = convert(f"--network={NAME}", f"--out={out}", *two_files)
    assert again.returncode == 1
    assert again.stderr.startswith("convert: expected no ")
    assert "--overwrite" in again.stderr


@pytest.mark.parametrize("fault", ["another", "missing", "nan", "none", "name"])
def test_what_is_wrong_is_said_by_name(weights, tmp_path, fault):
    path, network, arrays = tmp_path / "x.pkl", NAME, dict(weights)
    if fault == "another":
        shapes = registry.get("emo_mapping").layout({})
        arrays = {key: np.zeros(shape, np.float32) for key, shape in shapes.items()}
        wanted = "looks like emo_mapping"
    elif fault == "missing":
        del arrays["lin0.model.1.weight"]
        wanted = "1 missing: lin0.model.1.weight"
    elif fault == "nan":
        arrays["features.0.bias"] = arrays["features.0.bias"] * np.nan
        wanted = "NaN or infinite numbers: features.0.bias"
    elif fault == "none":
        path, wanted = tmp_path / "none.pkl", "which is not there"
    else:
        network, wanted = "lpips_alx", "lpips_alex"
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(arrays, 4))
    with pytest.raises(CheckpointError, match=wanted):
        command.module("convert").weights(network, [path], [])


def test_a_hostile_file_is_one_readable_line_and_nothing_runs(tmp_path):
    path, out = tmp_path / "x.pkl", tmp_path / "out"
    path.write_bytes(hostile.runners(tmp_path / "made")["reduce, protocol 0"][0])
    done = convert(f"--network={NAME}", f"--out={out}", f"--checkpoint={path}")
    assert done.returncode == 1
    assert done.stderr.startswith("convert: expected ")
    assert done.stderr.count("\n") == 1
    assert "os.mkdir in a pickle; nothing of the file was executed" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.pkl"]


def test_a_graph_may_have_constants_of_its_own(tmp_path):
    shapes = registry.get("deepspeech").layout({"h1": (494, 8)})
    arrays = {key: np.ones(shape, np.float32) for key, shape in shapes.items()}
    (tmp_path / "x.pb").write_bytes(files.graph({**arrays, "concat/axis": np.float32([1])}))
    module = command.module("convert")
    found, kinds = module.weights("deepspeech", [tmp_path / "x.pb"], [])
    assert kinds == "TensorFlow graph"
    assert found.arrays.keys() == arrays.keys()
