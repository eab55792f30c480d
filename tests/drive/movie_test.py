import errno
import os

import av
import numpy as np
import pytest

from emojax.data import carriers, provenance
from emojax.data.errors import DataError
from emojax.data.provenance import Provenance
from emojax.drive import movie, sound
from tests.drive import scene


def _sound(tmp_path, seconds, rate=16000, waveform=None):
    waveform = scene.speech(seconds, rate) if waveform is None else waveform
    return sound.read(scene.write_sound(tmp_path / "sound.wav", waveform, rate))


def _pictures(count, height=32, width=48):
    for t in range(count):
        picture = np.zeros((height, width, 3), np.uint8)
        picture[:, : width // 2] = [200, 60, 40]
        picture[:, width // 2 :] = [20, 40, (7 * t) % 256]
        yield picture


@pytest.mark.parametrize(
    ("seconds", "rate", "count"), [(0.1, 16000, 3), (2.0, 44100, 50), (1.03, 96000, 26)]
)
def test_a_film_is_exactly_as_long_as_its_sound(tmp_path, seconds, rate, count):
    heard = _sound(tmp_path, seconds, rate)
    assert movie.write(tmp_path / "a film.mp4", _pictures(count), heard) == count
    with av.open(str(tmp_path / "a film.mp4")) as container:
        film, track = container.streams.video[0], container.streams.audio[0]
        assert film.codec_context.name == "h264"
        assert track.codec_context.name == "aac"
        assert track.rate == heard.rate
        assert float(film.duration * film.time_base) == pytest.approx(seconds, abs=1e-4)
        assert float(track.duration * track.time_base) == pytest.approx(seconds, abs=1e-3)
        times = [float(frame.pts * film.time_base) for frame in container.decode(film)]
    np.testing.assert_allclose(times, np.arange(count) / 25, atol=1e-6)


def test_colours_and_sound_survive(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(32000) / 16000)
    heard = _sound(tmp_path, 2.0, waveform=tone)
    movie.write(tmp_path / "film.mp4", _pictures(50), heard)
    with av.open(str(tmp_path / "film.mp4")) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    np.testing.assert_allclose(picture[16, 8], [200, 60, 40], atol=6)
    again = sound.read(tmp_path / "film.mp4")
    middle = slice(4000, 28000)
    assert np.corrcoef(again.waveform[middle], tone[middle])[0, 1] > 0.99  # in time, too


@pytest.mark.parametrize("options", [{}, {"about": Provenance(run="0123", mark="synthetic")}])
def test_every_film_says_that_it_is_synthetic_in_the_same_bits(tmp_path, options):
    heard, written = _sound(tmp_path, 0.1), []
    for name in ("one.mp4", "two.mp4"):
        movie.write(tmp_path / name, _pictures(3), heard, **options)
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    said = carriers.read(tmp_path / "one.mp4")
    about = options.get("about", provenance.UNKNOWN)
    assert said == (about, provenance.SOURCE_TYPE, True)
    with av.open(str(tmp_path / "one.mp4")) as container:
        assert "Synthetic" in container.metadata["description"]
        assert len(list(container.decode(video=0))) == 3


def test_an_odd_size_is_made_even(tmp_path):
    movie.write(tmp_path / "film.mp4", _pictures(3, 33, 31), _sound(tmp_path, 0.1))
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (32, 34)


def test_an_interrupted_film_leaves_nothing(tmp_path):
    def interrupted():
        yield from _pictures(10)
        raise KeyboardInterrupt

    heard = _sound(tmp_path, 1.0)
    (tmp_path / "film.mp4").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        movie.write(tmp_path / "film.mp4", interrupted(), heard, overwrite=True)
    assert (tmp_path / "film.mp4").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["film.mp4", "sound.wav"]


def test_what_a_killed_render_left_goes_and_what_another_writes_stays(tmp_path):
    (tmp_path / ".film.0123abcd.partial").write_bytes(b"killed")
    (tmp_path / ".other.0123abcd.partial").write_bytes(b"of another film")
    heard, during = _sound(tmp_path, 0.1), []

    def other():
        """Pictures of a second render of the same film, which takes place during the first."""
        for number, picture in enumerate(_pictures(3)):
            if number == 1:
                movie.write(tmp_path / "film.mp4", _pictures(3), heard)
                during.extend(tmp_path.glob(".film.*"))
            yield picture

    movie.write(tmp_path / "film.mp4", other(), heard, overwrite=True)
    assert len(during) == 1  # the first one's, which was being written
    left = sorted(os.listdir(tmp_path))
    assert left == [".other.0123abcd.partial", "film.mp4", "sound.wav"]


def test_a_full_disk_is_named(tmp_path):
    def full():
        yield from _pictures(2)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DataError, match="a full disk"):
        movie.write(tmp_path / "film.mp4", full(), _sound(tmp_path, 1.0))
    assert os.listdir(tmp_path) == ["sound.wav"]


@pytest.mark.parametrize("count", [2, 4])
def test_another_number_of_pictures_is_a_mistake_of_the_caller(tmp_path, count):
    with pytest.raises(ValueError, match="expected 3 pictures"):
        movie.write(tmp_path / "film.mp4", _pictures(count), _sound(tmp_path, 0.1))
    assert os.listdir(tmp_path) == ["sound.wav"]


def test_places_are_checked_before_any_work(tmp_path):
    heard = _sound(tmp_path, 0.1)
    (tmp_path / "old.mp4").write_bytes(b"old")
    (tmp_path / "folder.mp4").mkdir()
    for name, message in {
        "old.mp4": "--overwrite",
        "film.avi": "ends in .mp4",
        "folder.mp4": "a folder",
        "absent/film.mp4": "a folder to write to",
    }.items():
        with pytest.raises(DataError, match=message):
            movie.write(tmp_path / name, iter(()), heard)
    movie.write(tmp_path / "old.mp4", _pictures(3), heard, overwrite=True)
    assert (tmp_path / "old.mp4").stat().st_size > 1000
