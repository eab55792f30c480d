"""Checks of inputs."""

import numpy as np
import pytest

from emojax.experts import inputs
from emojax.experts.checkpoint.refusal import CheckpointError


def test_what_fits_comes_back_as_an_array():
    found = inputs.array("image", np.ones((2, 3, 32, 64)), ("B", 3, "H", "W"), multiple=32)
    assert found.shape == (2, 3, 32, 64)


@pytest.mark.parametrize(
    ("shape", "got"),
    [
        ((3, 32, 32), r"\[3, 32, 32\]"),
        ((0, 3, 32, 32), "empty batch"),
        ((1, 3, 33, 32), "divisible by 32"),
        ((1, 4, 32, 32), r"\[1, 4, 32, 32\]"),
    ],
)
def test_what_does_not_is_refused(shape, got):
    with pytest.raises(CheckpointError, match=got):
        inputs.array("image", np.ones(shape), ("B", 3, "H", "W"), multiple=32)


def test_small_pictures_are_refused():
    inputs.at_least("image", (32, 40), 32)
    with pytest.raises(CheckpointError, match="31 x 40"):
        inputs.at_least("image", (31, 40), 32)
