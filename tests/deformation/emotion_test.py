"""The emotion's motion: nothing at the start, sizes, what it depends on, gradients, batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.deformation.emotion import EmotionMotion
from emojax.encoders import layers
from tests.deformation import examples

NETWORK = EmotionMotion(triplane=examples.GRID)
EMOTION = jnp.array([0.5, -0.3])


def variables(network):
    made = examples.fill(network, examples.means(1), EMOTION)
    values = np.random.default_rng(1).uniform(-1, 1, made["params"]["tables"].shape)
    made["params"]["tables"] = jnp.asarray(values, np.float32)
    return made


def test_published_sizes():
    network = EmotionMotion()
    shapes = jax.eval_shape(network.init, jax.random.key(0), examples.means(1), EMOTION)["params"]
    assert [x.shape for x in shapes["motion"].values()] == [(42, 64), (64, 64), (64, 10)]
    assert [x.shape for x in shapes["attention"].values()] == [(36, 16), (16, 6)]
    assert [x.shape for x in shapes["emotion"]["perceptron"].values()] == [(2, 16), (16, 6)]
    raw = EmotionMotion(reads="raw")
    shapes = jax.eval_shape(raw.init, jax.random.key(0), examples.means(1), EMOTION)["params"]
    assert "emotion" not in shapes
    assert shapes["attention"]["kernel_1"].shape == (16, 2)


@pytest.mark.parametrize("reads", ["encoded", "raw"])
def test_it_starts_with_no_motion_at_all_and_can_learn(reads):
    network = EmotionMotion(triplane=examples.GRID, reads=reads)
    params = layers.start(jax.random.key(0), network, examples.means(1), EMOTION)
    means = examples.means(50)
    for x in jax.tree.leaves(network.apply(params, means, EMOTION)):
        np.testing.assert_array_equal(x, np.zeros_like(x))

    def far(params):
        return sum(
            jnp.sum(jnp.sin(x + 1)) for x in jax.tree.leaves(network.apply(params, means, EMOTION))
        )

    gradient = jax.grad(far)(params)["params"]
    assert float(jnp.abs(gradient["motion"][layers.ZERO_KERNEL]).max()) > 0


@pytest.mark.parametrize("reads", ["encoded", "raw"])
def test_every_parameter_gets_a_gradient(reads):
    network = EmotionMotion(triplane=examples.GRID, reads=reads)
    means = examples.means(200)

    def far(params):
        return sum(
            jnp.sum(jnp.sin(x + 1)) for x in jax.tree.leaves(network.apply(params, means, EMOTION))
        )

    gradient = jax.grad(far)(variables(network))
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert bool((leaf != 0).any()), jax.tree_util.keystr(path)


def test_it_depends_on_place_valence_and_arousal():
    params, means = variables(NETWORK), examples.means(20)
    usual = NETWORK.apply(params, means, EMOTION)
    for other in ([0.5, 0.3], [-0.5, -0.3]):
        moved = NETWORK.apply(params, means, jnp.array(other))
        assert float(jnp.abs(moved.means - usual.means).max()) > 1e-5
    assert float(jnp.ptp(usual.means, axis=0).min()) > 0


def test_outside_of_the_cube_nothing_moves():
    motion = NETWORK.apply(variables(NETWORK), examples.means(5) + 1, EMOTION)
    for x in jax.tree.leaves(motion):
        np.testing.assert_array_equal(x, np.zeros_like(x))


def test_vmap_over_emotions_is_the_loop():
    params, means = variables(NETWORK), examples.means(30)
    emotions = jax.random.uniform(jax.random.key(3), (4, 2), minval=-1)
    together = jax.vmap(NETWORK.apply, (None, None, 0))(params, means, emotions)
    for i, emotion in enumerate(emotions):
        alone = NETWORK.apply(params, means, emotion)
        np.testing.assert_allclose(together.means[i], alone.means, rtol=1e-5, atol=1e-7)


def test_a_batch_without_vmap_is_refused():
    with pytest.raises(ValueError, match="vmap"):
        NETWORK.apply(variables(NETWORK), examples.means(5), jnp.zeros((4, 2)))
