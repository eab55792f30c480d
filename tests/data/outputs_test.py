import os

import numpy as np
import pytest

from emojax.data import files, outputs, record
from emojax.data.job import Settings
from emojax.data.stages import STAGES
from tests.data import folders


@pytest.mark.parametrize("name", ["masks", "background", "torso", "action_units", "features"])
def test_a_whole_folder_has_what_is_expected(folder, name):
    expected = outputs.expected(folder, name, Settings(), 30)
    assert set(outputs.there(folder, name, Settings(), {})) == set(expected)
    assert not outputs.is_finished(folder, record.empty(), name, Settings())
    folders.as_made(folder, name, settings=Settings())
    assert outputs.is_finished(folder, record.read(folder), name, Settings())
    expected[-1].unlink()
    assert not outputs.is_finished(folder, record.read(folder), name, Settings())


def test_whose_a_file_is(folder):
    name, settings = "torso", Settings()
    assert len(outputs.of_the_user(folder, record.empty(), name, settings)) == 60
    folders.as_made(folder, name, settings=settings)
    content = record.read(folder)
    assert outputs.of_the_user(folder, content, name, settings) == []
    path = folder / files.TORSO / "3.png"
    os.utime(path, ns=(0, 0))  # an old file, moved here
    assert outputs.of_the_user(folder, content, name, settings) == [path]
    for flag in ("begun", "replace"):
        content["stages"][name] = {"done": False, flag: True}
        assert outputs.of_the_user(folder, content, name, settings) == []
    assert outputs.of_the_user(folder, record.empty(), "doctor", settings) == []


def test_leftovers_go_but_for_the_users(folder):
    np.save(folder / "aud_ds.npy", np.zeros((30, 16, 29), np.float32))
    time = (folder / "aud_ds.npy").stat().st_mtime_ns
    stage = {"files": ["aud_ds.npy"], "written": [time, time]}
    entry = outputs.settle(folder, "features", Settings(), 30, stage | {"written": [0, 1]})
    assert entry["files"] == ["aud_mel.npy"]
    assert (folder / "aud_ds.npy").exists()
    outputs.settle(folder, "features", Settings(), 30, stage)
    assert not (folder / "aud_ds.npy").exists()
    outputs.settle(folder, "torso", Settings(), 28, {})
    assert len(list((folder / files.TORSO).glob("*.png"))) == 28


def test_stages_need_only_what_comes_before():
    names = list(STAGES)
    for place, stage in enumerate(STAGES.values()):
        assert set(stage.needs) <= set(names[:place])
