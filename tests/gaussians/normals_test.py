"""Normals of Gaussians: the shortest axis that faces the viewer, residuals, frames, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import gaussians, geometry
from emojax.gaussians import normals
from emojax.types import Camera


def _cloud(seed=0, count=40):
    keys = jax.random.split(jax.random.key(seed), 4)
    cloud = gaussians.from_box(keys[0], num_points=count, capacity=count + 3)
    return cloud.replace(
        quaternions=jax.random.normal(keys[1], cloud.quaternions.shape),
        scales=jax.random.normal(keys[2], cloud.scales.shape) - 5,
        normals=0.2 * jax.random.normal(keys[3], cloud.means.shape),
    )


def _camera(eye=(0.1, 0.2, 0.9)):
    pose = geometry.look_at(jnp.array(eye), jnp.zeros(3), jnp.array([0.0, 1, 0]))
    return Camera(pose, jnp.full(2, 80.0), jnp.full(2, 32.0), width=64, height=64)


def test_without_residual_it_is_the_shortest_axis_towards_the_eye():
    cloud, eye = _cloud(), np.array([0.1, 0.2, 0.9])
    found = np.asarray(normals.world(cloud.replace(normals=0 * cloud.normals), _camera(eye)))
    axes = np.asarray(geometry.quaternion_to_matrix(cloud.quaternions))
    for i in np.flatnonzero(cloud.alive):
        axis = axes[i][:, np.argmin(cloud.scales[i])]
        np.testing.assert_allclose(abs(found[i] @ axis), 1, atol=1e-5)
        assert found[i] @ (eye - np.asarray(cloud.means[i])) >= 0


def test_lengths_are_one_and_dead_slots_zero():
    cloud = _cloud()
    lengths = np.linalg.norm(normals.world(cloud, _camera()), axis=-1)
    np.testing.assert_allclose(lengths, np.asarray(cloud.alive, float), atol=1e-5)


def test_a_residual_turns_it():
    cloud = _cloud()
    up = cloud.replace(normals=jnp.tile(jnp.array([0.0, 1e3, 0.0]), (cloud.capacity, 1)))
    found = np.asarray(normals.world(up, _camera()))[np.asarray(cloud.alive)]
    np.testing.assert_allclose(found, np.tile([0, 1, 0], (len(found), 1)), atol=2e-3)


def test_a_surface_that_faces_the_viewer_is_blue_and_up_is_green():
    camera = _camera()
    to_eye = numerics_unit(np.array([0.1, 0.2, 0.9]))
    np.testing.assert_allclose(normals.to_picture(jnp.array(to_eye), camera), [0, 0, 1], atol=1e-6)
    up = normals.to_picture(jnp.array([0.0, 1.0, 0.0]), camera)
    assert up[1] > 0.9


def numerics_unit(x):
    return (x / np.linalg.norm(x)).astype(np.float32)


def test_only_residuals_get_a_gradient():
    cloud, camera = _cloud(), _camera()
    weights = jax.random.normal(jax.random.key(1), cloud.means.shape)
    gradient = jax.grad(lambda c: jnp.sum(weights * normals.seen(c, camera)), allow_int=True)(cloud)
    assert float(jnp.abs(gradient.normals[: int(cloud.count())]).min()) > 0
    for name in ("means", "quaternions", "scales", "opacities"):
        np.testing.assert_array_equal(getattr(gradient, name), 0)


def test_the_gradient_is_that_of_finite_differences():
    with jax.enable_x64():
        cloud, camera = (
            jax.tree.map(lambda x: x.astype(float) if x.dtype == jnp.float32 else x, tree)
            for tree in (_cloud(), _camera())
        )
        weights = jax.random.normal(jax.random.key(1), cloud.means.shape)
        direction = jax.random.normal(jax.random.key(2), cloud.means.shape)

        def value(t):
            moved = cloud.replace(normals=cloud.normals + t * direction)
            return jnp.sum(weights * normals.seen(moved, camera))

        step = 1e-6
        wanted = (value(step) - value(-step)) / (2 * step)
        np.testing.assert_allclose(jax.grad(value)(0.0), wanted, rtol=1e-6)


def test_a_nan_in_a_dead_slot_stays_there():
    cloud = _cloud()
    broken = cloud.replace(normals=cloud.normals.at[-1].set(jnp.nan))
    np.testing.assert_array_equal(normals.world(broken, _camera()), normals.world(cloud, _camera()))


def test_a_cloud_without_normals_is_refused():
    with pytest.raises(ValueError, match="normals=True"):
        normals.world(_cloud().replace(normals=None), _camera())
