"""Layers: how they start, what shapes they give, and that perceptrons have no biases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.deformation.mouth import MouthMotion
from emojax.encoders import audio_net, layers, triplane
from emojax.types import Condition


def spread(array, fan_in):
    """Returns the standard deviation in units of that of U(-1/sqrt(n), 1/sqrt(n))."""
    return np.std(array) * np.sqrt(3 * fan_in)


def test_uniform_has_the_limits_of_pytorch():
    numbers = layers.uniform(16)(jax.random.key(0), (40_000,))
    assert np.abs(numbers).max() <= 0.25
    assert np.abs(numbers).max() > 0.249
    assert abs(np.mean(numbers)) < 0.003


def test_dense_starts_by_its_inputs():
    params = layers.dense(64, 500, name=None).init(jax.random.key(0), jnp.ones(64))["params"]
    assert spread(params["kernel"], 64) == pytest.approx(1, rel=0.02)
    assert spread(params["bias"], 64) == pytest.approx(1, rel=0.1)
    assert np.abs(params["kernel"]).max() <= 1 / 8


@pytest.mark.parametrize(("stride", "steps"), [(1, 7), (2, 4)])
def test_convolution_counts_its_steps_as_inputs(stride, steps):
    layer = layers.convolution(16, 400, stride=stride, name=None)
    y, variables = layer.init_with_output(jax.random.key(0), jnp.ones((7, 16)))
    assert y.shape == (steps, 400)
    assert variables["params"]["kernel"].shape == (3, 16, 400)
    assert spread(variables["params"]["kernel"], 48) == pytest.approx(1, rel=0.02)
    assert spread(variables["params"]["bias"], 48) == pytest.approx(1, rel=0.1)


def test_convolution_by_hand():
    params = {"kernel": jnp.array([1.0, 10, 100])[:, None, None], "bias": jnp.array([0.5])}
    layer = layers.convolution(1, 1, stride=2, name=None)
    y = layer.apply({"params": params}, jnp.array([1.0, 2, 3, 4])[:, None])
    # Steps 0 1 2 and 2 3 4 of the input with a zero before it: (0, 1, 2) and (2, 3, 4).
    np.testing.assert_allclose(y[:, 0], [210.5, 432.5])


def test_perceptron_by_hand():
    kernels = {"kernel_0": jnp.array([[1.0, -1.0]]), "kernel_1": jnp.array([[2.0], [3.0]])}
    net = layers.Perceptron((1, 2, 1))
    y = net.apply({"params": kernels}, jnp.array([[2.0], [-2.0], [0.0]]))
    np.testing.assert_array_equal(y, [[4], [6], [0]])


def test_perceptron_starts_by_each_layers_inputs():
    net = layers.Perceptron((9, 400, 25))
    params = net.init(jax.random.key(0), jnp.ones(9))["params"]
    assert sorted(params) == ["kernel_0", "kernel_1"]
    assert spread(params["kernel_0"], 9) == pytest.approx(1, rel=0.03)
    assert spread(params["kernel_1"], 400) == pytest.approx(1, rel=0.03)


def test_perceptron_may_have_one_layer():
    net = layers.Perceptron((3, 2))
    y, variables = net.init_with_output(jax.random.key(0), jnp.ones((4, 3)))
    np.testing.assert_allclose(y, jnp.ones((4, 3)) @ variables["params"]["kernel_0"])


def test_one_draw_starts_a_network_as_its_layers_do():
    net, audio = audio_net.AudioNet(), jnp.ones((16, 29))
    drawn = layers.start(jax.random.key(0), net, audio)
    known = jax.jit(net.init)(jax.random.key(1), audio)
    assert jax.tree.map(jnp.shape, drawn) == jax.tree.map(jnp.shape, known)
    for mine, theirs in zip(jax.tree.leaves(drawn), jax.tree.leaves(known), strict=True):
        assert np.abs(mine).max() == pytest.approx(np.abs(theirs).max(), rel=0.15)
        assert abs(np.mean(mine)) < 4 * np.std(mine) / np.sqrt(mine.size)


def test_one_draw_starts_tables_small():
    module = MouthMotion()
    condition = Condition(audio=jnp.ones((8, 16, 29)), action_units=jnp.ones(6))
    drawn = layers.start(jax.random.key(0), module, jnp.zeros((1, 3)), condition)
    tables = drawn["params"]["tables"]
    assert np.abs(tables).max() == pytest.approx(triplane.INITIAL_RANGE, rel=1e-3)
