import shutil

import jax
import numpy as np
import pytest

from emojax.data import clip, surfaces
from emojax.data.errors import DataError
from emojax.data.labels import Label
from emojax.puppet import emotional, twins
from tests.puppet import footage

COUNT = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("film") / "copy"
    shutil.copytree(footage.folder(), place, ignore=shutil.ignore_patterns(".packed"))
    emotional.write(jax.random.key(0), place, COUNT, samples=1)
    return place


def test_training_reads_them(folder):
    found = clip.load(folder)
    pictures = found.emotional
    assert (len(pictures), pictures.source) == (COUNT, "twins")
    assert (np.linalg.norm(pictures.emotions, axis=1) <= 1).all()
    assert len(found.emotional_rows) == COUNT  # none of a frame that is held out
    assert len(set(pictures.frames)) == COUNT


def test_each_is_its_frames_twin_with_all_truth(folder):
    found = clip.load(folder)
    pictures, recording = found.emotional, twins.read(folder)
    for m in range(COUNT):
        drawn, _ = twins.draw(recording, int(pictures.frames[m]), pictures.emotions[m], samples=1)
        assert np.abs(255 * np.asarray(drawn.image) - pictures.images[m]).mean() < 1.5  # JPEG
        batch = clip.batch(found, np.array([len(found) + m]))
        face = batch.labels[0] == Label.FACE
        normals = surfaces.from_bytes(batch.normals[0])[face]
        assert normals[:, 2].mean() > 0.6  # towards the viewer
        mine = clip.batch(found, found.frame_rows(np.array([len(found) + m])))
        shift = np.linalg.norm(batch.landmarks - mine.landmarks, axis=-1)
        assert 0 < shift.max() < 0.1 * found.size


def test_the_same_key_gives_the_same_pictures(folder, tmp_path):
    place = tmp_path / "copy"
    shutil.copytree(footage.folder(), place, ignore=shutil.ignore_patterns(".packed", "emotional"))
    emotional.write(jax.random.key(0), place, COUNT, samples=1)
    for m in range(COUNT):
        pair = [(where / f"emotional/{m}.jpg").read_bytes() for where in (folder, place)]
        assert pair[0] == pair[1]


def test_none_asked_for_is_refused(folder):
    with pytest.raises(DataError, match="one twin"):
        emotional.write(jax.random.key(0), folder, 0)


def test_those_that_are_there_stay(folder):
    with pytest.raises(DataError, match="--overwrite"):
        emotional.write(jax.random.key(1), folder, 1, samples=1)
    assert len(clip.load(folder).emotional) == COUNT
