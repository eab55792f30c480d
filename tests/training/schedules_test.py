import numpy as np
import pytest

from emojax.training import schedules
from emojax.training.recipe import Density, Rates
from tests.training import small


def test_mean_rate_is_log_linear_then_constant():
    rates = Rates(means=(1e-4, 1e-6), means_steps=100)
    values = [float(schedules.mean_rate(step, rates, extent=2.0)) for step in (0, 50, 100, 1_000)]
    np.testing.assert_allclose(values, [2e-4, 2e-5, 2e-6, 2e-6], rtol=1e-5)


@pytest.mark.parametrize(
    ("step", "factor"),
    [(0, 1), (20_000, 0.5**0.5), (39_999, 0.5), (40_000, 10**-0.8), (50_000, 0.1)],
)
def test_network_rates_jump_where_the_original_does(step, factor):
    np.testing.assert_allclose(schedules.network_factor(step, Rates()), factor, rtol=1e-4)


def test_network_rates_without_the_jump():
    rates = Rates(tenth_steps=None)
    np.testing.assert_allclose(schedules.network_factor(80_000, rates), 0.25)


def test_degrees_are_added_one_by_one():
    stage = small.face_stage(degree_every=1_000)
    degrees = [
        int(schedules.active_degree(s, stage, degree=2)) for s in (0, 999, 1_000, 2_000, 9_000)
    ]
    assert degrees == [0, 0, 1, 2, 2]
    assert int(schedules.active_degree(0, small.fuse_stage(), degree=2)) == 2


def test_opacity_limit_rises():
    limits = [float(schedules.min_opacity(s, Density(until=100))) for s in (0, 50, 100, 200)]
    np.testing.assert_allclose(limits, [0.05, 0.175, 0.30, 0.30])


def test_size_limits_begin_late():
    density = Density(limits_from=10)
    assert np.isinf(schedules.size_limit(9, 0.1, density))
    np.testing.assert_allclose(schedules.size_limit(10, 0.1, density), 0.1)
    assert np.isinf(schedules.size_limit(10, None, density))


def test_hair_counts_now_and_then():
    stage = small.face_stage(hair_every=7, hair_steps=(10, 20))
    counts = [bool(schedules.counts_hair(s, stage)) for s in (3, 9, 10, 14, 15, 19, 20, 22)]
    assert counts == [True, True, False, True, False, False, True, True]


def test_rounds_of_density():
    density = Density(every=100, start=500, until=1_000, background_until=2_000)
    steps = [s for s in range(0, 3_000, 50) if schedules.density_round(s, density)]
    assert steps[:2] == [600, 700]
    assert steps[-1] == 1_900
    assert not schedules.density_round(600, None)
