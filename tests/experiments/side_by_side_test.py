"""The side by side on a tiny case, without a GPU and without gsplat; its arithmetic."""

import json
import pathlib
import sys

import pytest

from emojax import native
from tests.experiments import command

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "experiments"))

import side_by_side


def test_main_times_our_kernels_alone(tmp_path):
    if not native.available():
        pytest.skip("needs kernels")
    done = command.run("time_kernels", f"--out={tmp_path / 'run'}", "--grid=gpu_tiny")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "run.json").read_text())
    (row,) = report["rows"]
    assert row["errors"] == []
    assert set(row["times"]) == {"ours", "ours, back by splat", "ours, deterministic"}
    for passes in row["times"].values():
        for kinds in passes.values():
            assert set(kinds) == {"latency", "throughput", "device"}
            assert all(kind["seconds"] > 0 for kind in kinds.values())
    # On a CPU all variants are the same kernels.
    for apart in row["agreement"].values():
        assert apart["image, greatest"] == 0
        assert max(apart["gradients, relative"].values()) == 0
    assert row["ratios, gsplat / ours"] == {}
    assert "gsplat was not there" in (tmp_path / "run.md").read_text()


def test_ratios_take_the_better_of_both_rivals():
    def entry(forward, both):
        return {
            name: {kind: {"seconds": t} for kind in ("latency", "throughput", "device")}
            for name, t in (("forward", forward), ("both", both))
        }

    times = {"ours": entry(1, 3), "gsplat 1, dense": entry(4, 12), "gsplat 1, packed": entry(5, 10)}
    ratios = side_by_side.ratios({"times": times})
    assert ratios["forward, latency"] == 4
    assert ratios["both, device"] == pytest.approx(10 / 3)
    assert ratios["backward, throughput"] == 2.5
