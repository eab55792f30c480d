"""FAN: parity of the network and of the flip test with the original."""

import numpy as np

from emojax.experts import fan
from tests.experts import golden

NAME = "fan"


# Compared in tests of `heatmaps`.
DECODERS = (
    "synthetic_landmarks_hm_units", "synthetic_landmarks_image", "emostyle_decode_synthetic",
    "crop_rgb_hwc_u8", "crop_corner_ul", "crop_corner_br",
)  # fmt: skip


def test_outputs_and_intermediates_are_the_originals():
    data = golden.data(NAME)
    given = (data["in.image_u8"], data["in.center"], data["in.scale"])
    found = golden.parity(NAME, *given, skip=DECODERS)
    assert found["landmarks_hm_units"].shape == (1, 68, 2)


def test_gradients_are_the_originals():
    image = golden.data(NAME)["in.image_u8"] / np.float32(255)
    golden.gradients(NAME, {"heatmap3_wrt_x": ["heatmap3"]}, image, routed=True)


def test_mirroring_twice_is_nothing():
    order = np.array(fan.MIRRORED)
    np.testing.assert_array_equal(order[order], np.arange(68))
    assert set(np.arange(68)[order == np.arange(68)]) == {8, 27, 28, 29, 30, 33, 51, 57, 62, 66}
