"""Trembling, flicker and silence on made-up courses."""

import numpy as np
import pytest

from emojax.data import audio, face68, files
from emojax.data.labels import Label
from emojax.metrics import stability

COUNT = 12
NONE = np.zeros(0, np.int64)


@pytest.fixture
def faces():
    """A mean face that drifts, [T, 68, 2]."""
    drift = np.stack([np.arange(COUNT) ** 2, np.arange(COUNT)], axis=-1)
    return face68.MEAN_SHAPE[:, :2] * [1, -1] + 100 + 0.3 * drift[:, None]


def test_frames_beside_cuts_and_ends_have_no_second_difference():
    np.testing.assert_array_equal(
        stability.inner(np.array([3]), 6), [False, True, False, False, True, False]
    )
    assert not stability.inner(NONE, 1).any()


def test_true_motion_does_not_tremble_but_an_alternating_error_does(faces):
    still = stability.jitter(faces, faces, NONE)
    assert np.isnan(still[[0, -1]]).all()
    np.testing.assert_array_equal(still[1:-1], 0)
    np.testing.assert_allclose(stability.jitter(faces + 3, faces, NONE)[1:-1], 0, atol=1e-12)
    shaken = faces + 0.5 * (-1.0) ** np.arange(COUNT)[:, None, None] * [1, 0]
    np.testing.assert_allclose(stability.jitter(shaken, faces, NONE)[1:-1], 2)
    assert np.isnan(stability.jitter(shaken, faces, np.array([5]))[[4, 5]]).all()


def test_flicker_is_the_errors_change_over_the_head():
    labels = np.full((8, 8), Label.BACKGROUND, np.uint8)
    labels[:4] = Label.FACE
    errors = np.zeros((3, 8, 8, 3))
    errors[:, :4] = 0.2
    assert stability.flicker(errors, labels) == 0
    errors[1] += 0.1
    assert stability.flicker(errors, labels) == pytest.approx(2 * 25.5)
    assert np.isnan(stability.flicker(errors, np.zeros_like(labels)))


def test_silence_keeps_away_from_speech(tmp_path):
    rng = np.random.default_rng(0)
    waveform = np.zeros(640 * 60)
    waveform[640 * 20 : 640 * 40] = 0.3 * rng.normal(size=640 * 20)
    audio.write_wav(tmp_path / files.SOUND, waveform)
    silent = stability.silent_frames(tmp_path, np.arange(60))
    expected = np.ones(60, bool)
    expected[20 - stability.MARGIN : 40 + stability.MARGIN] = False
    np.testing.assert_array_equal(silent, expected)
    beyond = stability.silent_frames(tmp_path, np.array([10, 30, 70]))
    np.testing.assert_array_equal(beyond, [True, False, True])


def test_silence_is_unknown_without_sound(tmp_path):
    assert stability.silent_frames(tmp_path, np.arange(3)) is None
    audio.write_wav(tmp_path / files.SOUND, np.zeros(6400))
    assert stability.silent_frames(tmp_path, np.arange(3)) is None


def test_lips_that_move_in_silence_are_seen(faces):
    silent = np.zeros(COUNT, bool)
    silent[4:9] = True
    np.testing.assert_allclose(
        stability.silent_motion(faces, faces, silent, NONE)[5:9], 0, atol=1e-9
    )
    moving = faces.copy()
    moving[6:, 66, 1] += 9.0
    motion = stability.silent_motion(moving, faces, silent, np.array([8]))
    eyes = face68.eye_distance(faces)
    assert np.isfinite(motion).nonzero()[0].tolist() == [5, 6, 7]
    assert motion[6] == pytest.approx(100 * 9 / eyes[6])
    gap = stability.silent_gap(moving, faces, silent)
    assert gap[4] == 0
    assert gap[7] == pytest.approx(100 * 9 / eyes[7])
    assert np.isnan(gap[10])
