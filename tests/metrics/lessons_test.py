"""Lessons: a puppet's faces as dlib sees them, and how they differ from rest."""

import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.emotion import measures
from emojax.metrics import lessons
from tests.puppet import filmed

SMALL = {"frames": 2, "points": 2, "size": filmed.SIZE, "samples": 1}


@pytest.fixture(scope="module")
def learned(judged):
    pytest.importorskip("espeakng_loader", reason="needs the extra speech")
    return lessons.of_puppet(9000, **SMALL)


def test_a_puppet_gives_neutral_and_felt_faces(learned):
    assert learned.neutral.shape == (2, 68, 2)
    assert learned.felt.shape == (2, 2, 68, 2)
    assert (np.hypot(*learned.emotions.reshape(-1, 2).T) <= 1).all()
    assert (learned.neutral > 0).all()
    assert (learned.neutral < filmed.SIZE).all()


def test_features_are_changes_of_lengths(learned):
    features, emotions = learned.features()
    assert features.shape == (4, len(measures.NAMES))
    np.testing.assert_array_equal(emotions, learned.emotions.reshape(4, 2))
    alone = measures.measure(learned.felt[1, 0]) - measures.measure(learned.neutral[1])
    np.testing.assert_allclose(features[2], alone)
    still = lessons.Lessons(learned.neutral, learned.neutral[:, None], learned.emotions[:, :1])
    np.testing.assert_array_equal(still.features()[0], 0)


def test_pictures_without_a_face_teach_nothing(judged, monkeypatch):
    pytest.importorskip("espeakng_loader", reason="needs the extra speech")
    monkeypatch.setattr(lessons.landmarks, "detect", lambda *_: np.zeros((0, 3)))
    with pytest.raises(DataError, match="puppet 9000"):
        lessons.of_puppet(9000, **{**SMALL, "frames": 1, "points": 1})
