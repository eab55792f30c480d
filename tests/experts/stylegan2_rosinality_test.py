"""StyleGAN2 in rosinality's layout: parity with the original, what loading changes."""

import numpy as np

from emojax.experts import stylegan2_rosinality
from tests.experts import golden

NAME = "stylegan2_rosinality"


def test_outputs_and_intermediates_are_the_originals():
    data = golden.data(NAME)
    given = (data["in.wplus"], data["in.z"], data["in.latent_avg"])
    # The operations are compared in tests of `upfirdn`.
    names = golden.names(NAME, "out.")
    operations = [key for key in names if key.startswith(("upfirdn2d", "fused"))]
    golden.parity(NAME, *given, skip=operations)


def test_gradients_are_the_originals():
    codes = golden.data(NAME)["in.wplus"][:1]
    golden.gradients(NAME, {"image_wrt_wplus": ["image"]}, codes, routed=True)


def test_filters_are_the_files_or_the_usual_ones():
    params = {"convs.0.conv.blur.kernel": 4 * np.eye(4)}
    np.testing.assert_array_equal(stylegan2_rosinality._fir(params, "convs.0.conv.blur"), np.eye(4))
    usual = stylegan2_rosinality._fir(params, "to_rgbs.0.upsample")
    stored = golden.state_dict(NAME)["to_rgbs.0.upsample.kernel"]
    np.testing.assert_array_equal(usual, stored / 4)


def test_kernels_are_scaled_when_loaded_and_axes_of_length_one_dropped():
    kernel = np.ones((1, 8, 4, 3, 3), np.float32)
    found = stylegan2_rosinality.prepare("convs.0.conv.weight", kernel)
    assert found.shape == (3, 3, 4, 8)
    np.testing.assert_allclose(found, 1 / 6)
    rgb = np.ones((1, 3, 4, 1, 1), np.float32)
    np.testing.assert_array_equal(stylegan2_rosinality.prepare("to_rgb1.conv.weight", rgb), 1)
    assert stylegan2_rosinality.prepare("noises.noise_3", np.ones((1, 1, 16, 16))).shape == (16, 16)
    assert stylegan2_rosinality.prepare("to_rgb1.bias", np.ones((1, 3, 1, 1))).shape == (3,)
    assert stylegan2_rosinality.prepare("input.input", np.ones((1, 8, 4, 4))).shape == (4, 4, 8)


def test_the_number_of_convolutions_is_the_files():
    layout = stylegan2_rosinality.layout({})
    assert stylegan2_rosinality.num_convs(layout) == 17
    assert layout["noises.noise_16"] == (1, 1, 1024, 1024)
    small = {key: shape for key, shape in layout.items() if not key.startswith("convs.")}
    small |= {f"convs.{i}.conv.weight": (1, 512, 512, 3, 3) for i in range(4)}
    assert stylegan2_rosinality.num_convs(small) == 5
