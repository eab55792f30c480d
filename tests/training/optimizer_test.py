import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from emojax import head as heads
from emojax.training import optimizer
from emojax.training.recipe import Rates
from tests.training import small

RATES = Rates()


def _update(name, part, gradient, *, step=0):
    return optimizer.update(
        name, part, gradient, optimizer.init(part), rates=RATES, step=jnp.int32(step), extent=0.5
    )[0]


@pytest.mark.parametrize(
    ("field", "shape", "rate"),
    [
        ("means", (4, 3), 0.5 * 1.6e-4),
        ("quaternions", (4, 4), 1e-3),
        ("scales", (4, 3), 3e-3),
        ("opacities", (4,), 0.05),
    ],
)
def test_first_step_of_adam_is_as_long_as_the_rate(field, shape, rate):
    part = jnp.ones(shape)
    moved = _update(f"face.{field}", part, 3.0 * part) - part
    np.testing.assert_allclose(moved, -rate, rtol=1e-3)


def test_coefficients_have_two_rates():
    part = jnp.zeros((4, 9, 3))
    moved = _update("mouth.harmonics", part, jnp.ones_like(part))
    np.testing.assert_allclose(moved[:, 0], -2.5e-3, rtol=1e-4)
    np.testing.assert_allclose(moved[:, 1:], -1.25e-4, rtol=1e-4)


def test_networks_are_adamw_by_their_parts():
    """Equal to optax.adamw of each group, at a step in the middle of the schedule."""
    part = heads.init(jax.random.key(0), small.HEAD).face_motion
    gradient = jax.tree.map(lambda x: jnp.cos(x) + 0.1, part)
    moved = _update("face.motion", part, gradient, step=20_000)

    def adamw(rate, decay):
        rule = optax.adamw(rate * 0.5**0.5, b1=0.9, b2=0.99, eps=1e-8, weight_decay=decay)
        updates, _ = rule.update(gradient, rule.init(part), part)
        return optax.apply_updates(part, updates)["params"]

    def close(got, expected):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), got, expected
        )

    got = moved["params"]
    close(got["tables"], adamw(5e-3, 0.01)["tables"])
    close(got["audio"]["attention"], adamw(2.5e-3, 1e-4)["audio"]["attention"])
    close(got["audio"]["net"], adamw(5e-4, 0.0)["audio"]["net"])
    close(got["motion"], adamw(5e-4, 0.0)["motion"])
    close(got["audio_attention"], adamw(5e-4, 0.0)["audio_attention"])


def test_moments_follow():
    part, gradient = jnp.ones(3), jnp.array([1.0, 0.0, -1.0])
    moments = optimizer.init(part)
    for step in range(2):
        part, moments = optimizer.update(
            "face.opacities", part, gradient, moments, rates=RATES, step=step, extent=1.0
        )
    assert int(moments.count) == 2
    np.testing.assert_allclose(part, [0.9, 1.0, 1.1], rtol=1e-4)
