"""Where the background is always seen. Faults in whole folders are in doctor_test."""

import numpy as np
import pytest

from emojax.data import files
from emojax.data.checkup import contents, masks
from emojax.data.labels import Label
from tests.data import actor, folders


@pytest.fixture(scope="module")
def film():
    return actor.film(num_frames=30, size=128)


def test_background_is_where_nobody_ever_is(film, tmp_path):
    there = contents.read(folders.write_folder(film, tmp_path))
    still = masks.always_background(there)
    free = (film.labels == Label.BACKGROUND).all(axis=0)
    assert still.shape == (contents.SMALL, contents.SMALL)
    assert free.reshape(64, 2, 64, 2).all(axis=(1, 3))[still].all()
    assert still.mean() > 0.6 * free.mean()
    for path in files.numbered(tmp_path / files.PARSING, ".png").values():
        path.unlink()
    assert masks.always_background(there) is None


def test_a_folder_without_pictures_has_no_background(tmp_path):
    assert masks.always_background(contents.read(tmp_path)) is None
    assert np.isnan(contents.read(tmp_path).focal).all()
