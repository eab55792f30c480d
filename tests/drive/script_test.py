import dataclasses

import jax
import numpy as np
import pytest

from emojax.data import clip as clips
from emojax.data.errors import DataError
from emojax.drive import script, sound
from emojax.head import HeadConfig
from tests.drive import scene

CONFIG = HeadConfig()


@pytest.fixture(scope="module")
def clip():
    return scene.clip(60)


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "speech.wav"
    return sound.read(scene.write_sound(path, scene.speech(4.0)))


def _plan(clip, heard, **options):
    return script.plan(jax.random.key(0), clip, CONFIG, heard, **options)


def test_pose_expression_and_torso_are_of_one_row(clip, heard):
    planned = _plan(clip, heard)
    assert len(planned) == 100
    np.testing.assert_array_equal(planned.world_to_camera, clip.world_to_camera[planned.rows])
    np.testing.assert_allclose(planned.action_units[:, 0], planned.rows / 60, rtol=1e-6)
    assert planned.notes == ()


def test_the_face_lives_where_the_pose_is_fixed(clip, heard):
    planned = _plan(clip, heard, pose="fixed")
    assert len(np.unique(planned.rows)) == 1
    assert np.ptp(planned.action_units[:, 0]) > 0.1


def test_scenes_are_rows_of_the_script(clip, heard):
    planned = _plan(clip, heard)
    frames = np.array([0, 70, 70, 3])
    some = script.scenes(planned, clip, frames)
    assert some.condition.audio.shape == (4, 8, 16, 80)
    np.testing.assert_array_equal(some.condition.action_units, planned.action_units[frames])
    expected = clips.backdrop(clip.torso[planned.rows[frames]], clip.background)
    np.testing.assert_array_equal(some.backdrops, expected)


def test_the_same_arguments_give_the_same_script(clip, heard):
    first, second = (_plan(clip, heard, expression="fixed") for _ in range(2))
    np.testing.assert_array_equal(first.action_units, second.action_units)


def test_a_clip_with_other_features_is_refused(clip, heard):
    config = dataclasses.replace(CONFIG, features="deepspeech", window=(16, 29))
    with pytest.raises(DataError, match=r"deepspeech features \[16, 29\].*got mel \[16, 80\]"):
        script.plan(jax.random.key(0), clip, config, heard)
