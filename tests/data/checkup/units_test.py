"""The lag between two courses. Faults in whole folders are in doctor_test."""

import numpy as np
import pytest

from emojax.data.checkup import units


@pytest.mark.parametrize("lag", [-9, 0, 1, 15])
def test_the_lag_is_found(lag):
    course = np.convolve(np.random.default_rng(0).standard_normal(300), np.hanning(9), "same")
    found, correlation = units.best_lag(course, np.roll(course, lag))
    assert found == lag
    assert correlation > 0.95


def test_constant_courses_have_no_lag():
    assert units.best_lag(np.ones(100), np.arange(100.0)) == (0, 0.0)
    assert units.best_lag(np.zeros(0), np.zeros(0)) == (0, 0.0)
