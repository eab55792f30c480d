import numpy as np
import pytest

from emojax.data.face68 import MEAN_SHAPE
from emojax.data.masks import headframe


def _portrait(scale, roll, shift):
    """The mean face in a picture, pixels."""
    flat = MEAN_SHAPE[:, :2] * (1, -1) * scale
    rotation = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    return (flat @ rotation.T + shift).astype(np.float32)


@pytest.mark.parametrize(("scale", "roll", "shift"), [(1.2, 0, (256, 200)), (0.3, 0.4, (70, 50))])
def test_a_head_has_the_same_places_at_every_size_place_and_roll(scale, roll, shift):
    places, width = headframe.points(_portrait(scale, roll, shift)), MEAN_SHAPE[45, 0] * 2
    np.testing.assert_allclose(places, MEAN_SHAPE[:, :2] * (1, -1) / width, atol=1e-5)


def test_the_grids_agree_with_the_points():
    landmarks = np.round(_portrait(1, 0.2, (128, 100)))
    a, b = headframe.grids(landmarks, 256)
    x, y = landmarks[8].astype(int)
    np.testing.assert_allclose((a[y, x], b[y, x]), headframe.points(landmarks)[8], atol=1e-5)


def test_coinciding_eyes_give_numbers():
    assert np.isfinite(headframe.affine(np.zeros((68, 2)))).all()


def test_rescaling_keeps_the_borders_of_pixels():
    # The left edge of pixel 0 is -0.5 at every size.
    corners = np.array([[-0.5, 511.5], [3.5, 0.0]])
    np.testing.assert_allclose(headframe.rescale(corners, 0.5), [[-0.5, 255.5], [1.5, -0.25]])
