"""StyleGAN2 in NVIDIA's layout: parity with the original, what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from emojax.experts import stylegan2_ada
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden

NAME = "stylegan2_ada"


# Compared in tests of `upfirdn`.
OPERATIONS = ("upfirdn2d_up2", "upsample2d", "bias_act_lrelu", "bias_act_lrelu_clamp50")


def test_outputs_and_intermediates_are_the_originals():
    data = golden.data(NAME)
    golden.parity(NAME, data["in.ws"], data["in.z"], skip=OPERATIONS)


def test_gradients_are_the_originals():
    golden.gradients(NAME, {"image_wrt_ws": ["image"]}, golden.data(NAME)["in.ws"][:1])


def test_filters_are_the_files_or_the_usual_ones():
    params = {"synthesis.b8.conv0.resample_filter": jnp.eye(4)}
    np.testing.assert_array_equal(stylegan2_ada._fir(params, "synthesis.b8.conv0"), np.eye(4))
    usual = stylegan2_ada._fir(params, "synthesis.b8")
    stored = golden.state_dict(NAME)["synthesis.b8.resample_filter"]
    np.testing.assert_array_equal(usual, stored)


def test_sides_and_layers_are_the_files():
    layout = stylegan2_ada.layout({})
    assert stylegan2_ada.sides(layout) == [4, 8, 16, 32, 64, 128, 256, 512, 1024]
    small = {key: shape for key, shape in layout.items() if ".b1" not in key}
    assert stylegan2_ada.sides(small) == [4, 8]
    # A file with other channels is laid out with its own.
    other = small | {"synthesis.b8.conv1.weight": (100, 100, 3, 3)}
    assert stylegan2_ada.layout(other)["synthesis.b8.conv0.weight"] == (100, 512, 3, 3)


@pytest.mark.parametrize("shape", [(0, 10, 512), (2, 18, 512), (2, 512)])
def test_codes_of_another_size_are_refused(shape):
    params = golden.expert(NAME).params
    with pytest.raises(CheckpointError, match=r"\[B, 10, 512\]"):
        stylegan2_ada.forward(params, jnp.zeros(shape))


def test_the_same_code_gives_the_same_picture_in_any_batch():
    network = golden.expert(NAME)
    small = {
        k: v
        for k, v in network.params.items()
        if not k.startswith(("synthesis.b16", "synthesis.b32", "synthesis.b64"))
    }
    codes = golden.data(NAME)["in.ws"][:, :4]
    run = golden.jitted(lambda params, codes: stylegan2_ada.forward(params, codes)["image"])
    both, one = (np.asarray(run(small, some)) for some in (codes, codes[1:]))
    assert both.shape == (2, 3, 8, 8)
    np.testing.assert_allclose(one[0], both[1], atol=1e-4 * np.abs(both).max())
