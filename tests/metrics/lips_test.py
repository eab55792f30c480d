"""LMD by hand and its invariances; agreement of the mouth's opening."""

import numpy as np
import pytest

from emojax.data import face68
from emojax.metrics import lips


@pytest.fixture(scope="module")
def faces():
    """A mean face whose lower lip goes up and down, [20, 68, 2]."""
    faces = np.tile(face68.MEAN_SHAPE[:, :2] * [1, -1] + 100, (20, 1, 1))
    faces[:, [65, 66, 67], 1] += 5 * np.abs(np.sin(np.arange(20) / 2))[:, None]
    return faces


def test_lmd_is_the_mean_distance_of_centred_lips(faces):
    moved = faces.copy()
    moved[:, 48:68:2, 0] += 2  # half of the points: the centroid moves by 1
    np.testing.assert_allclose(lips.lmd(moved, faces), 1)


def test_lmd_minds_neither_place_nor_other_points(faces):
    moved = faces + np.array([7, -3])
    moved[:, :48] = 0
    np.testing.assert_allclose(lips.lmd(moved, faces), 0, atol=1e-12)
    assert (lips.lmd(faces[::-1], faces) > 0).any()


def test_lengths_relative_to_the_eyes(faces):
    np.testing.assert_allclose(
        lips.relative(np.full(20, 8.9), faces), 100 * 8.9 / face68.eye_distance(faces)
    )


def test_correlation_of_the_opening(faces):
    assert lips.opening_correlation(faces, faces) == pytest.approx(1)
    assert lips.opening_correlation(2 * faces + 1, faces) == pytest.approx(1)
    assert abs(lips.opening_correlation(np.roll(faces, 3, axis=0), faces)) < 0.9
    still = np.broadcast_to(faces[:1], faces.shape)
    assert np.isnan(lips.opening_correlation(still, faces))
    assert np.isnan(lips.opening_correlation(faces[:5], faces[:5]))
    missing = faces.copy()
    missing[3] = np.nan
    assert lips.opening_correlation(missing, faces) == pytest.approx(1)
