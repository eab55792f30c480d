"""Probing: sizes, rates, rotation, times; files that cannot become a data set."""

import numpy as np
import pytest

from emojax.data import tracks
from emojax.data.errors import DataError
from tests.data import media as make

ROTATIONS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def test_the_facts_of_a_plain_file(tmp_path):
    path = make.write(
        tmp_path / "a.mov",
        times=make.regular(30, 2, start=0.08),
        sound=make.clicks([1.0], 1.5, rate=44100, start=0.2),
        rate=30,
    )
    facts = tracks.probe(path)
    assert (facts.codec, facts.num_frames, facts.is_variable) == ("h264", 60, False)
    assert (facts.width, facts.height, facts.rotation) == (make.WIDTH, make.HEIGHT, 0)
    assert (facts.coded_width, facts.coded_height) == (make.WIDTH, make.HEIGHT)
    np.testing.assert_allclose([facts.nominal_fps, facts.fps], 30, rtol=1e-3)
    np.testing.assert_allclose([facts.start, facts.duration], [0.08, 2.0], atol=1e-4)
    np.testing.assert_allclose(facts.interval, 1 / 30, atol=1e-4)
    assert (facts.audio.codec, facts.audio.rate, facts.audio.channels) == ("pcm_s16le", 44100, 2)
    np.testing.assert_allclose([facts.audio.start, facts.audio.duration], [0.2, 1.5], atol=1e-3)


def test_a_video_without_sound_has_no_track(tmp_path):
    assert tracks.probe(make.write(tmp_path / "a.mp4", times=make.regular(25, 0.4))).audio is None


@pytest.mark.parametrize("rate", [24, 30, 60])
def test_rounded_times_are_not_variable(tmp_path, rate):
    path = make.write(tmp_path / "a.mkv", times=make.regular(rate, 1), rate=rate)
    assert not tracks.probe(path).is_variable


def test_a_phone_that_slows_down_in_the_dark_is_variable(tmp_path):
    times = make.regular(30, 1) + make.regular(20, 1, start=1.0)
    facts = tracks.probe(make.write(tmp_path / "a.mp4", times=times, rate=30))
    assert facts.is_variable
    np.testing.assert_allclose(facts.fps, 49 / 1.95, rtol=1e-3)


@pytest.mark.parametrize("rotation", ROTATIONS)
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_display_matrix(tmp_path, rotation, mirrored):
    path = make.write(tmp_path / "a.mp4", times=make.regular(25, 0.2))
    a, b, c, d = ROTATIONS[rotation]
    make.set_display_matrix(path, (-a, -b, c, d) if mirrored else (a, b, c, d))
    facts = tracks.probe(path)
    assert (facts.rotation, facts.is_mirrored) == (rotation, mirrored)
    wide = (make.WIDTH, make.HEIGHT)
    assert (facts.width, facts.height) == (wide if rotation % 180 == 0 else wide[::-1])


def test_pixels_become_square(tmp_path):
    path = make.write(tmp_path / "a.mp4", times=make.regular(25, 0.2), sar=make.Fraction(4, 3))
    facts = tracks.probe(path)
    assert (facts.coded_width, facts.width, facts.height) == (64, round(64 * 4 / 3), 48)


def test_avi_starts_with_its_first_picture(tmp_path):
    path = make.write(
        tmp_path / "a.avi",
        times=make.regular(25, 1),
        time_base=make.Fraction(1, 25),
        codec="mpeg4",
        options={"bf": "2"},
    )
    np.testing.assert_allclose(tracks.probe(path).timestamps, make.regular(25, 1), atol=1e-9)


def test_pictures_before_an_edit_list_do_not_count(tmp_path):
    path = make.write(
        tmp_path / "a.mp4",
        times=make.regular(25, 2, start=-0.4),
        sound=make.clicks([1.0], 1.6, codec="aac"),
        options={"bf": "2", "preset": "veryfast"},
    )
    facts = tracks.probe(path)
    assert (facts.num_frames, facts.start) == (40, 0.0)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_a_truncated_file_is_refused_with_what_is_left(tmp_path, name):
    path = make.write(
        tmp_path / name,
        times=make.regular(25, 3),
        sound=make.clicks([1.0], 3, codec="aac"),
        container={"movflags": "faststart"}
        if name.endswith("mp4")
        else {"cluster_time_limit": "500"},
    )
    data = path.read_bytes()
    path.write_bytes(data[: int(0.7 * len(data))])
    with pytest.raises(
        DataError, match=r"expected 3\.0 s.*truncated.*of which [12]\.\d s .*-c copy"
    ):
        tracks.probe(path)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("sound", "sound only"),
        ("picture", "a still picture"),
        ("raw", "without timestamps"),
        ("encrypted", "unknown or encrypted"),
    ],
)
def test_what_holds_no_video_is_refused(tmp_path, kind, message):
    if kind == "sound":
        path = make.write(tmp_path / "a.m4a", sound=make.clicks([0.1], 0.5, codec="aac"))
    elif kind == "picture":
        path = make.write(tmp_path / "a.mp4", times=[0.0], sound=make.clicks([0.1], 0.5))
    elif kind == "raw":
        path = make.write(tmp_path / "a.h264", times=make.regular(25, 0.4))
    else:
        path = make.write(tmp_path / "a.mp4", times=make.regular(25, 0.4))
        path.write_bytes(path.read_bytes().replace(b"avc1", b"encv"))
    with pytest.raises(DataError, match=message):
        tracks.probe(path)
