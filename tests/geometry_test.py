"""Rotations and rigid transforms: group laws, hand-made values, gradients at the corners."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from emojax import geometry


def _quaternions(count=20, seed=0):
    """Uniform ones, and some near the identity."""
    rng = np.random.default_rng(seed)
    uniform = rng.normal(size=(count, 4))
    near = np.concatenate([np.ones((count, 1)), 1e-6 * rng.normal(size=(count, 3))], axis=1)
    return jnp.asarray(np.concatenate([uniform, near]))


def test_a_quarter_turn_about_z():
    half = np.pi / 4
    matrix = geometry.quaternion_to_matrix(jnp.array([np.cos(half), 0, 0, np.sin(half)]))
    np.testing.assert_allclose(matrix @ np.array([1.0, 0, 0]), [0, 1, 0], atol=1e-6)


def test_matrices_are_rotations(float64):
    matrices = geometry.quaternion_to_matrix(_quaternions())
    products = matrices @ jnp.swapaxes(matrices, -1, -2)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), products.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(matrices), 1, rtol=1e-12)


def test_zero_quaternion_is_no_rotation_and_has_no_gradient():
    zero = jnp.zeros(4)
    np.testing.assert_array_equal(geometry.quaternion_to_matrix(zero), np.eye(3))
    np.testing.assert_array_equal(jax.jacobian(geometry.quaternion_to_matrix)(zero), 0)


def test_covariance_has_the_scales_as_spectrum(float64):
    scales = jnp.asarray(np.random.default_rng(0).uniform(0.1, 2, size=(40, 3)))
    matrices = geometry.covariance(_quaternions(), scales)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(matrices), np.sort(np.square(scales), axis=-1), rtol=1e-9
    )


def test_gradients(float64):
    q = _quaternions(3)
    scales = jnp.asarray(np.random.default_rng(0).uniform(0.1, 2, size=(6, 3)))
    check_grads(geometry.covariance, (q, scales), order=1, modes=["rev"], atol=1e-5, rtol=1e-5)


def test_inverse_undoes(float64):
    pose = geometry.look_at(jnp.array([0.3, 0.2, -1.0]), jnp.zeros(3), jnp.array([0.0, 1, 0]))
    np.testing.assert_allclose(geometry.invert_rigid(pose) @ pose, np.eye(4), atol=1e-12)
    points = jnp.asarray(np.random.default_rng(0).normal(size=(7, 3)))
    there = geometry.transform_points(pose, points)
    back = geometry.transform_points(geometry.invert_rigid(pose), there)
    np.testing.assert_allclose(back, points, atol=1e-12)


@pytest.mark.parametrize("eye", [(0, 0, 1.0), (0.5, -0.2, 2.0), (-1.0, 0.3, 0.1)])
def test_look_at_puts_the_target_ahead_and_up_above(eye):
    eye = jnp.asarray(eye)
    pose = geometry.look_at(eye, jnp.zeros(3), jnp.array([0.0, 1, 0]))
    target, above, at = geometry.transform_points(
        pose, jnp.stack([jnp.zeros(3), jnp.array([0, 0.1, 0]), eye])
    )
    np.testing.assert_allclose(target, [0, 0, jnp.linalg.norm(eye)], atol=1e-6)
    assert above[1] < 0, "up in the world is up in the picture, which is -y"
    np.testing.assert_allclose(at, 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(pose[:3, :3]), 1, rtol=1e-6)
