import jax
import numpy as np

from emojax.puppet import blinks


def test_the_rate_and_the_spread_are_natural():
    starts = blinks.times(jax.random.key(0), 3600.0)
    assert abs(len(starts) / 60 - 26) < 2
    intervals = np.diff(starts)
    assert intervals.min() >= blinks.REFRACTORY
    assert np.median(intervals) < intervals.mean()  # skewed
    assert 0.4 < intervals.std() / intervals.mean() < 0.8
    assert starts.max() < 3600


def test_keys_decide():
    first, second = (blinks.times(jax.random.key(k), 60.0) for k in (0, 1))
    np.testing.assert_array_equal(first, blinks.times(jax.random.key(0), 60.0))
    assert not np.array_equal(first[:5], second[:5])


def test_lids_close_faster_than_they_open():
    closed = blinks.closure(np.array([1.0]), 50)
    assert closed.max() > 0.95
    assert np.all(closed[:26] == 0)
    assert np.all(closed[36:] == 0)
    peak = int(np.argmax(closed))
    half = np.flatnonzero(closed > 0.3)
    assert half[-1] - peak > peak - half[0]
    assert np.all((closed >= 0) & (closed <= 1))


def test_a_short_film_may_have_none():
    assert len(blinks.times(jax.random.key(3), 0.04)) == 0
    np.testing.assert_array_equal(blinks.closure(np.zeros(0), 2), 0)
