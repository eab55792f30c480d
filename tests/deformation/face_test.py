"""The face's motion: sizes, where nothing moves, what it depends on, gradients, batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.deformation.face import FaceMotion
from emojax.encoders import TALKING_GAUSSIAN_FACE
from emojax.types import Motion
from tests.deformation import examples

NETWORK = FaceMotion(triplane=examples.GRID)


@pytest.fixture(scope="module")
def variables():
    return examples.variables(NETWORK)


@jax.jit
def move(variables, means, condition):
    return NETWORK.apply(variables, means, condition)


def largest(motion):
    return max(np.abs(x).max() for x in (motion.means, motion.quaternions, motion.scales))


def test_published_sizes():
    network = FaceMotion()
    assert network.triplane == TALKING_GAUSSIAN_FACE
    shapes = jax.eval_shape(
        network.init, jax.random.key(0), examples.means(1), examples.condition()
    )["params"]
    assert shapes["tables"].shape == (3, 9_464, 1)
    kernels = {
        name: [x.shape for x in shapes[name].values()]
        for name in ("motion", "audio_attention", "expression_attention")
    }
    assert kernels == {
        "motion": [(74, 64), (64, 64), (64, 10)],
        "audio_attention": [(36, 32), (32, 32)],
        "expression_attention": [(36, 16), (16, 6)],
    }


def test_shapes(variables):
    motion = move(variables, examples.means(20), examples.condition())
    shapes = jax.tree.map(jnp.shape, motion)
    assert shapes == Motion((20, 3), (20, 4), (20, 3), (20,), (20,))
    assert min(np.ptp(x) for x in jax.tree.leaves(motion)) > 0


def test_starts_almost_still():
    key = jax.random.key(0, impl="rbg")  # compiles faster than the default
    params = jax.jit(NETWORK.init)(key, examples.means(1), examples.condition())
    motion = move(params, examples.means(100), examples.condition())
    assert 0 < np.abs(motion.means).max() < 1e-6
    assert largest(motion) < 1e-4


def test_outside_of_the_cube_nothing_moves(variables):
    motion = move(variables, examples.means(5) + 1, examples.condition())
    for x in jax.tree.leaves(motion):
        np.testing.assert_array_equal(x, np.zeros_like(x))


def test_zero_last_layer_is_no_motion(variables):
    params = dict(variables["params"])
    params["motion"] = {**params["motion"], "kernel_2": jnp.zeros((64, 10))}
    motion = move({"params": params}, examples.means(20), examples.condition())
    assert largest(motion) == 0


def test_depends_on_sound_and_expression(variables):
    means, condition = examples.means(50), examples.condition()
    usual = move(variables, means, condition)
    other_sound = condition.replace(audio=condition.audio[::-1])
    blink = condition.replace(action_units=condition.action_units.at[5].set(0))
    for changed in (other_sound, blink):
        motion = move(variables, means, changed)
        for name in ("means", "quaternions", "scales"):
            assert np.abs(getattr(motion, name) - getattr(usual, name)).max() > 1e-7
        np.testing.assert_array_equal(motion.audio_attention, usual.audio_attention)
        np.testing.assert_array_equal(motion.expression_attention, usual.expression_attention)


def test_a_blink_beyond_its_limit_is_the_limit(variables):
    means, condition = examples.means(20), examples.condition()
    at, beyond = (
        move(variables, means, condition.replace(action_units=jnp.ones(6).at[5].set(x)))
        for x in (2.0, 5.0)
    )
    jax.tree.map(np.testing.assert_array_equal, at, beyond)


def test_every_parameter_has_a_gradient(variables):
    """Also each output: TalkingGaussian's code predicts an opacity that no loss ever sees."""
    means, condition = examples.means(200), examples.condition()

    @jax.jit
    def gradient(variables, means):
        def loss(variables, means):
            motion = move(variables, means, condition)
            return jnp.sum(motion.means**2) + sum(
                jnp.sum(jnp.sin(x)) for x in (motion.quaternions, motion.scales)
            )

        return jax.grad(loss, (0, 1))(variables, means)

    gradients = gradient(variables, means)
    for path, g in jax.tree.leaves_with_path(gradients):
        assert np.isfinite(g).all(), path
        assert (g != 0).any(), path
    last = gradients[0]["params"]["motion"]["kernel_2"]
    assert (np.abs(last).max(axis=0) > 0).all()


def test_attentions_have_gradients_that_stay_finite_outside(variables):
    means = jnp.concatenate([examples.means(50), examples.means(3) + 1])

    @jax.jit
    def gradient(variables):
        def loss(variables):
            motion = move(variables, means, examples.condition())
            return jnp.sum(motion.audio_attention) + jnp.sum(motion.expression_attention)

        return jax.grad(loss)(variables)

    params = gradient(variables)["params"]
    for path, g in jax.tree.leaves_with_path(params):
        assert np.isfinite(g).all(), path
    for name in ("tables", "audio_attention", "expression_attention"):
        assert all((g != 0).any() for g in jax.tree.leaves(params[name])), name
    assert all((g == 0).all() for g in jax.tree.leaves(params["motion"]))


def test_vmap_is_a_loop_and_shares_what_no_condition_changes(variables):
    means, conditions = examples.means(20), examples.condition(3)
    # None for the attentions: JAX refuses it where a result differs by condition.
    axes = Motion(means=0, quaternions=0, scales=0)
    mapped = jax.vmap(NETWORK.apply, (None, None, 0), out_axes=axes)(variables, means, conditions)
    assert mapped.means.shape == (3, 20, 3)
    assert mapped.audio_attention.shape == (20,)
    for i in range(3):
        one = move(variables, means, jax.tree.map(lambda x, i=i: x[i], conditions))
        for name in ("means", "quaternions", "scales"):
            np.testing.assert_allclose(getattr(mapped, name)[i], getattr(one, name), atol=1e-6)


def test_one_trace_for_two_conditions(variables):
    traces = []

    @jax.jit
    def counted(condition):
        traces.append(None)
        return NETWORK.apply(variables, examples.means(4), condition)

    counted(examples.condition())
    counted(examples.condition(seed=1))
    assert len(traces) == 1


def test_huberts_windows():
    window = (2, 1024)
    motion = move(
        examples.variables(NETWORK, window=window),
        examples.means(4),
        examples.condition(window=window),
    )
    assert motion.means.shape == (4, 3)


def test_wrong_shapes_are_refused(variables):
    condition = examples.condition()
    with pytest.raises(ValueError, match=r"points has shape \(4, 2\), expected \(4, 3\)"):
        move(variables, jnp.zeros((4, 2)), condition)
    with pytest.raises(ValueError, match=r"action_units has shape \(3, 6\).*batch with jax.vmap"):
        move(variables, examples.means(4), condition.replace(action_units=jnp.zeros((3, 6))))
