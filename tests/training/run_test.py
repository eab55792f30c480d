import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.training import checkpoints, lock, loop, record, run
from emojax.training.checkpoints import Place
from tests.training import small

FACTS = {"data": "clip", "seed": 5, "lpips": None}
RECIPE = small.recipe(small.mouth_stage(), small.fuse_stage())


class _KilledError(Exception):
    """Stands for a kill between two dispatches."""


def _train(folder, clip, recipe, *, kill_at=None, resume=False):
    with lock.hold(folder):
        place = run.prepare(folder, recipe, FACTS, resume=resume)

    def progress(stage, reports, first):
        for report in reports:
            yield report
            if (stage.name, report.step) == kill_at:
                raise _KilledError

    return run.train(folder, clip, recipe, seed=5, place=place, progress=progress)


@pytest.fixture(scope="module")
def whole(clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return folder, _train(folder, clip, RECIPE)


def test_a_run_leaves_what_it_promises(whole):
    folder, _ = whole
    assert checkpoints.places(folder, RECIPE)[0] == Place("fuse", 4)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [(line["stage"], line["step"]) for line in lines] == [
        ("mouth", 2), ("mouth", 4), ("fuse", 2), ("fuse", 4)
    ]  # fmt: skip
    assert [line["total_step"] for line in lines] == [2, 4, 6, 8]
    assert {path.name for path in (folder / "samples").iterdir()} == {
        "mouth_000004.png", "fuse_000004.png"
    }  # fmt: skip


@pytest.mark.parametrize("kill_at", [("mouth", 2), ("mouth", 4), ("fuse", 2)])
def test_a_run_that_was_stopped_ends_in_the_same_bits(clip, whole, tmp_path, kill_at):
    folder, expected = tmp_path / "run", whole[1]
    with pytest.raises(_KilledError):
        _train(folder, clip, RECIPE, kill_at=kill_at)
    got = _train(folder, clip, RECIPE, resume=True)
    for a, b in zip(jax.tree.leaves(got.head), jax.tree.leaves(expected.head), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_finished_run_has_nothing_to_do(clip, whole):
    folder, expected = whole
    again = _train(folder, clip, RECIPE, resume=True)
    jax.tree.map(np.testing.assert_array_equal, again.head, expected.head)


def test_another_configuration_is_refused_with_the_differences(whole):
    folder, _ = whole
    changed = dataclasses.replace(RECIPE, size=64)
    with pytest.raises(DataError, match="size: 48 -> 64"):
        run.prepare(folder, changed, FACTS, resume=True)
    with pytest.raises(DataError, match="seed: 5 -> 6"):
        run.prepare(folder, RECIPE, FACTS | {"seed": 6}, resume=True)
    head = dataclasses.replace(small.HEAD, face_points=1, mouth_points=1, degree=0, audio_gain=9.0)
    many = dataclasses.replace(RECIPE, name="other", size=64, head=head)
    with pytest.raises(DataError, match=r"name: small -> other; .*; and 1 more"):
        run.prepare(folder, many, FACTS, resume=True)


def test_a_data_set_that_moved_is_known_by_what_it_holds(whole, tmp_path):
    folder = shutil.copytree(whole[0], tmp_path / "run")
    facts = FACTS | {"clip": "abc"}
    record.write_facts(folder, facts)
    moved = facts | {"data": "elsewhere"}
    with pytest.raises(DataError, match="clip: abc -> xyz"):
        run.prepare(folder, RECIPE, moved | {"clip": "xyz"}, resume=True)
    assert record.read(folder)[1]["data"] == "clip"
    run.prepare(folder, RECIPE, moved, resume=True)
    assert record.read(folder)[1] == moved | {"format": record.FORMAT}


def test_a_config_of_another_run_is_named_before_any_work(whole, tmp_path):
    folder = shutil.copytree(whole[0], tmp_path / "run")
    other = dataclasses.replace(RECIPE, size=64)
    record.write(folder, other, FACTS)
    with pytest.raises(DataError, match="not damaged"):
        run.look(folder, other, FACTS, resume=True)


def test_nothing_is_overwritten_unasked(whole, tmp_path):
    with pytest.raises(DataError, match="--resume"):
        run.prepare(whole[0], RECIPE, FACTS, resume=False)
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(DataError, match="other files"):
        run.prepare(tmp_path, RECIPE, FACTS, resume=False)
    with pytest.raises(DataError, match="a folder for the run"):
        run.prepare(tmp_path / "thesis.tex", RECIPE, FACTS, resume=False)


@pytest.mark.parametrize("name", ["absent", "."])
def test_there_is_nothing_to_resume_where_there_is_no_run(tmp_path, name):
    with pytest.raises(DataError, match=r"a run to resume.*got none"):
        run.look(tmp_path / name, RECIPE, FACTS, resume=True)


def test_a_run_that_was_killed_at_its_first_file_begins_anew(tmp_path):
    (tmp_path / record.FACTS).write_text("{}")
    (tmp_path / lock.FILE).touch()
    assert run.prepare(tmp_path, RECIPE, FACTS, resume=False) is None
    assert record.read(tmp_path)[0] == RECIPE


def test_divergence_leaves_batch_and_state(clip, tmp_path):
    stage = small.mouth_stage()
    rates = dataclasses.replace(stage.rates, opacities=1e39)
    recipe = small.recipe(dataclasses.replace(stage, rates=rates))
    with pytest.raises(loop.DivergedError, match=r"mouth.opacities is not finite at step 0"):
        _train(tmp_path / "run", clip, recipe)
    found = sorted(path.name for path in (tmp_path / "run" / "diverged").iterdir())
    assert [name.split("_")[-1] for name in found] == ["batch.npz", "info.npz", "state.npz"]
    with np.load(tmp_path / "run" / "diverged" / found[0]) as batch:
        assert batch[".image"].shape == (2, small.SIZE, small.SIZE, 3)
