"""The code of an emotion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.encoders import emotion_net, layers

ENCODER = emotion_net.EmotionEncoder()


@pytest.fixture(scope="module")
def params():
    return layers.start(jax.random.key(0), ENCODER, jnp.zeros(2))


def test_the_neutral_point_has_the_code_zero(params):
    code = ENCODER.apply(params, jnp.zeros(2))
    np.testing.assert_array_equal(code, np.zeros(emotion_net.CODE_WIDTH))


def test_valence_and_arousal_both_count(params):
    codes = [ENCODER.apply(params, jnp.array(e)) for e in ([0.5, 0.0], [0.0, 0.5], [-0.5, 0.0])]
    for i, j in ((0, 1), (1, 2), (0, 2)):
        assert float(jnp.abs(codes[i] - codes[j]).max()) > 1e-3


@pytest.mark.parametrize("shape", [(), (3,), (4, 2)])
def test_it_wants_two_numbers(params, shape):
    with pytest.raises(ValueError, match=r"expected \(2,\)"):
        ENCODER.apply(params, jnp.zeros(shape))
