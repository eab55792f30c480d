"""Up-sampling, filtering, down-sampling; activations: parity with both originals, laws."""

import jax.numpy as jnp
import numpy as np
import pytest

from emojax.experts import layers, stylegan2, upfirdn
from tests.experts import golden

CASES = {
    "up2_pad21": {"up": 2, "padding": (2, 1)},
    "down2_pad11": {"down": 2, "padding": (1, 1)},
    "blur_pad11": {"padding": (1, 1)},
    "blur_pad21": {"padding": (2, 1)},
    "up2_down3_padm13": {"up": 2, "down": 3, "padding": (-1, 3)},
}


@pytest.mark.parametrize("case", CASES)
def test_filtering_is_rosinalitys(case):
    data = golden.data("stylegan2_rosinality")
    x = layers.channels_last(data["in.fir_input"])
    found = upfirdn.upfirdn2d(x, data["in.fir_kernel_asym"], **CASES[case])
    golden.check("stylegan2_rosinality", f"out.upfirdn2d_{case}", layers.channels_first(found))


def test_filtering_is_nvidias():
    data = golden.data("stylegan2_ada")
    x = layers.channels_last(data["in.fir_input"])
    found = upfirdn.upfirdn2d(x, data["in.fir_kernel_asym"], up=2, padding=(2, 1), gain=4.0)
    golden.check("stylegan2_ada", "out.upfirdn2d_up2", layers.channels_first(found))
    taps = jnp.array([1.0, 3, 3, 1])
    found = stylegan2.upsample(x, jnp.outer(taps, taps) / 64)
    golden.check("stylegan2_ada", "out.upsample2d", layers.channels_first(found))


def test_activations_are_the_originals():
    data = golden.data("stylegan2_rosinality")
    x = layers.channels_last(data["in.flrelu_input"])
    found = upfirdn.bias_act(x, data["in.flrelu_bias"])
    golden.check("stylegan2_rosinality", "out.fused_leaky_relu", layers.channels_first(found))
    data = golden.data("stylegan2_ada")
    x = layers.channels_last(data["in.bias_act_input"])
    found = upfirdn.bias_act(x, data["in.bias_act_bias"])
    golden.check("stylegan2_ada", "out.bias_act_lrelu", layers.channels_first(found))
    found = upfirdn.bias_act(x, data["in.bias_act_bias"], clamp=50.0)
    golden.check("stylegan2_ada", "out.bias_act_lrelu_clamp50", layers.channels_first(found))


def test_a_filter_of_one_tap_only_moves_pixels():
    x = jnp.arange(12.0).reshape(1, 3, 4, 1)
    kernel = jnp.zeros((3, 3)).at[0, 2].set(1)  # flipped: reads below and to the left
    found = upfirdn.upfirdn2d(x, kernel, padding=(1, 1))
    np.testing.assert_array_equal(found[0, :2, 1:, 0], x[0, 1:, :3, 0])
