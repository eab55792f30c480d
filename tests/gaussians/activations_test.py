"""Laws, corners and gradients of the activations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from emojax.gaussians import activations
from emojax.types import Gaussians

ACTIVATIONS = ["softplus", "exp"]


def make_cloud(num_slots, *, activation="softplus", alive=None, dtype=np.float32):
    rng = np.random.default_rng(0)

    def normal(*shape):
        return jnp.asarray(rng.normal(size=(num_slots, *shape)).astype(dtype))

    return Gaussians(
        means=normal(3),
        quaternions=normal(4),
        scales=normal(3),
        opacities=normal(),
        harmonics=normal(4, 3),
        alive=jnp.asarray(np.ones(num_slots, bool) if alive is None else np.array(alive)),
        scale_activation=activation,
    )


ARRAYS = ["means", "quaternions", "scales", "opacities", "harmonics"]
activate = jax.jit(activations.activate)
park = jax.jit(activations.park)


def weighted_sum(gaussians):
    active = activate(gaussians)
    return sum(jnp.sum(field * (1 + index)) for index, field in enumerate(active))


class TestActivate:
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_matches_the_formulas(self, activation):
        cloud = make_cloud(5, activation=activation)
        active = activate(cloud)
        raw = np.asarray(cloud.scales, np.float64)
        scales = np.exp(raw) if activation == "exp" else np.log1p(np.exp(raw))
        opacities = 1 / (1 + np.exp(-np.asarray(cloud.opacities, np.float64)))
        np.testing.assert_allclose(active.scales, scales, rtol=1e-6)
        np.testing.assert_allclose(active.opacities, opacities, rtol=1e-6)

    def test_means_and_quaternions_pass_unchanged(self):
        cloud = make_cloud(5)
        active = activate(cloud)
        np.testing.assert_array_equal(active.means, cloud.means)
        np.testing.assert_array_equal(active.quaternions, cloud.quaternions)

    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_dead_slots_are_harmless_whatever_lies_in_them(self, activation):
        cloud = make_cloud(3, activation=activation, alive=[True, False, True])
        values = tuple(getattr(cloud, name) for name in ARRAYS)
        gradient = jax.jit(
            jax.grad(lambda v: weighted_sum(cloud.replace(**dict(zip(ARRAYS, v, strict=True)))))
        )
        clean = gradient(values)
        for poison in [jnp.nan, jnp.inf, -jnp.inf, 1e30, -1e30]:
            poisoned = tuple(value.at[1].set(poison) for value in values)
            active = activate(cloud.replace(**dict(zip(ARRAYS, poisoned, strict=True))))
            assert active.opacities[1] == 0
            assert all(bool(jnp.isfinite(field).all()) for field in active)
            assert bool((active.scales > 0).all())
            for got, expected in zip(gradient(poisoned), clean, strict=True):
                np.testing.assert_array_equal(got[1], 0)
                np.testing.assert_array_equal(got, expected)

    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_gradients_match_finite_differences(self, activation):
        with jax.enable_x64(True):
            cloud = make_cloud(4, activation=activation, dtype=np.float64)

            def value(scales, opacities):
                return weighted_sum(cloud.replace(scales=scales, opacities=opacities))

            check_grads(value, (cloud.scales, cloud.opacities), order=1, modes=["rev"], rtol=1e-6)

    def test_leading_dimensions_share_one_mask(self):
        cloud = make_cloud(3, alive=[True, False, True])
        moved = jnp.stack([cloud.means, cloud.means + 1])
        active = activate(cloud.replace(means=moved))
        assert active.means.shape == (2, 3, 3)
        np.testing.assert_array_equal(active.means[:, 1], 0)

    def test_no_slots(self):
        assert activations.activate(make_cloud(0)).scales.shape == (0, 3)

    def test_unknown_activation_is_named(self):
        with pytest.raises(ValueError, match=r"expected 'softplus'.*or 'exp'.*got 'relu'"):
            activations.activate(make_cloud(1, activation="relu"))


class TestPark:
    def test_parked_slots_are_not_drawn_even_without_the_mask(self):
        parked = park(make_cloud(2, alive=[False, False]))
        active = activate(parked.replace(alive=jnp.ones(2, bool)))
        assert bool((active.opacities < 1 / 255).all())
        assert bool((active.scales < 2e-3).all())

    def test_living_slots_do_not_change_and_twice_is_once(self):
        cloud = make_cloud(4, alive=[True, False, True, False])
        once = park(cloud)
        for leaf, before in zip(jax.tree.leaves(once), jax.tree.leaves(cloud), strict=True):
            np.testing.assert_array_equal(leaf[::2], before[::2])
        twice = park(once)
        jax.tree.map(np.testing.assert_array_equal, once, twice)


class TestInverses:
    @settings(max_examples=50, deadline=None)
    @given(st.floats(-9, 4), st.sampled_from(ACTIVATIONS))
    def test_scales_round_trip(self, log_scale, activation):
        scale = jnp.full((1, 3), np.exp(log_scale), jnp.float32)
        raw = activations.raw_scales(scale, activation=activation)
        cloud = make_cloud(1, activation=activation).replace(scales=raw)
        np.testing.assert_allclose(activate(cloud).scales, scale, rtol=2e-6)

    @settings(max_examples=50, deadline=None)
    @given(st.floats(1e-6, 1 - 1e-6))
    def test_opacities_round_trip(self, opacity):
        raw = activations.raw_opacities(jnp.array([opacity], jnp.float32))
        active = activate(make_cloud(1).replace(opacities=raw))
        np.testing.assert_allclose(active.opacities, opacity, rtol=2e-6)

    def test_unknown_activation_is_named(self):
        with pytest.raises(ValueError, match="got 'sigmoid'"):
            activations.raw_scales(jnp.ones(3), activation="sigmoid")
