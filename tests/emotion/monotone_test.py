import numpy as np

from emojax.emotion import monotone


def _curve(places, values, time):
    slopes = monotone.slopes(places, values)
    k = np.clip(np.searchsorted(places, time, side="right") - 1, 0, len(places) - 2)
    width = (places[k + 1] - places[k])[:, None]
    share = (time - places[k])[:, None] / width
    return monotone.cubic(share, values[k], values[k + 1], slopes[k] * width, slopes[k + 1] * width)


def test_it_passes_through_the_knots_and_overshoots_nowhere():
    rng = np.random.default_rng(0)
    places, values = np.cumsum(rng.uniform(0.2, 2, 12)), rng.normal(size=(12, 3))
    np.testing.assert_allclose(_curve(places, values, places), values, atol=1e-12)
    for left, right, low, high in zip(
        places, places[1:], np.minimum(values[:-1], values[1:]),
        np.maximum(values[:-1], values[1:]), strict=False,
    ):  # fmt: skip
        between = _curve(places, values, np.linspace(left, right, 50)[:-1])
        assert np.all((between >= low - 1e-12) & (between <= high + 1e-12))


def test_it_has_no_kinks():
    rng = np.random.default_rng(1)
    places, values = np.arange(8.0), rng.normal(size=(8, 1))
    step = 1e-5
    for knot in places[1:-1]:
        around = _curve(places, values, np.array([knot - step, knot, knot + step]))
        np.testing.assert_allclose(*np.diff(around, axis=0) / step, atol=1e-3)


def test_straight_knots_give_a_straight_curve():
    places = np.array([0, 1, 3, 4.0])
    slopes = monotone.slopes(places, 2 * places[:, None])
    np.testing.assert_allclose(slopes[1:-1], 2)
    np.testing.assert_array_equal(slopes[[0, -1]], 0)


def test_ends_and_turns_are_flat():
    slopes = monotone.slopes(np.arange(4), np.array([[0.0], [1.0], [0.0], [3.0]]))
    np.testing.assert_array_equal(slopes, 0)
