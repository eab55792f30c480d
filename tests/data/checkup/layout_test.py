"""Pictures are counted and measured. Faults in folders are in doctor_test."""

import numpy as np

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


def test_pictures_are_counted_not_numbered(folder):
    for number in (11, 12, 13):
        (folder / files.FRAMES / f"{number}.jpg").unlink()
    found = {f.name: f for f in layout.check(contents.read(folder), Thresholds())}
    assert found["pictures"].value == f"27 in {files.FRAMES}"
    assert found["frame_numbers"].value == "3 missing, 11 the first"
