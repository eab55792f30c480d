"""BiSeNet: parity with the original, what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from emojax.experts import registry
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden

NAME = "bisenet"


def test_outputs_and_intermediates_are_the_originals():
    found = golden.parity(NAME, golden.data(NAME)["in.image_rgb_u8"], skip=["out.parsing"])
    stored = golden.data(NAME)
    parsing = np.argmax(found["logits"][0], axis=0)
    different = (parsing != stored["out.parsing"]).sum()
    assert different <= stored["out.parsing_margin_below_1e-3"]


@pytest.mark.parametrize("shape", [(0, 3, 64, 64), (1, 3, 16, 64), (1, 4, 64, 64)])
def test_other_pictures_are_refused(shape):
    with pytest.raises(CheckpointError, match="image"):
        registry.get(NAME).forward({}, jnp.zeros(shape))
