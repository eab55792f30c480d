"""EmoNet: parity with the original, EmoStyle's variant, what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from emojax.experts import emonet, registry
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden


@pytest.mark.parametrize("name", ["emonet_8", "emonet_5"])
def test_outputs_and_intermediates_are_the_originals(name):
    golden.parity(name, golden.data(name)["in.image_u8"])


@pytest.mark.parametrize("name", ["emonet_8", "emonet_5"])
def test_gradients_are_the_originals(name):
    image = golden.data(name)["in.image_u8"][:1] / np.float32(255)
    sums = {"emotion_wrt_x": ["valence", "arousal", "expression"], "heatmap_wrt_x": ["heatmap"]}
    golden.gradients(name, sums, image, routed=True)


def test_emostyle_crops_its_middle_by_nearest_neighbours():
    image = np.arange(100 * 200, dtype=np.float32).reshape(1, 1, 100, 200).repeat(3, 1)
    found = np.asarray(emonet.emostyle_crop(image))[0, 0]
    assert found.shape == (256, 256)
    np.testing.assert_array_equal(found[0], image[0, 0, 10, 20 + np.arange(256) * 160 // 256])
    np.testing.assert_array_equal(found[:, 0], image[0, 0, 10 + np.arange(256) * 80 // 256, 20])


@pytest.mark.parametrize("shape", [(0, 3, 256, 256), (1, 3, 128, 128), (1, 256, 256, 3)])
def test_other_pictures_are_refused(shape):
    with pytest.raises(CheckpointError, match=r"\[B, 3, 256, 256\]"):
        registry.get("emonet_8").forward({}, jnp.zeros(shape))
