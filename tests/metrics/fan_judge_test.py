"""FAN as a judge: its points come back to the picture; what is refused."""

import types

import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.experts import registry
from emojax.metrics import fan_judge


def test_points_are_those_of_the_picture():
    crops = []

    def apply(params, crop, *, outputs):
        crops.append(np.asarray(crop))
        return {outputs[0]: np.full((1, 68, 2), 32.0)}  # the crop's middle

    judge = types.SimpleNamespace(spec=registry.get("fan"), params={}, apply=apply)
    image = np.random.default_rng(0).integers(0, 255, size=(240, 320, 3), dtype=np.uint8)
    found = fan_judge.predictor(judge)(image, np.array([160.0, 120, 100]))
    assert found.shape == (68, 2)
    np.testing.assert_allclose(found[0], [160, 108])  # the middle is lifted by 12 % of the box
    assert crops[0].shape == (1, 3, 256, 256)
    assert crops[0].dtype == np.uint8
    assert fan_judge.title(judge).startswith("FAN 2D-68, weights ")


def test_own_error_is_the_distance_from_the_truth():
    true = np.zeros((2, 68, 2))
    seen = true + np.array([3, 4])
    assert fan_judge.own_error(seen, true) == 5
    seen[1] = np.nan
    assert fan_judge.own_error(seen, true) == 5


def test_another_network_is_refused():
    with pytest.raises(DataError, match="FAN as the judge"):
        fan_judge.predictor(types.SimpleNamespace(spec=registry.get("bisenet")))
