"""What landmarks of felt films say: distances in the face's own unit, lips, sight of emotions."""

import numpy as np
import pytest

from emojax.data import face68
from emojax.metrics import felt
from tests.metrics import feeling

T = 12
POINTS = np.float32([[0.6, 0.6], [-0.7, -0.3], [0, 0]])


@pytest.fixture(scope="module")
def films():
    """[P, T, 68, 2] of faces that feel, and [T, 68, 2] at rest."""
    true = np.stack([[feeling.face(point, t) for t in range(T)] for point in POINTS])
    return true, true[2]


@pytest.fixture(scope="module")
def reader():
    return feeling.reader()


def test_what_is_felt_is_seen_and_a_face_that_is_not_found_is_not(films, reader):
    looked, rest = films[0].copy(), films[1]
    looked[1, 4] = np.nan
    seen = felt.read(reader, looked, rest)
    assert np.isnan(seen[:, 4]).all()
    known = np.arange(T) != 4
    assert np.abs(seen[:, known] - POINTS[:, None]).max() < 0.2
    assert np.isnan(felt.read(reader, looked, np.full_like(rest, np.nan))).all()


def test_distances_are_percentages_of_the_eyes_and_belong_to_their_group(films):
    true, _ = films
    unit = face68.eye_distance(FACE := feeling.FACE)
    assert unit == pytest.approx(np.linalg.norm(FACE[36] - FACE[45]))
    moved = true.copy()
    moved[..., list(face68.BROWS), 1] += 0.02 * unit
    found = felt.distances(moved, true)
    np.testing.assert_allclose(found["brows"], 2)
    for name in ("eyes", "corners", "lmd"):
        np.testing.assert_allclose(found[name], 0, atol=1e-9)
    lips = true.copy()
    lips[..., list(face68.LIPS), 0] += 0.05 * unit
    found = felt.distances(lips, true)
    np.testing.assert_allclose(found["corners"], 5)
    np.testing.assert_allclose(found["lmd"], 0, atol=1e-9)  # moved as a whole


def test_the_opening_is_compared_with_rest(films):
    true, rest = films
    np.testing.assert_allclose(felt.opening(true, rest), 0, atol=1e-9)
    wider = true.copy()
    wider[..., 66, 1] += 1
    expected = 100 / face68.eye_distance(feeling.FACE)
    np.testing.assert_allclose(felt.opening(wider, rest), expected)


def test_summaries_count_frames_with_a_face(films, reader):
    true, rest = films
    looked = true.copy()
    looked[:, 0] = np.nan
    seen = felt.read(reader, looked, rest)
    found = felt.summary(seen, POINTS, looked, rest)
    assert (found["valence_rmse"] < 0.2).all()
    np.testing.assert_array_equal(found["valence_sign"][:2], 1)
    np.testing.assert_allclose(found["lip_correlation"], 1)
    nobody = felt.summary(np.full_like(seen, np.nan), POINTS, np.full_like(true, np.nan), rest)
    assert all(np.isnan(values).all() for values in nobody.values())
