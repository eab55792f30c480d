import jax.numpy as jnp
import numpy as np

from emojax.puppet import primitives
from emojax.puppet.primitives import Ball, Rod

POINTS = np.random.default_rng(0).uniform(-2, 2, (3, 200)).astype(np.float32)


def test_a_round_ellipsoid_is_a_sphere():
    ball = Ball(*map(jnp.float32, (0.1, 0.2, -0.3, 0.7, 0.7, 0.7)))
    x, y, z = POINTS
    expected = np.sqrt((x - 0.1) ** 2 + (y - 0.2) ** 2 + (z + 0.3) ** 2) - 0.7
    np.testing.assert_allclose(primitives.ellipsoid(ball, x, y, z), expected, atol=1e-5)


def test_an_ellipsoid_ends_at_its_radii():
    ball = Ball(*map(jnp.float32, (0, 0, 0, 0.5, 1.0, 2.0)))
    x, y, z = jnp.eye(3) * jnp.array([0.5, 1.0, 2.0])
    np.testing.assert_allclose(primitives.ellipsoid(ball, x, y, z), 0, atol=1e-6)


def test_a_capsule_is_as_far_as_its_nearest_end():
    rod = Rod(*map(jnp.float32, (0, 0, 0, 0, 1, 0, 0.1, 0.2)))
    y = jnp.array([-1.0, 0.5, 3.0])
    found = primitives.capsule(rod, 0 * y + jnp.array([0, 0.5, 0]), y, 0 * y)
    np.testing.assert_allclose(found, [0.9, 0.35, 1.8], atol=1e-6)


def test_joining_lowers_at_most_a_quarter_of_the_blend_and_only_near_the_seam():
    a, b = POINTS[0], POINTS[1]
    joined = np.asarray(primitives.join(a, b, blend=0.2))
    lowest = np.minimum(a, b)
    assert (joined <= lowest + 1e-6).all()
    assert (joined >= lowest - 0.05 - 1e-6).all()
    far = np.abs(a - b) > 0.2
    np.testing.assert_allclose(joined[far], lowest[far])
    np.testing.assert_allclose(
        primitives.cut(a, b, blend=0.2), -primitives.join(-a, b, blend=0.2), atol=1e-6
    )


def test_steps_and_bells_begin_and_end_flat():
    np.testing.assert_allclose(primitives.ramp(jnp.array([0.0, 1.5, 3.0]), 1.0, 2.0), [0, 0.5, 1])
    np.testing.assert_allclose(primitives.hump(jnp.array([-2.0, -1.0, 0.0, 1.0])), [0, 0, 1, 0])
