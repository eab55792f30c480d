"""Opening: what is no media file is refused in words, odd names are ordinary."""

import numpy as np
import pytest

from emojax.data import media
from emojax.data.errors import DataError
from tests.data import media as make


def _open(path):
    with media.open_media(path) as container:
        return container.format.name


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.mp4", b"", "zero bytes"),
        ("a.mp4", b"hello world\n" * 50, "not a media file"),
        ("a.txt", b"hello world\n" * 50, "a text file"),
        ("a.mp4", np.random.default_rng(0).bytes(5000), "not a media file"),
        ("a.mp4", bytes(4) + b"ftypisom" + bytes(5000), "index is missing"),
    ],
)
def test_a_file_that_is_no_media_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"expected a video file; got .*{message}.*\. \w+"):
        _open(tmp_path / name)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        _open(tmp_path / "absent.mp4")
    with pytest.raises(DataError, match="a folder"):
        _open(tmp_path)


def test_an_mp4_cut_before_its_index_is_named_as_such(tmp_path):
    path = make.write(tmp_path / "a.mp4", times=make.regular(25, 1))
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(DataError, match="the recording was cut off"):
        _open(path)


@pytest.mark.parametrize("name", ["with blank.mp4", "Zoë 日本.mp4", "take 1:2.mp4", "50%03d.mp4"])
def test_odd_names_open_as_text_and_as_path(tmp_path, name):
    path = make.write(tmp_path / "plain.mp4", times=make.regular(25, 0.2)).rename(tmp_path / name)
    assert "mp4" in _open(path)
    assert "mp4" in _open(str(path))


def test_titles_in_latin_1_do_not_matter(tmp_path):
    path = make.write(tmp_path / "a.mp4", times=make.regular(25, 0.2))
    path.write_bytes(path.read_bytes().replace(b"Lavf", b"\xe9\xff\xfe\xe8"))
    assert "mp4" in _open(path)


def test_damaged_packets_are_left_out_and_the_rest_is_read(tmp_path):
    path = make.write(
        tmp_path / "a.mkv", times=make.regular(25, 1), codec="mjpeg", pix_fmt="yuvj420p"
    )
    make.damage(path, 0.4, 0.6)
    with media.open_media(path) as container:
        stream = media.main_stream(container, path, kind="video")
        times = [float(f.pts * stream.time_base) for f in media.decode(container, stream)]
    np.testing.assert_allclose(times, [t for t in make.regular(25, 1) if not 0.4 <= t < 0.6])
