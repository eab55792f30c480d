"""Angles between normals: known turns, thin and missing surfaces."""

import numpy as np
import pytest

from emojax.metrics import surface


def _turned(degrees):
    angle = np.deg2rad(degrees)
    return np.array([np.sin(angle), 0, np.cos(angle)])


TRUE = np.tile(_turned(0), (4, 5, 1))
ALL = np.ones((4, 5), bool)


@pytest.mark.parametrize("degrees", [0, 12, 90, 170])
def test_a_turn_is_its_angle_however_thin_the_surface_is_drawn(degrees):
    drawn = 0.4 * np.tile(_turned(degrees), (4, 5, 1))
    np.testing.assert_allclose(surface.angles(drawn, TRUE), degrees, atol=1e-4)
    assert surface.mean_angle(drawn, TRUE, ALL) == pytest.approx(degrees, abs=1e-4)


def test_what_is_not_drawn_is_a_right_angle_off():
    drawn = TRUE.copy()
    drawn[0] = 0
    assert surface.mean_angle(drawn, TRUE, ALL) == pytest.approx(90 / 4)


def test_pixels_outside_the_region_or_without_a_true_normal_do_not_count():
    true, mask = TRUE.copy(), ALL.copy()
    true[0], mask[1] = 0, False
    drawn = np.tile(_turned(10), (4, 5, 1))
    drawn[:2] = _turned(80)
    assert surface.mean_angle(drawn, true, mask) == pytest.approx(10)
    assert np.isnan(surface.mean_angle(drawn, np.zeros_like(true), mask))
