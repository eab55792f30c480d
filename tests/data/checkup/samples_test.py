"""Frames to look at: which, and what is read of them."""

import numpy as np
import pytest

from emojax.data import files
from emojax.data.checkup import contents, curves, samples
from emojax.data.labels import Label
from tests.data import actor, folders


@pytest.fixture(scope="module")
def film():
    return actor.film(num_frames=80, size=288)


@pytest.fixture(scope="module")
def there(film, tmp_path_factory):
    return contents.read(folders.write_folder(film, tmp_path_factory.mktemp("samples")))


def test_chosen_frames_are_spread_and_hold_the_widest_mouth(film, there):
    chosen = samples.choose(there, curves.curves(there))
    assert samples.NUM_SPREAD <= len(chosen) <= samples.NUM_SPREAD + samples.NUM_WIDEST
    assert {0, 79, int(film.opening_mm.argmax())} <= set(chosen)
    assert np.diff(chosen).max() <= 2


def test_labels_are_reduced_with_their_teeth(film, there):
    widest = int(film.opening_mm.argmax())
    label = samples.read_labels(there, widest)
    assert label.shape == (256, 256)
    share = np.mean(label == Label.TEETH) / np.mean(film.labels[widest] == Label.TEETH)
    assert share == pytest.approx(1, abs=0.3)
    assert samples.reduced(film.images[0]).shape == (256, 256, 3)
    assert samples.reduced(film.images[0][:50, :60]).shape == (50, 60, 3)


def test_the_hull_covers_the_face(film, there):
    hull = samples.face_hull(there, 5, (288, 288))
    head = np.isin(film.labels[5], [Label.FACE, Label.MOUTH, Label.TEETH])
    assert head[hull].mean() > 0.97
    small = samples.face_hull(there, 5, (144, 144))
    assert small.sum() == pytest.approx(hull.sum() / 4, rel=0.05)


def test_what_is_missing_is_none(there, tmp_path):
    (there.folder / files.PARSING / "3.png").rename(tmp_path / "3.png")
    (there.folder / files.TEETH / "4.npy").rename(tmp_path / "4.npy")
    assert samples.read_labels(there, 3) is None
    assert not (samples.read_labels(there, 4) == Label.TEETH).any()
    assert samples.read_picture(there, 1000) is None


def test_columns_know_their_extremes():
    columns = samples.table([{"number": 3.0, "a": 1.0}, {"number": 8.0}, {"number": 9.0, "a": 5.0}])
    assert samples.median(columns, "a") == samples.mean(columns, "a") == 3
    assert samples.extreme(columns, "a", 1) == (9,)
    assert samples.extreme(columns, "a", -1) == (3,)
    assert samples.extreme(columns, "b", 1) == ()
    assert np.isnan(samples.mean(columns, "b"))
