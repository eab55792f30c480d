"""The regularisers: values by hand, empty regions, dead slots."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.losses import regularize
from emojax.types import Motion


def test_motion_size_is_the_sum_of_three_means_over_the_living():
    motion = Motion(
        means=jnp.array([[1.0, -1.0, 1.0], [9.0, 9.0, 9.0]]),
        quaternions=jnp.array([[2.0, 0.0, 0.0, -2.0], [9.0, 9.0, 9.0, 9.0]]),
        scales=jnp.array([[0.0, 0.0, 3.0], [9.0, 9.0, 9.0]]),
    )
    assert regularize.motion_size(motion, jnp.array([True, False])) == pytest.approx(1 + 1 + 1)
    assert regularize.motion_size(motion, jnp.array([False, False])) == 0


def test_motion_of_centres_alone():
    motion = Motion(means=jnp.full((5, 3), -0.5))
    assert regularize.motion_size(motion, jnp.ones(5, bool)) == pytest.approx(0.5)


def test_dead_slots_have_no_value_and_no_gradient_whatever_they_hold():
    means = jnp.array([[1.0, 1.0, 1.0], [jnp.nan, jnp.inf, 0.0]])
    alive = jnp.array([True, False])
    value, gradient = jax.value_and_grad(
        lambda means: regularize.motion_size(Motion(means=means), alive)
    )(means)
    assert value == 1
    np.testing.assert_allclose(gradient[0], 1 / 3)
    assert not np.nan_to_num(gradient[1]).any()


def test_alpha_costs_holes_inside_and_haze_outside():
    mask = jnp.array([[True, False], [True, False]])
    assert regularize.alpha_against_mask(jnp.float32(mask), mask) == 0
    alpha = jnp.array([[0.75, 0.5], [1.0, 0.0]])
    assert regularize.alpha_against_mask(alpha, mask) == pytest.approx((0.25 + 0.5) / 4)


def test_attention_is_averaged_over_the_region():
    attention = jnp.arange(6.0).reshape(2, 3)
    region = jnp.zeros((2, 3), bool).at[1, 1:].set(True)
    value, gradient = jax.value_and_grad(regularize.attention_in_region)(attention, region)
    assert value == pytest.approx(4.5)
    np.testing.assert_allclose(gradient, region / 2)
    assert regularize.attention_in_region(attention, jnp.zeros((2, 3))) == 0
