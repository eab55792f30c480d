import errno
import os
import pathlib

import numpy as np
import pytest

from emojax.data import files
from emojax.data.errors import DataError


def _noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(9, 7, 3), (9, 7, 4)])
def test_png_round_trip_under_a_strange_name(tmp_path, shape):
    folder = tmp_path / "Äpfel und Öl 王"
    files.make_folder(folder)
    files.write_picture(folder / "1.png", _noise(*shape))
    picture = files.read_picture(folder / "1.png", alpha=shape[-1] == 4)
    np.testing.assert_array_equal(picture, _noise(*shape))


def test_a_jpeg_keeps_red_lips_red(tmp_path):
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[15:17] = [200, 30, 40]  # two rows: halved colour resolution would smear them
    files.write_picture(tmp_path / "1.jpg", picture)
    error = np.abs(files.read_picture(tmp_path / "1.jpg").astype(int) - picture)
    assert error.max() < 25


def test_a_picture_without_alpha_is_opaque(tmp_path):
    files.write_picture(tmp_path / "1.png", _noise(4, 4, 3))
    assert (files.read_picture(tmp_path / "1.png", alpha=True)[..., 3] == 255).all()


def test_a_reader_never_sees_half_of_a_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    files.write_text(path, "old")

    def full(self, data):
        with open(self, "wb") as file:
            file.write(data[:1])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(DataError, match="full disk"):
        files.write_text(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_killed_write_leaves_nothing(tmp_path, monkeypatch):
    def killed(self, data):
        self.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(pathlib.Path, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        files.write_text(tmp_path / "a.json", "new")
    assert not list(tmp_path.iterdir())


def test_half_written_leftovers_are_cleared_once_nobody_writes_them(tmp_path):
    old, new = files.partial(tmp_path / "64"), files.partial(tmp_path / "65")
    single = files.partial(tmp_path / "a.json")
    for folder in (old, new):
        folder.mkdir()
        (folder / "images.npy").touch()
    single.touch()
    (tmp_path / "mine.partial").touch()
    for path in (old, old / "images.npy", new, single):
        os.utime(path, (0, 0))
    files.clear_partial(tmp_path, idle=3600)
    assert {path.name for path in tmp_path.iterdir()} == {new.name, "mine.partial"}
    files.clear_partial(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.partial"]
    files.clear_partial(tmp_path / "absent")


def test_what_is_no_folder_is_named(tmp_path):
    assert files.check_folder(str(tmp_path)) == tmp_path
    with pytest.raises(DataError, match="the folder of a data set"):
        files.check_folder(tmp_path / "absent")


def test_a_closed_place_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="place to write to"):
        files.make_folder(tmp_path / "file" / "below")
    with pytest.raises(DataError, match="Choose a folder"):
        files.write_text(tmp_path / "nowhere" / "x", "")


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_what_is_no_picture_is_named(tmp_path, content):
    path = tmp_path / "1.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="picture"):
        files.read_picture(path)


def test_numbers_order_by_value(tmp_path):
    for number in (10, 9, 0):
        (tmp_path / f"{number}.jpg").touch()
    (tmp_path / ".9.jpg.partial").touch()
    (tmp_path / "9.lms").touch()
    assert list(files.numbered(tmp_path, ".jpg")) == [0, 9, 10]
    assert files.numbered(tmp_path / "absent", ".jpg") == {}


@pytest.mark.parametrize("stray", ["1 copy.jpg", "01.jpg", "x.jpg"])
def test_misnumbered_pictures_are_named(tmp_path, stray):
    (tmp_path / "1.jpg").touch()
    (tmp_path / stray).touch()
    with pytest.raises(DataError, match=r"jpg"):
        files.numbered(tmp_path, ".jpg")


def test_a_file_is_told_from_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    assert files.check_folder(str(tmp_path)) == tmp_path
    with pytest.raises(DataError, match=r"got .*file, a file"):
        files.check_folder(tmp_path / "file")
    with pytest.raises(DataError, match=r"got .*nothing, which is not there"):
        files.check_folder(tmp_path / "nothing")


def test_a_folder_is_checked_before_work_begins(tmp_path):
    files.check_writable(tmp_path)
    (tmp_path / "file").touch()
    for folder in (tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(DataError, match="a folder to write to at"):
            files.check_writable(folder)
