"""Decoding of heat maps and the face crop: parity with face-alignment, laws, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.experts import heatmaps
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden


def test_decoding_is_the_originals():
    data = golden.data("fan")
    points, _ = heatmaps.decode(data["in.synthetic_heatmaps"])
    np.testing.assert_array_equal(points, data["out.synthetic_landmarks_hm_units"])
    image = heatmaps.to_image(points, data["in.center"], data["in.scale"])
    np.testing.assert_array_equal(image, data["out.synthetic_landmarks_image"])
    found = heatmaps.emostyle_decode(data["in.synthetic_heatmaps"])
    np.testing.assert_array_equal(found, data["out.emostyle_decode_synthetic"])


def test_the_crop_is_the_originals():
    data = golden.data("fan")
    place = (data["in.crop_center"], data["in.crop_scale"])
    low, high = heatmaps.crop_corners(*place)
    np.testing.assert_array_equal(low, data["out.crop_corner_ul"])
    np.testing.assert_array_equal(high, data["out.crop_corner_br"])
    image = data["in.crop_image_chw_u8"].transpose(1, 2, 0)
    found = heatmaps.face_crop(image, *place)
    assert found.dtype == jnp.uint8
    difference = np.abs(np.int32(found) - data["out.crop_rgb_hwc_u8"])
    assert difference.max() <= 1  # cv2 computes in fixed point


def test_a_peak_decodes_to_its_centre_and_leans_to_the_higher_neighbour():
    maps = jnp.zeros((1, 1, 64, 64)).at[0, 0, 20, 30].set(1.0)
    points, scores = heatmaps.decode(maps)
    np.testing.assert_array_equal(points[0, 0], [30.5, 20.5])
    assert scores[0, 0] == 1
    points, _ = heatmaps.decode(maps.at[0, 0, 20, 31].set(0.5).at[0, 0, 19, 30].set(0.1))
    np.testing.assert_array_equal(points[0, 0], [30.75, 20.25])


def test_soft_decoding_has_gradients_and_nears_the_peak():
    row, column = jnp.mgrid[:64, :64]
    maps = jnp.exp(-((row - 20.0) ** 2 + (column - 30.0) ** 2) / 8)[None, None]
    found = heatmaps.soft_decode(maps, sharpness=40.0)
    np.testing.assert_allclose(found[0, 0], [30.5, 20.5], atol=1e-2)
    gradient = jax.grad(lambda maps: heatmaps.soft_decode(maps)[0, 0, 0])(maps)
    assert np.abs(gradient).max() > 0


def test_points_of_the_crop_go_back_to_the_image():
    center, scale = jnp.array([150.0, 120.0]), jnp.array(1.3)
    found = heatmaps.to_image(jnp.array([32.0, 32.0]), center, scale)
    np.testing.assert_allclose(found, center, atol=1)
    corner = heatmaps.to_image(jnp.array([64.0, 64.0]), center, scale)
    np.testing.assert_allclose(corner, center + 130, atol=1)


def test_a_box_is_lifted_and_scaled():
    center, scale = heatmaps.box_to_crop(jnp.array([100.0, 50.0, 200.0, 170.0]))
    np.testing.assert_allclose(center, [150, 110 - 0.12 * 120], rtol=1e-6)
    assert float(scale) == pytest.approx(220 / 195)


def test_gradients_flow_through_the_crop():
    image = np.random.default_rng(0).uniform(size=(60, 80, 3)).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=(256, 256, 3)).astype(np.float32)

    def total(image):
        return jnp.sum(heatmaps.face_crop(image, jnp.array([40.0, 30.0]), 0.2) * weights)

    gradient = jax.grad(total)(image)
    assert float(jnp.vdot(gradient, image)) == pytest.approx(float(total(image)), rel=1e-3)
    np.testing.assert_array_equal(gradient[:5], 0)


@pytest.mark.parametrize(
    ("center", "scale"),
    [((-200.0, 30.0), 0.5), ((40.0, 400.0), 0.5), ((40.0, 30.0), 0.0), ((np.nan, 30.0), 0.5)],
)
def test_a_crop_outside_of_the_image_is_refused(center, scale):
    with pytest.raises(CheckpointError, match="meets the picture of 80 x 60"):
        heatmaps.face_crop(jnp.zeros((60, 80, 3)), jnp.array(center), scale)
