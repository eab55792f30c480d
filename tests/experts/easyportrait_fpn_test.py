"""EasyPortrait's parser: parity with the original, what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from emojax.experts import registry
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden

NAME = "easyportrait_fpn"


def test_outputs_and_intermediates_are_the_originals():
    found = golden.parity(NAME, golden.data(NAME)["in.image_rgb_u8"], skip=["labels"])
    labels = np.argmax(found["logits"][0], axis=0)
    top = np.sort(np.asarray(found["logits"][0]), axis=0)
    clear = top[-1] - top[-2] > 1e-3
    np.testing.assert_array_equal(labels[clear], golden.data(NAME)["out.labels"][clear])
    assert clear.mean() > 0.99


@pytest.mark.parametrize("shape", [(0, 3, 64, 64), (1, 3, 16, 64), (1, 4, 64, 64)])
def test_other_pictures_are_refused(shape):
    with pytest.raises(CheckpointError, match="image"):
        registry.get(NAME).forward({}, jnp.zeros(shape))
