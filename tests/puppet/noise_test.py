import jax.numpy as jnp
import numpy as np

from emojax.puppet import noise

POINTS = np.random.default_rng(0).uniform(-30, 30, (3, 20000)).astype(np.float32)


def test_noise_is_centred_bounded_and_continuous():
    for function, points in (
        (noise.bumps, POINTS),
        (lambda *p: noise.locks(*p, jnp.float32(0.5)), POINTS / 60),  # of a head
    ):
        value = np.asarray(function(*points))
        assert np.abs(value).max() < 1.5
        assert abs(value.mean()) < 0.1
        assert value.std() > 0.15
        near = np.asarray(function(*(points + 1e-4)))
        assert np.abs(near - value).max() < 0.15


def test_waves_have_period_one_and_stay_between_minus_one_and_one():
    t = jnp.linspace(-3, 3, 301)
    for function in (noise.wave, noise.soft):
        np.testing.assert_allclose(function(t), function(t + 1), atol=1e-4)
        assert np.abs(function(t)).max() <= 1
    np.testing.assert_allclose(noise.wave(jnp.array([0.0, 0.5])), [-1, 1])
