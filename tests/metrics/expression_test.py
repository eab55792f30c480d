"""Errors of action units: zero for equal faces, in the right half of the face for others."""

import numpy as np
import pytest

from emojax.data import face68
from emojax.metrics import expression
from tests.data import folders


@pytest.fixture(scope="module")
def error(film):
    track = folders.track(film)

    def error(seen):
        return expression.au_error(
            seen,
            film.landmarks,
            world_to_camera=track.world_to_camera,
            focal=film.focal,
            size=film.images.shape[1],
        )

    return error


def test_equal_landmarks_have_no_error(film, error):
    for part in error(film.landmarks):
        np.testing.assert_array_equal(part, 0)


def test_frozen_lips_are_an_error_of_the_lower_face(film, error):
    seen = film.landmarks.copy()
    shut = seen[:, list(face68.INNER_LIP)].mean(axis=1, keepdims=True)
    seen[:, list(face68.INNER_LIP)] = shut
    upper, lower = error(seen)
    assert lower.mean() > 1
    assert upper.mean() < 0.05 * lower.mean()


def test_open_eyes_in_a_blink_are_an_error_of_the_upper_face(film, error):
    seen = film.landmarks.copy()
    closed = film.blink > 0.5
    assert closed.any()
    seen[closed, 37:39, 1] -= 3
    seen[closed, 43:45, 1] -= 3
    upper, lower = error(seen)
    assert upper[closed].mean() > 1
    assert upper[closed].mean() > 5 * upper[~closed].mean()
    assert lower.mean() < 0.1


def test_frames_without_a_face_have_no_error(film, error):
    seen = np.array(film.landmarks, np.float64)
    seen[4] = np.nan
    upper, lower = error(seen)
    assert np.isnan(upper[4])
    assert np.isnan(lower[4])
    assert np.isfinite(np.delete(upper, 4)).all()
    assert np.isnan(error(np.full_like(seen, np.nan))[0]).all()
