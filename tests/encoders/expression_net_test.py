"""The code of an expression: the blink passes untouched, the rest is mixed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.encoders.expression_net import ExpressionEncoder

UNITS = jnp.array([1.0, 0.5, 2.0, 0.0, 3.0, 1.5])


@pytest.fixture(scope="module")
def variables():
    return ExpressionEncoder().init(jax.random.key(0), UNITS)


def encode(variables, units):
    return ExpressionEncoder().apply(variables, units)


def test_layers_are_those_of_the_source(variables):
    kernels = variables["params"]["perceptron"]
    assert {name: x.shape for name, x in kernels.items()} == {
        "kernel_0": (5, 16),
        "kernel_1": (16, 5),
    }


@pytest.mark.parametrize(("blink", "code"), [(0.0, 0), (1.5, 1.5), (2.0, 2), (4.7, 2), (-1.0, 0)])
def test_the_blink_is_clipped_and_nothing_else(variables, blink, code):
    got = encode(variables, UNITS.at[5].set(blink))
    assert got[5] == np.float32(code)
    np.testing.assert_array_equal(got[:5], encode(variables, UNITS)[:5])


def test_by_hand(variables):
    first, second = (np.asarray(x) for x in variables["params"]["perceptron"].values())
    expected = np.maximum(np.asarray(UNITS[:5]) @ first, 0) @ second
    np.testing.assert_allclose(encode(variables, UNITS)[:5], expected, atol=1e-6)


def test_no_expression_has_no_code(variables):
    np.testing.assert_array_equal(encode(variables, jnp.zeros(6)), np.zeros(6))


def test_other_numbers_of_units():
    code, _ = ExpressionEncoder().init_with_output(jax.random.key(0), jnp.ones(3))
    assert code.shape == (3,)
    assert code[2] == 1


@pytest.mark.parametrize("shape", [(), (1,), (4, 6)])
def test_refusals(shape):
    with pytest.raises(ValueError, match=r"action_units has shape .* expected \(A,\) with A at"):
        ExpressionEncoder().init(jax.random.key(0), jnp.zeros(shape))
