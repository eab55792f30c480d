"""The benchmark of emotional pictures on small ones."""

import json

import pytest

from emojax.emotion import anatomy
from tests.experiments import command


def test_main_writes_a_table_and_numbers(tmp_path):
    done = command.run("time_emotion", f"--out={tmp_path / 'a'}", "--size=128", "--rounds=1")
    assert done.returncode == 0, done.stderr
    made = json.loads((tmp_path / "a.json").read_text())
    assert made["size"] == 128
    first = next(iter(made["rows"]))
    assert first.startswith("warp and cloning")
    assert made["rows"][first]["times_limit"] > 0
    assert all(row["ms"] > 0 for row in made["rows"].values())
    assert "times the limit" in (tmp_path / "a.md").read_text()


def test_the_face_it_times_is_one_that_can_be_moved():
    picture, landmarks = command.module("time_emotion").face(512)
    assert picture.shape == (512, 512, 3)
    assert anatomy.fault(landmarks, picture.shape) is None
    assert anatomy.head_frame(landmarks).unit == pytest.approx(0.2 * 512, rel=1e-3)
