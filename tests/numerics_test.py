"""Values and gradients stay finite where the textbook form fails."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import numerics

# No denormals: XLA flushes them to zero on a CPU.
EXTREMES = [0.0, 5e-38, 1e-30, 1.0, 1e18, 3e38]


@pytest.mark.parametrize("x", [-1.0, *EXTREMES])
def test_safe_sqrt(x):
    value, slope = jax.value_and_grad(numerics.safe_sqrt)(jnp.float32(x))
    np.testing.assert_allclose(value, np.sqrt(max(np.float32(x), 0)), rtol=1e-6)
    assert np.isfinite(slope)


@pytest.mark.parametrize("size", [1e-36, 1e-20, 1.0, 1e20, 1e30])
def test_safe_normalize_at_every_size(size):
    x = jnp.array([3.0, -4.0, 0.0]) * size
    np.testing.assert_allclose(numerics.safe_normalize(x), [0.6, -0.8, 0], rtol=1e-6)
    jacobian = jax.jacobian(numerics.safe_normalize)(x)
    unit = np.array([0.6, -0.8, 0])
    if size < 1e-30:  # the true derivative, 1 / size, overflows
        return
    expected = (np.eye(3) - np.outer(unit, unit)) / (5 * size)
    np.testing.assert_allclose(jacobian, expected, rtol=1e-5, atol=1e-7 / size)


def test_safe_normalize_of_zero():
    x = jnp.zeros(4)
    np.testing.assert_array_equal(numerics.safe_normalize(x), 0)
    np.testing.assert_array_equal(jax.jacobian(numerics.safe_normalize)(x), 0)


@pytest.mark.parametrize("y", [1e-30, 1e-6, 0.01, 1.0, 30.0, 1e4])
def test_inverse_softplus_inverts(y):
    x = numerics.inverse_softplus(jnp.float32(y))
    np.testing.assert_allclose(jax.nn.softplus(x), y, rtol=2e-6)
    assert np.isfinite(jax.grad(numerics.inverse_softplus)(jnp.float32(y)))
