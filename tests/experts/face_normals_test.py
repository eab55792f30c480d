"""Face normals: parity with the original, zero vectors, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.experts import face_normals, registry
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden

NAME = "face_normals"


def test_outputs_intermediates_and_gradients_are_the_originals():
    image = golden.data(NAME)["in.image_u8"] / np.float32(255)
    gradients = {
        "normals_unit_wrt_x": ["normals_unit"],
        "normals_raw_wrt_x": ["normals_raw"],
    }
    extras = ["normal_to_normal_flag1"]
    golden.parity(NAME, image, extras=extras, gradients=gradients, routed=True)


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
