import shutil

import numpy as np
import pytest

from emojax.data import files
from emojax.data.errors import DataError
from emojax.data.label_files import LabelFiles
from emojax.data.labels import Label


def test_labels_are_read_by_number(small, folder):
    read = LabelFiles(folder, [7, 2], (64, 64))
    assert len(read) == 2
    assert read.has_teeth
    np.testing.assert_array_equal(read[1], small[0].labels[2])
    shutil.rmtree(folder / files.TEETH)
    read = LabelFiles(folder, [7, 2], (64, 64))
    assert not read.has_teeth
    assert not (read[0] == Label.TEETH).any()


def test_damaged_and_misfit_files_are_named(folder):
    (folder / files.TEETH / "3.npy").write_bytes(b"")
    np.save(folder / files.TEETH / "4.npy", np.zeros((8, 8), bool))
    files.write_picture(folder / files.PARSING / "5.png", np.zeros((8, 8, 3), np.uint8))
    (folder / files.PARSING / "6.png").unlink()
    read = LabelFiles(folder, range(30), (64, 64))
    for number, message in ((3, r"3\.npy"), (4, r"4\.npy"), (5, r"5\.png"), (6, r"6\.png")):
        with pytest.raises(DataError, match=message):
            read[number]
