"""BiSeNet: parity with the original, what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from emojax.experts import bisenet, registry
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden

NAME = "bisenet"


def test_outputs_and_intermediates_are_the_originals():
    found = golden.parity(
        NAME, golden.data(NAME)["in.image_rgb_u8"], skip=["parsing", "parsing_margin_below_1e-3"]
    )
    stored = golden.data(NAME)
    parsing = np.argmax(found["logits"][0], axis=0)
    different = (parsing != stored["out.parsing"]).sum()
    assert different <= stored["out.parsing_margin_below_1e-3"]


def test_pictures_are_brought_to_the_size_of_the_training():
    image = np.full((2, 3, 700, 600), 51, np.uint8)
    found = bisenet.preprocess(image)
    assert found.shape == (2, 3, 512, 512)
    np.testing.assert_allclose(found, 0.2, rtol=1e-5)


@pytest.mark.parametrize("shape", [(0, 3, 64, 64), (1, 3, 16, 64), (1, 4, 64, 64)])
def test_other_pictures_are_refused(shape):
    with pytest.raises(CheckpointError, match="image"):
        registry.get(NAME).forward({}, jnp.zeros(shape))
