"""Terms on normals: zero where they should be, by hand on small pictures, gradients."""

import jax
import jax.numpy as jnp
import numpy as np

from emojax.losses import normals

SHAPE = (6, 7, 3)


def _random(seed):
    return jax.random.normal(jax.random.key(seed), SHAPE)


def test_equal_pictures_do_not_differ():
    assert float(normals.difference(_random(0), _random(0), jnp.ones(SHAPE[:2]))) == 0


def test_only_the_mask_counts():
    mask = jnp.zeros(SHAPE[:2]).at[2, 3].set(1)
    wanted = np.abs(np.asarray(_random(0) - _random(1)))[2, 3].mean()
    np.testing.assert_allclose(normals.difference(_random(0), _random(1), mask), wanted, rtol=1e-6)


def test_an_empty_mask_gives_zero_and_no_nan():
    empty = jnp.zeros(SHAPE[:2])
    for term in (
        lambda x: normals.difference(x, _random(1), empty),
        lambda x: normals.roughness(x, empty),
    ):
        value, gradient = jax.value_and_grad(term)(_random(0))
        assert float(value) == 0
        np.testing.assert_array_equal(gradient, 0)


def test_a_plane_is_smooth_and_a_step_is_not():
    flat = jnp.ones(SHAPE)
    mask = jnp.ones(SHAPE[:2])
    assert float(normals.roughness(flat, mask)) == 0
    step = flat.at[:, 4:].set(0)  # one of six differences along a row
    np.testing.assert_allclose(normals.roughness(step, mask), 1 / 6, rtol=1e-6)


def test_a_step_at_the_border_of_the_mask_does_not_count():
    step = jnp.ones(SHAPE).at[:, 4:].set(0)
    mask = jnp.ones(SHAPE[:2]).at[:, 4:].set(0)
    assert float(normals.roughness(step, mask)) == 0


def test_residuals_count_where_gaussians_live():
    residuals = jnp.array([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [jnp.nan] * 3])
    alive = jnp.array([True, True, False])
    value, gradient = jax.value_and_grad(normals.residual_size)(residuals, alive)
    np.testing.assert_allclose(value, 2.5)
    np.testing.assert_allclose(gradient[0], [0.3, 0.4, 0], rtol=1e-6)
    np.testing.assert_array_equal(gradient[1:], 0)
