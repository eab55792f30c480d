"""Motion is added to raw parameters, and to nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import gaussians
from emojax.deformation import apply
from emojax.types import Motion


@pytest.fixture
def cloud():
    return gaussians.from_box(jax.random.key(0), num_points=5, capacity=8, half_size=0.1, degree=1)


def random_motion(num, *, seed=0):
    rng = np.random.default_rng(seed)
    arrays = (jnp.asarray(rng.normal(size=(num, k)), np.float32) for k in (3, 4, 3))
    return Motion(*arrays)


def test_adds_in_raw_space(cloud):
    motion = random_motion(8)
    moved = apply.move(cloud, motion)
    for name in ("means", "quaternions", "scales"):
        expected = getattr(cloud, name) + getattr(motion, name)
        np.testing.assert_array_equal(getattr(moved, name), expected)
    for name in ("opacities", "harmonics", "alive"):
        assert getattr(moved, name) is getattr(cloud, name)
    assert moved.scale_activation == cloud.scale_activation


def test_none_stays(cloud):
    moved = apply.move(cloud, Motion(means=jnp.ones((8, 3))))
    np.testing.assert_array_equal(moved.means, cloud.means + 1)
    assert moved.quaternions is cloud.quaternions
    assert moved.scales is cloud.scales


def test_no_motion_is_the_identity(cloud):
    moved = apply.move(cloud, jax.tree.map(jnp.zeros_like, random_motion(8)))
    jax.tree.map(np.testing.assert_array_equal, moved, cloud)


def test_maps_over_motions(cloud):
    motions = jax.tree.map(lambda *x: jnp.stack(x), *(random_motion(8, seed=i) for i in range(3)))
    moved = jax.vmap(apply.move, (None, 0))(cloud, motions)
    assert moved.means.shape == (3, 8, 3)
    np.testing.assert_array_equal(moved.scales[2], cloud.scales + motions.scales[2])


def test_another_number_of_slots_is_refused(cloud):
    with pytest.raises(ValueError, match=r"motion.means has shape \(1, 3\), expected \(8, 3\)"):
        apply.move(cloud, random_motion(1))
