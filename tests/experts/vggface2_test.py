"""VGGFace2: parity with the original, a file without the classifier, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.experts import registry, vggface2
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden

NAME = "vggface2"


def test_outputs_and_intermediates_are_the_originals():
    golden.parity(NAME, golden.data(NAME)["in.image_u8"])


def test_gradients_are_the_originals():
    image = golden.data(NAME)["in.image_u8"][:1] / np.float32(255)
    golden.gradients(NAME, {"embedding_wrt_x": ["embedding"]}, image)


def test_the_middle_is_taken_in_bgr_less_the_means():
    image = np.random.default_rng(0).uniform(size=(1, 3, 100, 120)).astype(np.float32)
    found = np.asarray(vggface2.preprocess(image))[0]
    assert found.shape == (3, 224, 224)
    rows, columns = (10 + np.arange(16, 240) * 80 // 256, 12 + np.arange(16, 240) * 96 // 256)
    want = 255 * image[0, 2][rows[:, None], columns] - vggface2.MEANS[0]
    np.testing.assert_allclose(found[0], want, atol=1e-4)
    gradient = jax.grad(lambda x: jnp.sum(vggface2.preprocess(x)))(image)
    assert np.abs(gradient[0, :, 10:90, 12:108]).max() > 0
    assert np.abs(gradient[0, :, :10]).max() == 0


def test_the_classifier_is_optional():
    network = registry.get(NAME)
    assert "fc.weight" in network.layout({})
    shapes = jax.eval_shape(
        network.forward,
        {
            key: jax.ShapeDtypeStruct(
                vggface2.spec.layers.kernels_last(key, np.empty(shape, np.int8)).shape, np.float32
            )
            for key, shape in network.layout({}).items()
            if not key.startswith("fc.")
        },
        jax.ShapeDtypeStruct((2, 3, 64, 64), np.float32),
    )
    assert shapes["embedding"].shape == (2, 2048)
    assert "logits_8631" not in shapes


def test_an_empty_batch_is_refused():
    with pytest.raises(CheckpointError, match="empty batch"):
        vggface2.preprocess(jnp.zeros((0, 3, 64, 64)))
