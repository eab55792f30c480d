import dataclasses

import pytest

from emojax.data.errors import DataError
from emojax.drive import frames, speed
from tests.drive import scene


@pytest.fixture
def clip(tmp_path):
    scene.write_sound(tmp_path / "aud.wav", scene.speech(0.6))
    return dataclasses.replace(scene.clip(20, size=32), folder=tmp_path)


def test_the_whole_path_is_timed_in_parts(clip):
    found = speed.measure(frames.ready(scene.tiny_head()), clip)
    assert found.frames == 15
    assert set(found.milliseconds) == {"hear", "prepare", "draw", "encode"}
    assert min(found.milliseconds.values()) >= 0
    # What runs side by side adds up to more than the whole; no part alone does.
    assert found.milliseconds["draw"] * found.frames_per_second <= 1000 * 1.05


def test_features_that_cannot_be_made_here_are_refused(clip):
    clip = dataclasses.replace(clip, audio=dataclasses.replace(clip.audio, name="deepspeech"))
    with pytest.raises(DataError):
        speed.measure(frames.ready(scene.tiny_head()), clip)
