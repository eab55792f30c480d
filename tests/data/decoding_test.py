"""The first stage; what it makes of a portrait is in pipeline_test.py."""

import functools
import logging

import pytest

from emojax.data import decoding, files, record
from emojax.data.errors import DataError
from emojax.data.job import Job, Settings
from tests.data import actor, media

SIZE = 256  # at which dlib finds the drawn face


def _job(folder, **settings):
    return Job(folder, Settings(**settings), record.empty(), lambda iterable, name: iterable)


def test_a_given_square_is_cut_and_the_source_noted(tmp_path, caplog):
    times, sound = media.regular(25, 10), media.clicks([1.0], 8.5)
    draw = functools.partial(media.picture, width=128, height=96)
    video = media.write(tmp_path / "talk.mkv", times=times, sound=sound, draw=draw)
    job = _job(tmp_path, video=video, crop="32,0,96", size=32)
    with caplog.at_level(logging.WARNING):
        decoding.decode(job)
    assert len(job.frames()) == 212
    assert job.frames()[0].shape == (32, 32, 3)
    assert (tmp_path / files.SOUND).exists()
    noted = job.manifest["video"]
    assert noted["crop"] == {"left": 32, "top": 0, "side": 96}
    assert noted["left_out"][0] == pytest.approx(1.5, abs=0.05)
    assert "timestamps" not in noted
    assert "10.0 s of pictures and 8.5 s of sound" in caplog.text


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        ({"size": 64, "face_lost": (0, 30)}, "a face that looks"),
        ({"size": SIZE, "second_face": True}, "one face in the picture"),
    ],
)
def test_nobody_and_several_people_are_refused(tmp_path, drawn, message):
    pytest.importorskip("dlib", reason="needs the extra face: dlib-bin")
    video = tmp_path / "talk.mp4"
    actor.write_video(video, actor.film(num_frames=30, **drawn))
    with pytest.raises(DataError, match=message):
        decoding.decode(_job(tmp_path, video=video, size=SIZE))
