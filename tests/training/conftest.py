import jax
import pytest

from emojax import head as heads
from emojax.data import clip as clips
from tests.data import actor, folders
from tests.training import small


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    film = actor.film(num_frames=small.COUNT, size=small.SIZE, seed=4)
    return folders.write_folder(film, tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="session")
def clip(folder):
    return clips.load(folder)


@pytest.fixture(scope="session")
def head():
    return heads.init(jax.random.key(0), small.HEAD)
