"""Folders that several modules of these tests share."""

import shutil

import pytest

from tests.data import actor, folders


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A film, and a folder of it made elsewhere: 30 frames of 64 pixels, no manifest."""
    few = actor.film(num_frames=30, size=64, seed=3)
    return few, folders.write_folder(few, tmp_path_factory.mktemp("small"))


@pytest.fixture
def folder(small, tmp_path):
    """A copy of the small folder."""
    return shutil.copytree(small[1], tmp_path / "copy")
