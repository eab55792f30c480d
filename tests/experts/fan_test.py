"""FAN: parity of the network and of the flip test with the original."""

import numpy as np

from emojax.experts import fan
from tests.experts import golden

NAME = "fan"


def test_outputs_intermediates_and_gradients_are_the_originals():
    data = golden.data(NAME)
    found = golden.parity(
        NAME,
        data["in.image_u8"] / np.float32(255),
        data["in.center"],
        data["in.scale"],
        extras=[
            "landmarks_image",
            "heatmap3_flip_summed",
            "landmarks_flip_hm_units",
            "emostyle_decode_net",
        ],
        gradients={"heatmap3_wrt_x": ["heatmap3"]},
        routed=True,
    )
    assert found["landmarks_hm_units"].shape == (1, 68, 2)


def test_mirroring_twice_is_nothing():
    order = np.array(fan.MIRRORED)
    np.testing.assert_array_equal(order[order], np.arange(68))
    assert set(np.arange(68)[order == np.arange(68)]) == {8, 27, 28, 29, 30, 33, 51, 57, 62, 66}
