"""What a film feels, from each kind of source."""

import dataclasses
import json

import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.drive import emotion
from emojax.head import HeadConfig
from tests.drive import scene

CONFIG = HeadConfig(emotion="encoded")
ROWS = np.arange(50) % 30


@pytest.fixture(scope="module")
def clip():
    return scene.clip(30)


def test_a_head_without_emotions_has_none_and_refuses_one(clip):
    assert emotion.plan(clip, HeadConfig(), None, ROWS).values is None
    with pytest.raises(DataError, match="trained with emotions"):
        emotion.plan(clip, HeadConfig(), "happy", ROWS)


def test_nothing_said_is_neutral(clip):
    np.testing.assert_array_equal(emotion.plan(clip, CONFIG, None, ROWS).values, np.zeros((50, 2)))


def test_a_class_and_a_point_are_held(clip):
    happy = emotion.plan(clip, CONFIG, "happy", ROWS).values
    assert (happy == happy[0]).all()
    assert happy[0, 0] > 0.5
    point = emotion.plan(clip, CONFIG, (-0.3, 0.4), ROWS).values
    np.testing.assert_allclose(point, np.tile([-0.3, 0.4], (50, 1)), atol=1e-6)


def test_a_circle_has_its_radius_and_period(clip):
    course = emotion.plan(clip, CONFIG, "circle", ROWS, radius=0.5, period=1.0).values
    np.testing.assert_allclose(np.linalg.norm(course, axis=1), 0.5, atol=1e-6)
    np.testing.assert_allclose(course[:25], course[25:], atol=1e-5)


def test_keyframes_of_a_file_are_passed(clip, tmp_path):
    path = tmp_path / "course.json"
    path.write_text(json.dumps([[0, 0, 0], [1, 0.6, 0.2]]))
    course = emotion.plan(clip, CONFIG, path, ROWS).values
    np.testing.assert_allclose(course[[0, 25, 49]], [[0, 0], [0.6, 0.2], [0.6, 0.2]], atol=1e-6)


def test_the_clips_own_follows_its_rows(clip):
    own = np.random.default_rng(0).uniform(-0.5, 0.5, (30, 2)).astype(np.float32)
    felt = emotion.plan(dataclasses.replace(clip, valence_arousal=own), CONFIG, "clip", ROWS)
    np.testing.assert_array_equal(felt.values, own[ROWS])
    without = emotion.plan(clip, CONFIG, "clip", ROWS)
    assert not without.values.any()
    assert "va.npy" in without.notes[0]


def test_points_outside_the_disc_are_clipped_or_refused(clip):
    with pytest.warns(UserWarning, match="rim"):
        held = emotion.plan(clip, CONFIG, (3.0, 4.0), ROWS).values
    np.testing.assert_allclose(held[0], [0.6, 0.8], atol=1e-6)
    with pytest.raises(DataError, match="at most 1"):
        emotion.plan(clip, CONFIG, (3.0, 4.0), ROWS, outside="refuse")


def test_keyframes_behind_the_end_are_refused(clip, tmp_path):
    path = tmp_path / "course.json"
    path.write_text(json.dumps([[0, 0, 0], [9, 0.6, 0.2]]))
    with pytest.raises(DataError, match="within the sound"):
        emotion.plan(clip, CONFIG, path, ROWS)
