"""The mouth's motion: sizes, its three scales, what it depends on, gradients, batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.deformation.mouth import MouthMotion
from emojax.encoders import TALKING_GAUSSIAN_MOUTH
from tests.deformation import examples

NETWORK = MouthMotion(triplane=examples.GRID)


@pytest.fixture(scope="module")
def variables():
    return examples.variables(NETWORK)


@jax.jit
def move(variables, means, condition):
    return NETWORK.apply(variables, means, condition)


def test_published_sizes():
    network = MouthMotion()
    assert network.triplane == TALKING_GAUSSIAN_MOUTH
    shapes = jax.eval_shape(
        network.init, jax.random.key(0), examples.means(1), examples.condition()
    )["params"]
    assert shapes["tables"].shape == (3, 46_600, 1)
    assert [x.shape for x in shapes["motion"].values()] == [(68, 32), (32, 32), (32, 3)]


def test_moves_means_only(variables):
    motion = move(variables, examples.means(20), examples.condition())
    assert motion.means.shape == (20, 3)
    assert np.ptp(motion.means, axis=0).min() > 0
    others = (motion.quaternions, motion.scales, motion.audio_attention)
    assert others == (None, None, None)
    assert motion.expression_attention is None


def test_scales_of_the_axes(variables):
    """A last layer that gives the same number thrice moves by (2e-3, 1e-2, 2e-3) of it."""
    last = jnp.tile(variables["params"]["motion"]["kernel_2"][:, :1], (1, 3))
    params = {**variables["params"], "motion": {**variables["params"]["motion"], "kernel_2": last}}
    d = move({"params": params}, examples.means(20), examples.condition()).means
    np.testing.assert_allclose(d[:, 0] * 5, d[:, 1], rtol=1e-5)
    np.testing.assert_allclose(d[:, 2], d[:, 0], rtol=1e-5)


def test_hears_and_does_not_see(variables):
    means, condition = examples.means(20), examples.condition()
    usual = move(variables, means, condition).means
    frown = condition.replace(action_units=jnp.full(6, 5.0))
    np.testing.assert_array_equal(move(variables, means, frown).means, usual)
    other = condition.replace(audio=condition.audio[::-1])
    assert np.abs(move(variables, means, other).means - usual).max() > 1e-6


def test_outside_of_the_cube_all_move_alike(variables):
    far = move(variables, examples.means(5) + 1, examples.condition()).means
    assert np.abs(far).max() > 0
    np.testing.assert_array_equal(far, np.tile(far[:1], (5, 1)))


def test_zero_last_layer_is_no_motion(variables):
    params = dict(variables["params"])
    params["motion"] = {**params["motion"], "kernel_2": jnp.zeros((32, 3))}
    d = move({"params": params}, examples.means(20), examples.condition()).means
    np.testing.assert_array_equal(d, np.zeros((20, 3)))


def test_every_parameter_has_a_gradient(variables):
    means, condition = examples.means(200), examples.condition()
    weights = examples.means(200, seed=1)

    @jax.jit
    def gradient(variables, means):
        return jax.grad(lambda *a: jnp.sum(move(*a, condition).means * weights), (0, 1))(
            variables, means
        )

    for path, g in jax.tree.leaves_with_path(gradient(variables, means)):
        assert np.isfinite(g).all(), path
        assert (g != 0).any(), path


def test_vmap_is_a_loop(variables):
    means, conditions = examples.means(20), examples.condition(3)
    mapped = jax.vmap(move, (None, None, 0))(variables, means, conditions).means
    for i in range(3):
        one = jax.tree.map(lambda x, i=i: x[i], conditions)
        np.testing.assert_allclose(mapped[i], move(variables, means, one).means, atol=1e-7)


def test_huberts_windows():
    variables = examples.variables(NETWORK, window=(2, 1024))
    motion = move(variables, examples.means(4), examples.condition(window=(2, 1024)))
    assert motion.means.shape == (4, 3)
