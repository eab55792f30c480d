"""StyleGAN2 in NVIDIA's layout: parity with the original, what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from emojax.experts import stylegan2_ada
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden

NAME = "stylegan2_ada"


def test_outputs_intermediates_and_gradients_are_the_originals():
    data = golden.data(NAME)
    golden.parity(
        NAME,
        data["in.ws"],
        data["in.z"],
        extras=["image_no_noise", "mapped_ws", "mapped_ws_psi0.7"],
        gradients={"image_wrt_ws": ["image"]},
        routed=True,
    )


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
    both = np.asarray(stylegan2_ada.forward(small, jnp.asarray(codes))["image"])
    one = np.asarray(stylegan2_ada.forward(small, jnp.asarray(codes[1:]))["image"])
    assert both.shape == (2, 3, 8, 8)
    np.testing.assert_allclose(one[0], both[1], atol=1e-4 * np.abs(both).max())
