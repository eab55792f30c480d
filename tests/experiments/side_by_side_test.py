"""The side by side on a tiny case, without a GPU and without gsplat; its arithmetic."""

import json
import pathlib
import sys

import pytest

from emojax import native
from tests.experiments import command

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "experiments"))

import gpu_figures
import side_by_side


def test_main_times_our_kernels_alone(tmp_path):
    if not native.available():
        pytest.skip("needs kernels")
    done = command.run("time_kernels", f"--out={tmp_path / 'run'}", "--grid=gpu_tiny")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "run.json").read_text())
    (row,) = report["rows"]
    assert row["errors"] == []
    variants = {"one graph", "back by splat", "deterministic"}
    assert set(row["times"]) == {"ours", *(f"ours, {variant}" for variant in variants)}
    for passes in row["times"].values():
        for kinds in passes.values():
            assert set(kinds) == {"latency", "throughput", "device"}
            assert all(kind["seconds"] > 0 for kind in kinds.values())
    # On a CPU all variants are the same kernels.
    for apart in row["agreement"].values():
        assert apart["image, greatest"] == 0
        assert max(apart["gradients, relative"].values()) == 0
    assert row["ratios, gsplat / ours"] == {}
    assert row["limits"]["both"]["operations"] > row["limits"]["forward"]["operations"] > 0
    assert all(time > 0 for times in report["encoder"].values() for time in times.values())
    text = (tmp_path / "run.md").read_text()
    assert "gsplat was not there" in text
    assert "| not measured | at least 2.5 | at least 4 |" in text
    assert (tmp_path / "run.png").stat().st_size > 1000


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


def _row(images, channels, ours, rival):
    """A made-up row; times and memory are one number each."""

    def passes(seconds):
        kinds = {kind: {"seconds": seconds} for kind in ("latency", "throughput", "device")}
        return {"forward": kinds, "both": {k: {"seconds": 3 * seconds} for k in kinds}}

    row = {
        "case": side_by_side.Case(30_000, 3.0, images, channels)._asdict(),
        "times": {
            "ours": passes(ours),
            "ours, back by splat": passes(2 * ours),
            "gsplat, dense": passes(rival),
        },
        "memory": {"ours": {"both": 10}, "gsplat, dense": {"both": 40}},
        "first call, seconds": {"ours": 4.0},
    }
    return row | {"ratios, gsplat / ours": side_by_side.ratios(row)}


def test_figures_are_held_against_their_bounds():
    def figures(rows):
        return {entry["figure"]: entry for entry in gpu_figures.figures(rows)}

    found = figures([_row(1, 3, 1.0, 3.0), _row(16, 3, 4.0, 4.0)])
    latency = found["forward, latency, 1 image: gsplat / ours"]
    assert latency["value"] == 3
    assert latency["holds"]
    device = found["backward, device, 16 images: gsplat / ours"]
    assert device["value"] == pytest.approx(1)
    assert not device["holds"]
    assert found["both, memory, 1 image: ours / gsplat"]["value"] == 0.25
    assert not found["first call, seconds"]["holds"]
    assert found["forward, latency: 16 images by vmap / 16 x 1 image"]["value"] == 0.25
    assert found["both, device, 16 images, 3 channels: back by splat / usual"]["value"] == 2
    # What was not reached is not claimed.
    assert all(entry["value"] is None for entry in figures([]).values())
    assert all(entry["holds"] is None for entry in figures([]).values())


def test_limits_grow_with_the_batch_and_take_the_slower_of_both():
    case = side_by_side.Case(10, 3.0, 1, 3)._asdict()
    computes = {"multiply_adds": 1.0, "bytes": 1e12}
    one = gpu_figures.limits(case, 100.0, computes)
    assert one["forward"]["seconds"] == one["forward"]["operations"] == 100 * 17
    assert one["both"]["operations"] == 100 * (17 + 20)
    moves = gpu_figures.limits(case, 100.0, {"multiply_adds": 1e12, "bytes": 1.0})
    picture, operands = 4 * 512 * 512 * 4, 4 * 10 * 14
    assert moves["forward"]["seconds"] == picture + operands
    assert moves["both"]["seconds"] == 2 * picture + 3 * operands
    many = gpu_figures.limits(case | {"images": 4}, 400.0, computes)
    assert many["both"]["bytes"] == 4 * one["both"]["bytes"]
