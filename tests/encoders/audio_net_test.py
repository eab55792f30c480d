"""The code of a sound: shapes for every kind of features, attention's laws, gradients, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.encoders import audio_net
from tests.deformation import examples

# (W, D) of log-mel, DeepSpeech, wav2vec 2.0 and HuBERT windows.
KINDS = [(16, 80), (16, 29), (16, 44), (2, 1024)]


def sound(shape, *, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), np.float32)


@pytest.fixture(scope="module")
def encoder():
    """An encoder of DeepSpeech windows and its variables."""
    module = audio_net.AudioEncoder()
    return module, examples.fill(module, sound((8, 16, 29)))


@pytest.mark.parametrize(("steps", "width"), KINDS)
def test_all_kinds_of_features_give_one_code(steps, width):
    module = audio_net.AudioEncoder()
    code, variables = jax.eval_shape(
        module.init_with_output, jax.random.key(0), sound((8, steps, width))
    )
    assert code.shape == (32,)
    assert variables["params"]["net"]["conv_0"]["kernel"].shape == (3, width, 32)


@pytest.mark.parametrize("steps", [1, 5, 9])
def test_any_number_of_steps_ends_as_one(steps):
    net = audio_net.AudioNet(width=7)
    code, _ = jax.eval_shape(net.init_with_output, jax.random.key(0), sound((steps, 3)))
    assert code.shape == (7,)


def test_windows_are_encoded_one_by_one(encoder):
    _, variables = encoder
    params = {"params": variables["params"]["net"]}
    net = audio_net.AudioNet()
    windows = sound((8, 16, 29))
    together = net.apply(params, windows)
    alone = jnp.stack([net.apply(params, window) for window in windows])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_attention_is_a_mean(encoder):
    _, variables = encoder
    params = {"params": variables["params"]["attention"]}
    attention = audio_net.AudioAttention()
    codes = sound((8, 32))
    mixed = attention.apply(params, codes)
    assert (mixed >= codes.min(axis=0)).all()
    assert (mixed <= codes.max(axis=0)).all()
    same = jnp.tile(codes[:1], (8, 1))
    np.testing.assert_allclose(attention.apply(params, same), codes[0], atol=1e-6)


def test_every_window_matters(encoder):
    module, variables = encoder
    d_audio = jax.grad(lambda x: module.apply(variables, x).sum())(sound((8, 16, 29)))
    assert (np.abs(d_audio).max(axis=(1, 2)) > 0).all()


@pytest.mark.parametrize(("steps", "width"), [(16, 29), (2, 1024)])
def test_every_parameter_has_a_gradient(steps, width):
    module, audio = audio_net.AudioEncoder(), sound((8, steps, width))
    variables = examples.fill(module, audio)
    weights = sound((32,), seed=1)
    gradients = jax.jit(jax.grad(lambda v: module.apply(v, audio) @ weights))(variables)
    for path, gradient in jax.tree.leaves_with_path(gradients):
        assert np.isfinite(gradient).all(), path
        assert (gradient != 0).any(), path


def test_vmap_is_a_loop(encoder):
    module, variables = encoder
    batch = sound((3, 8, 16, 29))
    mapped = jax.vmap(lambda x: module.apply(variables, x))(batch)
    looped = jnp.stack([module.apply(variables, x) for x in batch])
    np.testing.assert_allclose(mapped, looped, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((7, 16, 29), r"audio has shape \(7, 16, 29\), expected \(8, W, D\)(?!;)"),
        ((16, 29), r"audio has shape \(16, 29\), expected \(8, W, D\)(?!;)"),
        ((2, 8, 16, 29), r"expected \(8, W, D\); batch with jax.vmap"),
        ((8, 29, 16), r"has 29 steps, expected 1 to 16: audio is \[..., W, D\], got .*8, 29, 16"),
        ((8, 0, 29), "has 0 steps, expected 1 to 16"),
    ],
)
def test_refusals(shape, message):
    with pytest.raises(ValueError, match=message):
        audio_net.AudioEncoder().init(jax.random.key(0), jnp.zeros(shape))
