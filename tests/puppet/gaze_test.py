import jax
import numpy as np

from emojax.puppet import gaze

LONG = 25 * 1200


def away_of(times, points, duration):
    """Share of time away from the camera, and the mean length of a glance, seconds."""
    off = np.linalg.norm(points / [1, 0.7], axis=1) > gaze.SHORTEST_GLANCE - 1e-6
    lengths = np.diff(np.append(times, duration))
    return lengths[off].sum() / duration, lengths[off].mean()


def test_speakers_look_away_more_than_listeners():
    shares = {}
    for speaking in (True, False):
        times, points = gaze.targets(jax.random.key(0), np.full(LONG, speaking))
        assert times[0] == 0
        assert np.all(np.diff(times) > 0)
        shares[speaking], length = away_of(times, points, LONG / 25)
        expected = gaze.SPEAKING if speaking else gaze.SILENT
        assert abs(length / expected[1] - 1) < 0.15
        assert abs(shares[speaking] - expected[1] / sum(expected)) < 0.06
    assert shares[True] > 3 * shares[False]


def test_glances_are_small_and_mostly_along_the_axes():
    _, points = gaze.targets(jax.random.key(1), np.full(LONG, True))
    size = np.linalg.norm(points / [1, 0.7], axis=1)
    assert size.max() < gaze.LONGEST_GLANCE + 1e-6
    glances = points[size > 2 * gaze.SHORTEST_GLANCE]
    oblique = np.abs(glances).min(axis=1) > 0.01
    assert 0.2 < oblique.mean() < 0.45
    assert np.median(size[size > gaze.SHORTEST_GLANCE]) < 0.12


def test_some_never_look_away():
    _, points = gaze.targets(jax.random.key(2), np.full(2500, True), away=0)
    assert np.abs(points).max() < 0.06


def test_keys_decide():
    first, again, other = (gaze.targets(jax.random.key(k), np.full(250, True)) for k in (0, 0, 1))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0][:3], other[0][:3])


def test_jumps_are_fast_and_reach_their_targets():
    times, points = np.array([0, 1.0, 2.0]), np.array([[0, 0], [0.2, 0.1], [-0.1, 0]])
    shown = gaze.follow(times, points, np.zeros((75, 3)))
    np.testing.assert_allclose(shown[[10, 40, 70]], points, atol=1e-6)
    moving = np.abs(np.diff(shown, axis=0)).sum(axis=1) > 1e-6
    assert moving.sum() <= 6  # at most three frames a jump


def test_eyes_stay_on_their_target_while_the_head_turns():
    rotation = np.zeros((25, 3))
    rotation[:, 0], rotation[:, 1] = 0.05, np.linspace(0, 0.2, 25)  # nose down, to the right
    shown = gaze.follow(np.zeros(1), np.zeros((1, 2)), rotation)
    np.testing.assert_allclose(shown[:, 0], -rotation[:, 1], atol=1e-6)
    np.testing.assert_allclose(shown[:, 1], 0.05, atol=1e-6)


def test_irises_stay_between_the_lids():
    shown = gaze.follow(np.zeros(1), np.array([[2.0, -2.0]]), np.zeros((3, 3)))
    np.testing.assert_allclose(shown[0], [0.45, -0.30])
