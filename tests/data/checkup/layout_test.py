"""Heads and tails of files tell what is wrong with them. Faults in folders are in doctor_test."""

import numpy as np
import pytest

from emojax.data import files
from emojax.data.checkup import contents, layout
from emojax.data.checkup.thresholds import Thresholds


def test_pictures_that_are_not_square_are_not_usable(tmp_path):
    (tmp_path / files.FRAMES).mkdir()
    for t in range(4):
        picture = np.full((96, 128, 3), 50 * t, np.uint8)
        files.write_picture(tmp_path / files.FRAMES / f"{t}.jpg", picture)
    found = {f.name: f for f in layout.check(contents.read(tmp_path), Thresholds())}
    assert found["shape"].level == "not usable"
    assert found["shape"].value == "128 x 96"


@pytest.mark.parametrize("cut", [0, 10, 60])
def test_masks_that_are_cut_short_are_told_from_whole_ones(cut, tmp_path):
    files.write_array(tmp_path / "0.npy", np.zeros((96, 96), bool))
    files.write_picture(tmp_path / "0.png", np.zeros((96, 96, 3), np.uint8))
    for path in (tmp_path / "0.npy", tmp_path / "0.png"):
        assert layout._problem(path, (96, 96)) == ""
        assert "not as the pictures" in layout._problem(path, (90, 96))
        path.write_bytes(path.read_bytes()[:cut])
        assert layout._problem(path, (96, 96))
    assert layout._problem(tmp_path / "1.png", None) == "is missing"
