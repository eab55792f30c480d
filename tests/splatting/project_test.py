"""Projection: hand-made values, laws, dead Gaussians, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from emojax.splatting import constants, project
from tests import synthetic


def _one(mean=(0.0, 0.0, 2.0), scale=0.01, opacity=0.5, width=64, **options):
    cam = synthetic.camera(width, width)
    return project.project(
        jnp.array([mean]),
        jnp.array([[1.0, 0, 0, 0]]),
        jnp.full((1, 3), scale),
        jnp.array([opacity]),
        cam,
        **options,
    )


def test_a_ball_on_the_axis_is_a_disc_at_the_centre():
    splats = _one()
    np.testing.assert_allclose(splats.means, [[32, 32]], rtol=1e-6)
    # sigma = focal * scale / z, plus the dilation; focal is (128, 134.4).
    variance = (np.array([128, 134.4]) * 0.01 / 2) ** 2 + constants.DILATION
    np.testing.assert_allclose(splats.conics, [[1 / variance[0], 0, 1 / variance[1]]], rtol=1e-5)
    reach = 2 * np.log(255 * 0.5)
    np.testing.assert_allclose(splats.extents, [np.sqrt(reach * variance)], rtol=1e-5)
    np.testing.assert_array_equal(project.radii(splats), np.ceil(splats.extents))
    np.testing.assert_allclose(splats.depths, [2.0])


def test_pixel_centres_lie_at_half_integers():
    # x / z = 0.5 / focal moves the mean by half a pixel, onto the centre of column 32.
    np.testing.assert_allclose(_one(mean=(0.5 / 128 * 2, 0.0, 2.0)).means[0, 0], 32.5, rtol=1e-6)


def test_negated_quaternion_and_rescaled_quaternion_are_the_same_rotation(float64):
    s = synthetic.scene(20, 32, 32, dtype=np.float64)
    a = project.project(*s[:4], s.camera)
    b = project.project(s.means, -3 * s.quaternions, *s[2:4], s.camera)
    np.testing.assert_allclose(a.conics, b.conics, rtol=1e-12)


def test_antialiasing_keeps_the_energy_of_a_small_gaussian():
    # Opacity times area: with the factor it is that of the undilated ellipse.
    small, thin = _one(scale=1e-3), _one(scale=1e-3, opacity=0.5, antialias=True)
    area = 1 / np.sqrt(np.prod(small.conics[0, ::2]))
    undilated = np.prod(np.array([128, 134.4]) * 1e-3 / 2)
    np.testing.assert_allclose(thin.opacities[0] * area, 0.5 * undilated, rtol=1e-4)


def test_beyond_the_margin_the_jacobian_stops_growing():
    inside = constants.FOV_MARGIN
    far = project._project(  # its ellipse misses the picture, so the public function calls it dead
        jnp.array([[50.0, 0, 1]]),
        jnp.array([[1.0, 0, 0, 0]]),
        jnp.full((1, 3), 0.01),
        jnp.array([0.5]),
        synthetic.camera(64, 64),
        dilation=0.3,
        antialias=False,
    )
    slope = (64 - 32 + inside * 64) / 128  # the largest x/z that enters the Jacobian
    expected = (128 * 0.01) ** 2 * (1 + slope**2) + 0.3
    np.testing.assert_allclose(far[2][0], [expected], rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"mean": (0, 0, -1.0)}, "behind"),
        ({"mean": (0, 0, 0.0)}, "at the camera"),
        ({"mean": (0, 0, 0.005)}, "nearer than near"),
        ({"mean": (0, 0, 3.0), "far": 2.5}, "farther than far"),
        ({"mean": (50.0, 0, 1.0)}, "beside the picture"),
        ({"opacity": 0.003}, "below 1/255"),
        ({"opacity": -1.0}, "negative opacity"),
        ({"opacity": float("nan")}, "NaN opacity"),
        ({"scale": float("inf")}, "infinite scale"),
        ({"scale": 1e30}, "scale whose square overflows"),
    ],
)
def test_dead_gaussians(change, why):
    splats = _one(**change)
    assert not splats.alive[0], why
    np.testing.assert_array_equal(splats.extents, 0)
    assert all(np.all(np.isfinite(x)) for x in splats), "dead, but harmless"


def test_zero_scale_is_a_dot_of_the_dilation():
    splats = _one(scale=0.0)
    assert splats.alive[0]
    np.testing.assert_allclose(splats.conics, [[1 / 0.3, 0, 1 / 0.3]], rtol=1e-6)


@pytest.mark.parametrize("antialias", [False, True])
def test_gradients(float64, antialias):
    s = synthetic.scene(6, 32, 32, dtype=np.float64, seed=2, spread=0.15)

    def numbers(means, quaternions, scales, opacities, pose, focal, principal):
        cam = s.camera.replace(world_to_camera=pose, focal=focal, principal=principal)
        out = project.project(means, quaternions, scales, opacities, cam, antialias=antialias)
        assert out.means.dtype == jnp.float64
        return out.means, out.conics, out.opacities, out.depths

    cam = s.camera
    arguments = (*s[:4], cam.world_to_camera, cam.focal, cam.principal)
    assert bool(jnp.all(project.project(*s[:4], cam).alive))
    check_grads(jax.jit(numbers), arguments, order=1, modes=["rev"], atol=1e-6, rtol=1e-6, eps=1e-6)


def test_bad_gaussians_send_no_gradient_and_no_nan():
    s = synthetic.degenerate()

    def loss(*arrays):
        out = project.project(*arrays, s.camera)
        return sum(jnp.sum(x**2 * out.alive.reshape(-1, *[1] * (x.ndim - 1))) for x in out[:4])

    gradients = jax.jit(jax.grad(loss, argnums=(0, 1, 2, 3)))(*s[:4])
    dead = [r for r in synthetic.DEAD_ROWS if synthetic.degenerate_names[r] != "NaN feature"]
    for gradient in gradients:
        assert np.all(np.isfinite(gradient))
        np.testing.assert_array_equal(gradient[np.array(dead)], 0)
