"""What a clip's landmarks tell of its emotions: moods are found, speech is no mood."""

import dataclasses

import numpy as np
import pytest

from emojax.data import face68
from emojax.emotion import estimate
from tests.drive import scene

FACE = face68.MEAN_SHAPE[:, :2] * (1, -1) + 100
COUNT = 300


def _film(**shifts):
    """Landmarks [T, 68, 2] of a face whose groups of points move by shifts [T, 2], in mm."""
    film = np.tile(FACE, (COUNT, 1, 1))
    groups = {
        "brows": face68.BROWS,
        "corners": (48, 54),
        "lids": (37, 38, 43, 44),
        "lower_lip": (56, 57, 58, 65, 66, 67),
    }
    for name, shift in shifts.items():
        film[:, list(groups[name])] += np.asarray(shift)[:, None]
    return film


def _down(millimetres):
    return np.stack([np.zeros(COUNT), millimetres], axis=-1)


NO_CUTS = np.zeros(0, int)
LATE = np.arange(COUNT) >= 200  # the last third


def test_a_mood_in_a_part_of_the_clip_is_found_there():
    raised = estimate.course(_film(brows=_down(-4.0 * LATE)), NO_CUTS)
    assert raised[250:, 1].min() > 0.4
    assert np.abs(raised[:150]).max() < 0.15
    assert raised.dtype == np.float32


def test_what_a_face_shows_most_of_the_time_is_neutral():
    film = _film(brows=_down(-4.0 * ~LATE))
    found = estimate.course(film, NO_CUTS)
    assert np.abs(found[:150]).max() < 0.15
    beginning = estimate.course(film, NO_CUTS, num_neutral=150)
    np.testing.assert_allclose(beginning[:150], found[:150], atol=0.05)


def test_speech_and_blinks_are_no_moods():
    time = np.arange(COUNT)
    lips = 4 * np.maximum(np.sin(2 * np.pi * time / 7), 0)
    blinks = 6.0 * (time % 60 < 4)
    found = estimate.course(_film(lower_lip=_down(lips), lids=_down(blinks)), NO_CUTS)
    assert np.abs(found).max() < 0.25


def test_nothing_is_smoothed_across_a_cut():
    film = _film(brows=_down(-4.0 * LATE))
    cut = estimate.course(film, np.array([200]))
    assert np.abs(cut[199] - cut[0]).max() < 0.02
    assert np.abs(cut[200] - cut[299]).max() < 0.02
    soft = estimate.course(film, NO_CUTS)
    assert soft[196, 1] > cut[196, 1] + 0.1


def test_a_clip_without_emotions_gets_them_and_says_so():
    talk = scene.clip(60)
    talk = dataclasses.replace(talk, landmarks=np.tile(np.float32(FACE), (60, 1, 1)))
    filled = estimate.fill(talk)
    assert filled.valence_arousal.shape == (60, 2)
    assert filled.fallbacks == (estimate.NOTE,)
    assert estimate.fill(filled) is filled


@pytest.mark.parametrize("count", [1, 5, 30])
def test_short_clips_have_an_estimate(count):
    found = estimate.course(np.tile(FACE, (count, 1, 1)), NO_CUTS)
    assert found.shape == (count, 2)
    assert np.isfinite(found).all()
