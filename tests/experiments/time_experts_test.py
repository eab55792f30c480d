"""The timing of frozen networks runs, agrees with PyTorch where that is, and writes its figures."""

import importlib.util
import json

import numpy as np
import pytest

from tests.experiments import command


def test_a_small_network_is_timed(tmp_path):
    place = tmp_path / "speed.json"
    options = ("--network=wav2lip_syncnet", "--batch=1", "--repeats=1", f"--out={place}")
    done = command.run("time_experts", *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("wav2lip_syncnet, 1 at a time: float32 ")
    found = json.loads(place.read_text())["networks"]["wav2lip_syncnet"]
    assert found["per_second"]["float32"] > 0
    assert 0 < found["error"]["bfloat16"] < 0.05


def test_ours_is_faster_or_slower_but_the_same(tmp_path):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("needs torch to compare with")
    options = ("--network=lpips_alex", "--batch=1", "--repeats=1", "--nobfloat16")
    done = command.run("time_experts", *options)
    assert done.returncode == 0, done.stderr
    assert "ratio" in done.stdout


def test_parts_of_one_array_are_put_side_by_side():
    experiment = command.module("time_experts")
    want = [np.ones((2, 3)), np.full(2, 2.0)]
    found = [np.array([[1.0, 1, 1, 2], [1, 1, 1, 3]])]
    assert experiment._error(found, want) == pytest.approx(0.5)
    stacked = [np.ones((2, 3)), np.ones((4, 3))]
    assert experiment._error([np.ones((6, 3))], stacked) == 0
