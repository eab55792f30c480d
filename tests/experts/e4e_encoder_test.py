"""e4e: parity with the original, the mean code, the W encoder's layout."""

import jax
import numpy as np

from emojax.experts import e4e_encoder, layers, registry
from tests.experts import golden

NAME = "e4e_encoder"


def _shapes(stored):
    """Parameters without numbers, as `forward` takes them."""
    return {
        key: jax.ShapeDtypeStruct(
            layers.kernels_last(key, np.empty(shape, np.int8)).shape, np.float32
        )
        for key, shape in stored.items()
    }


def test_outputs_and_intermediates_are_the_originals():
    golden.parity(NAME, golden.data(NAME)["in.image_rgb_u8"])


def test_pictures_are_resized_with_smoothing_and_gradients():
    fine = np.indices((1024, 1024)).sum(0)[None, None] % 2  # a chessboard of single pixels
    image = np.uint8(255 * fine).repeat(3, 1)
    found = np.asarray(e4e_encoder.preprocess(image))
    assert found.shape == (1, 3, 256, 256)
    np.testing.assert_allclose(found[:, :, 1:-1, 1:-1], 0, atol=1e-5)  # its mean
    ramp = np.tile(np.linspace(-1, 1, 512, dtype=np.float32), (1, 3, 512, 1))
    middle = np.asarray(e4e_encoder.preprocess(ramp))[0, 0, 0, 1:-1]
    np.testing.assert_allclose(
        middle, (ramp[0, 0, 0, 2:-2:2] + ramp[0, 0, 0, 3:-2:2]) / 2, atol=1e-5
    )
    gradient = jax.grad(lambda x: e4e_encoder.preprocess(x).sum())(ramp)
    np.testing.assert_allclose(gradient[0, 0, 4:-4, 4:-4], 1 / 4, rtol=1e-4)


def test_the_mean_code_is_added_where_the_file_has_it():
    network = registry.get(NAME)
    usual = network.layout({})
    image = jax.ShapeDtypeStruct((2, 3, 256, 256), np.float32)
    found = jax.eval_shape(network.forward, _shapes(usual), image)
    assert found["wplus"].shape == (2, 18, 512)
    del usual["latent_avg"]
    assert "wplus" not in jax.eval_shape(network.forward, _shapes(usual), image)


def test_the_w_encoder_gives_one_code_for_all_styles():
    network = registry.get(NAME)
    layout = network.layout({"encoder.linear.weight": (512, 512)})
    image = jax.ShapeDtypeStruct((2, 3, 256, 256), np.float32)
    found = jax.eval_shape(network.forward, _shapes(layout), image)
    assert found["codes"].shape == (2, 18, 512)
