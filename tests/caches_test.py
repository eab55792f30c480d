import os
import pathlib
import tempfile

import jax
import pytest

from emojax import caches


def test_the_users_folder_is_the_first_that_is_named(monkeypatch):
    monkeypatch.setenv("EMOJAX_CACHE", "a")
    monkeypatch.setenv("XDG_CACHE_HOME", "b")
    assert caches.user_folder() == pathlib.Path("a")
    monkeypatch.delenv("EMOJAX_CACHE")
    assert caches.user_folder() == pathlib.Path("b/emojax")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert caches.user_folder() == pathlib.Path.home() / ".cache" / "emojax"


def test_a_folder_is_open_where_it_can_be_made_and_written_to(tmp_path):
    assert caches.why_closed(tmp_path / "new" / "one") is None
    assert list((tmp_path / "new" / "one").iterdir()) == []
    (tmp_path / "file").touch()
    assert caches.why_closed(tmp_path / "file") == "File exists"
    assert caches.why_closed(tmp_path / "file" / "below") == "Not a directory"


@pytest.mark.skipif(os.name == "nt", reason="needs the rights of Unix")
def test_the_temporary_folder_is_nobody_elses(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    first = caches.temporary_folder()
    assert first == caches.temporary_folder()
    assert first.stat().st_mode & 0o777 == 0o700
    first.chmod(0o777)  # anybody could have put a library there
    second = caches.temporary_folder()
    assert second != first
    assert second.parent == tmp_path
    second.rename(tmp_path / "mine")
    first.rmdir()
    first.symlink_to(tmp_path / "mine")
    assert caches.temporary_folder() not in (first, tmp_path / "mine")


@pytest.fixture
def no_folder():
    """No folder for compiled programs is chosen; afterwards the suite's own is."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", before)


def test_programs_are_kept_by_kind_of_processor(tmp_path, monkeypatch, no_folder):
    monkeypatch.setenv("EMOJAX_CACHE", str(tmp_path))
    caches.keep_programs()
    first = pathlib.Path(jax.config.jax_compilation_cache_dir)
    assert first.parent == tmp_path / "programs"
    assert first.is_dir()
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.setattr(caches, "_processor", lambda: "another")
    caches.keep_programs()
    assert pathlib.Path(jax.config.jax_compilation_cache_dir) != first


def test_a_users_folder_for_programs_stands(tmp_path, monkeypatch, no_folder):
    monkeypatch.setenv("EMOJAX_CACHE", str(tmp_path / "ours"))
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "theirs"))
    caches.keep_programs()
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "theirs")
    assert not (tmp_path / "ours").exists()


def test_programs_are_not_kept_where_the_cache_is_closed(tmp_path, monkeypatch, no_folder):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EMOJAX_CACHE", str(tmp_path / "file"))
    caches.keep_programs()
    assert jax.config.jax_compilation_cache_dir is None
