"""Spherical harmonics: orthonormality, the 3DGS convention, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from emojax import geometry
from emojax.gaussians import harmonics
from emojax.types import Camera

basis = jax.jit(harmonics.basis, static_argnames="degree")
evaluate = jax.jit(harmonics.evaluate)
view_directions = jax.jit(harmonics.view_directions)
look_at = jax.jit(geometry.look_at)


def random_directions(num, *, seed=0):
    directions = np.random.default_rng(seed).normal(size=(num, 3))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def normal(*shape):
    return jnp.asarray(np.random.default_rng(0).normal(size=shape))


def sphere_quadrature(order):
    """Points and weights exact for polynomials of degree < 2 * order."""
    z, weights = np.polynomial.legendre.leggauss(order)
    phi = 2 * np.pi * np.arange(2 * order) / (2 * order)
    ring = np.sqrt(1 - z**2)
    points = np.stack(
        [ring[:, None] * np.cos(phi), ring[:, None] * np.sin(phi), np.tile(z[:, None], len(phi))],
        axis=-1,
    )
    return points.reshape(-1, 3), np.repeat(weights * np.pi / order, len(phi))


def make_camera(eye):
    pose = look_at(jnp.asarray(eye), jnp.zeros(3), jnp.array([0.0, 1.0, 0.0]))
    return Camera(pose, focal=jnp.ones(2), principal=jnp.ones(2), width=2, height=2)


class TestBasis:
    def test_orthonormal_on_the_sphere(self):
        points, weights = sphere_quadrature(6)
        with jax.enable_x64(True):
            values = np.asarray(basis(jnp.asarray(points), degree=3))
        np.testing.assert_allclose(values.T @ (values * weights[:, None]), np.eye(16), atol=1e-12)

    def test_golden_values_of_the_3dgs_order_and_signs(self):
        # Written out by hand from `eval_sh` of the 3DGS code at (2, 3, 6) / 7; every monomial is
        # distinct there, so that a swapped pair or a flipped sign shows.
        with jax.enable_x64(True):
            values = basis(jnp.array([2.0, 3.0, 6.0]) / 7, degree=3)
        expected = [
            0.28209479177387814,
            *(-0.4886025119029199 * 3 / 7, 0.4886025119029199 * 6 / 7, -0.4886025119029199 * 2 / 7),
            1.0925484305920792 * 6 / 49,
            -1.0925484305920792 * 18 / 49,
            0.31539156525252005 * (72 - 4 - 9) / 49,
            -1.0925484305920792 * 12 / 49,
            0.5462742152960396 * (4 - 9) / 49,
            -0.5900435899266435 * 3 * (12 - 9) / 343,
            2.890611442640554 * 36 / 343,
            -0.4570457994644658 * 3 * (144 - 4 - 9) / 343,
            0.3731763325901154 * 6 * (72 - 12 - 27) / 343,
            -0.4570457994644658 * 2 * (144 - 4 - 9) / 343,
            1.445305721320277 * 6 * (4 - 9) / 343,
            -0.5900435899266435 * 2 * (4 - 27) / 343,
        ]
        np.testing.assert_allclose(values, expected, rtol=1e-14)

    @pytest.mark.parametrize("degree", [0, 1, 2])
    def test_lower_degrees_are_a_prefix(self, degree):
        directions = jnp.asarray(random_directions(7))
        full = basis(directions, degree=3)
        part = basis(directions, degree=degree)
        np.testing.assert_array_equal(part, full[:, : (degree + 1) ** 2])

    def test_parity_is_that_of_the_degree(self):
        directions = jnp.asarray(random_directions(7))
        signs = np.repeat([1, -1, 1, -1], [1, 3, 5, 7])
        there = basis(directions, degree=3)
        np.testing.assert_array_equal(basis(-directions, degree=3), there * signs)

    @pytest.mark.parametrize("degree", [-1, 4])
    def test_unknown_degree_is_refused(self, degree):
        with pytest.raises(ValueError, match=f"expected 0 to 3, got {degree}"):
            basis(jnp.ones(3), degree=degree)


class TestEvaluate:
    def test_constant_colour_from_all_sides(self):
        rgb = jnp.array([1 / 255, 0.5, 0.9])
        coefficients = jnp.zeros((9, 3)).at[0].set(harmonics.rgb_to_harmonic(rgb))
        colors = evaluate(coefficients, jnp.asarray(random_directions(5)))
        np.testing.assert_allclose(colors, np.tile(rgb, (5, 1)), atol=1e-7)

    def test_rgb_and_coefficient_are_inverse(self):
        rgb = jnp.linspace(-0.5, 1.5, 11)
        there = harmonics.rgb_to_harmonic(rgb)
        np.testing.assert_allclose(harmonics.harmonic_to_rgb(there), rgb, atol=2e-7)

    def test_never_negative_and_not_limited_above(self):
        coefficients = 9 * normal(50, 16, 3)
        colors = evaluate(coefficients, jnp.asarray(random_directions(50)))
        assert float(colors.min()) == 0
        assert float(colors.max()) > 1

    def test_clamp_kills_the_gradient(self):
        coefficients = jnp.zeros((4, 3)).at[0].set(jnp.array([-9.0, 0.0, 9.0]))
        direction = jnp.array([0.0, 0.0, 1.0])
        gradient = jax.grad(lambda c: evaluate(c, direction).sum())(coefficients)
        np.testing.assert_array_equal(gradient[:, 0], 0)
        np.testing.assert_array_equal(gradient[:, 1], basis(direction, degree=1))

    def test_gradients_match_finite_differences(self):
        with jax.enable_x64(True):
            coefficients = 0.05 * normal(3, 16, 3)
            directions = jnp.asarray(random_directions(3))
            check_grads(evaluate, (coefficients, directions), order=1, modes=["rev"], rtol=1e-6)

    @pytest.mark.parametrize("active", [0, 1, 2, 3])
    def test_active_degree_cuts_the_sum(self, active):
        coefficients = 0.1 * normal(6, 16, 3)
        directions = jnp.asarray(random_directions(6))
        cut = evaluate(coefficients[:, : (active + 1) ** 2], directions)
        masked = evaluate(coefficients, directions, active_degree=active)
        np.testing.assert_allclose(masked, cut, atol=1e-6)

    def test_active_degree_is_traced_once_and_stops_gradients(self):
        traces = []

        @jax.jit
        def gradient(coefficients, active_degree):
            traces.append(1)
            directions = jnp.array([0.6, 0.48, 0.64])
            return jax.grad(lambda c: evaluate(c, directions, active_degree=active_degree).sum())(
                coefficients
            )

        for active in range(4):
            nonzero = np.abs(gradient(jnp.zeros((16, 3)), active)).max(axis=1) > 0
            np.testing.assert_array_equal(nonzero, np.arange(16) < (active + 1) ** 2)
        assert len(traces) == 1

    @pytest.mark.parametrize("count", [2, 5, 25])
    def test_wrong_number_of_coefficients_is_refused(self, count):
        with pytest.raises(ValueError, match=r"expected 1, 4, 9 or 16 .*got shape"):
            evaluate(jnp.zeros((count, 3)), jnp.ones(3))


class TestViewDirections:
    def test_points_away_from_the_camera(self):
        camera = make_camera([0.0, 0.0, -2.0])
        means = jnp.array([[0.0, 0.0, 0.0], [2.0, 0.0, -2.0]])
        directions = view_directions(means, camera)
        np.testing.assert_allclose(directions, [[0, 0, 1], [1, 0, 0]], atol=1e-6)

    def test_independent_of_where_the_camera_looks(self):
        camera = make_camera([0.3, 0.2, -2.0])
        quaternion = geometry.quaternion_to_matrix(jnp.array([0.9, 0.1, -0.3, 0.2]))
        turn = jnp.eye(4).at[:3, :3].set(quaternion)
        turned = camera.replace(world_to_camera=turn @ camera.world_to_camera)
        means = normal(9, 3)
        np.testing.assert_allclose(
            view_directions(means, camera),
            view_directions(means, turned),
            atol=1e-6,
        )

    def test_gradients_in_means_and_pose_match_finite_differences(self):
        with jax.enable_x64(True):
            camera = make_camera([0.3, 0.2, -2.0])
            means = normal(4, 3)

            def value(means, pose):
                return view_directions(means, camera.replace(world_to_camera=pose))

            pose = camera.world_to_camera
            check_grads(value, (means, pose), order=1, modes=["rev"], rtol=1e-6)

    def test_a_mean_at_the_camera_is_finite(self):
        camera = make_camera([0.0, 0.0, -2.0])
        means = geometry.invert_rigid(camera.world_to_camera)[None, :3, 3]
        value, gradient = jax.value_and_grad(lambda m: view_directions(m, camera).sum())(means)
        assert value == 0
        np.testing.assert_array_equal(gradient, 0)
