"""Face normals: parity with the original, zero vectors, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.experts import face_normals, registry
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden

NAME = "face_normals"


def test_outputs_and_intermediates_are_the_originals():
    golden.parity(NAME, golden.data(NAME)["in.image_u8"])


def test_gradients_are_the_originals():
    image = golden.data(NAME)["in.image_u8"] / np.float32(255)
    sums = {"normals_unit_wrt_x": ["normals_unit"], "normals_raw_wrt_x": ["normals_raw"]}
    golden.gradients(NAME, sums, image, routed=True)


def test_faces_are_cut_by_a_square_around_landmarks():
    rows, columns = np.indices((200, 300), np.float32)
    image = np.stack([columns, rows, 0 * rows]) / 300
    points = np.array([[100.0, 60], [200, 120], [150, 100]])  # a box of 100 x 60 around (150, 90)
    found = np.asarray(face_normals.crop(image, points))
    assert found.shape == (1, 3, 256, 256)
    # Columns 90 to 210, rows 30 to 150, their pixels' edges.
    want = (90 + (np.arange(256) + 0.5) * 120 / 256 - 0.5) / 300
    np.testing.assert_allclose(found[0, 0, 5, 1:-1], want[1:-1], atol=1e-5)
    np.testing.assert_allclose(found[0, 1, 1:-1, 5], want[1:-1] - 60 / 300, atol=1e-5)
    gradient = jax.grad(lambda x: jnp.sum(face_normals.crop(x, points)[0, 0]))(image)
    assert gradient[0, 31:149, 91:209].min() > 0
    assert np.abs(gradient[0, :, :90]).max() == 0
    clipped = face_normals.crop(image, points - np.array([120, 0]))
    assert clipped.shape == (1, 3, 256, 256)
    for wrong in (points + np.array([400, 0]), 0 * points, points * np.nan):
        with pytest.raises(CheckpointError, match="300 x 200 pixels"):
            face_normals.crop(image, wrong)


def test_a_zero_normal_stays_zero_with_finite_gradient():
    normals = jnp.zeros((1, 3, 2, 2)).at[0, :, 0, 0].set(jnp.array([3.0, 0, 4]))
    found = face_normals.unit(normals)
    np.testing.assert_allclose(found[0, :, 0, 0], [0.6, 0, 0.8], rtol=1e-6)
    np.testing.assert_array_equal(found[0, :, 1, 1], 0)
    gradient = jax.grad(lambda x: jnp.sum(face_normals.unit(x)))(normals)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("shape", [(0, 3, 64, 64), (1, 3, 48, 64), (1, 1, 64, 64)])
def test_other_pictures_are_refused(shape):
    with pytest.raises(CheckpointError, match="divisible by 32"):
        registry.get(NAME).forward({}, jnp.zeros(shape))
