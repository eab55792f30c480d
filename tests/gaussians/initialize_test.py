"""Starting clouds: sizes, colours, neighbours, refusals."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.gaussians import activations, harmonics, initialize

_STATIC = ["capacity", "degree", "opacity", "scale_activation", "scale_inverse"]
from_box = jax.jit(initialize.from_box, static_argnames=["num_points", "half_size", *_STATIC])
from_points = jax.jit(initialize.from_points, static_argnames=_STATIC)
nearest_neighbour_distances = jax.jit(initialize.nearest_neighbour_distances)


def brute_force_distances(points):
    points = np.asarray(points, np.float64)
    squared = ((points[:, None] - points[None]) ** 2).sum(-1)
    np.fill_diagonal(squared, np.inf)
    nearest = np.sort(squared, axis=1)[:, : min(3, len(points) - 1)]
    return np.sqrt(nearest.mean(axis=1))


def all_finite(cloud):
    return all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(cloud))


class TestNearestNeighbourDistances:
    # 1,500 points take several chunks, the last of them not full.
    @pytest.mark.parametrize("num_points", [2, 4, 5, 1500])
    def test_matches_brute_force(self, num_points):
        points = np.random.default_rng(0).normal(size=(num_points, 3)).astype(np.float32)
        distances = nearest_neighbour_distances(points)
        np.testing.assert_allclose(distances, brute_force_distances(points), rtol=1e-5)

    def test_regular_grid(self):
        axis = jnp.arange(4.0) * 0.25
        points = jnp.stack(jnp.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
        np.testing.assert_array_equal(nearest_neighbour_distances(points), 0.25)

    def test_far_from_the_origin_nothing_cancels(self):
        # 1/8 m apart and 4,096 m away, all exact in float32; |a|^2 + |b|^2 - 2ab would be off by 1.
        points = jnp.arange(5.0)[:, None] * jnp.array([0.125, 0, 0]) + 4096
        np.testing.assert_allclose(
            nearest_neighbour_distances(points), brute_force_distances(points), rtol=1e-6
        )

    def test_coinciding_points_are_neighbours(self):
        points = jnp.zeros((5, 3))
        np.testing.assert_array_equal(nearest_neighbour_distances(points), 0)

    def test_lone_point_and_none(self):
        assert nearest_neighbour_distances(jnp.ones((1, 3))).tolist() == [0]
        assert nearest_neighbour_distances(jnp.ones((0, 3))).shape == (0,)

    def test_memory_stays_bounded(self):
        # 30,000 points: all pairs would take 3.6 GB.
        points = jax.ShapeDtypeStruct((30_000, 3), jnp.float32)
        compiled = nearest_neighbour_distances.lower(points).compile()
        assert compiled.memory_analysis().temp_size_in_bytes < 64 * 2**20


class TestFromBox:
    def test_defaults_are_those_of_talking_gaussian(self):
        cloud = from_box(jax.random.key(0), num_points=200, capacity=200)
        active = activations.activate(cloud)
        assert cloud.degree == 2
        assert cloud.scale_activation == "softplus"
        assert float(jnp.abs(cloud.means).max()) <= 0.1
        np.testing.assert_allclose(active.opacities, 0.1, rtol=1e-6)
        np.testing.assert_array_equal(cloud.quaternions, np.tile([1, 0, 0, 0], (200, 1)))
        rgb = harmonics.harmonic_to_rgb(cloud.harmonics[:, 0])
        np.testing.assert_allclose(rgb, 127 / 255, atol=1e-7)
        np.testing.assert_array_equal(cloud.harmonics[:, 1:], 0)

    def test_fills_the_whole_box_evenly(self):
        cloud = from_box(jax.random.key(0), num_points=4000, capacity=4000, half_size=0.5, degree=0)
        counts = np.histogramdd(np.asarray(cloud.means), bins=2, range=[(-0.5, 0.5)] * 3)[0]
        # 500 expected in each of the eight octants; 6 standard deviations are 125.
        assert np.abs(counts - 500).max() < 125

    @pytest.mark.parametrize("activation", ["softplus", "exp"])
    def test_scale_is_the_distance_to_the_neighbours(self, activation):
        cloud = from_box(
            jax.random.key(1), num_points=200, capacity=200, scale_activation=activation
        )
        scales = activations.activate(cloud).scales
        expected = brute_force_distances(cloud.means)[:, None]
        np.testing.assert_allclose(scales, np.tile(expected, 3), rtol=1e-5)

    def test_talking_gaussians_quirk_on_request(self):
        cloud = from_box(jax.random.key(1), num_points=200, capacity=200, scale_inverse="exp")
        distances = brute_force_distances(cloud.means)[:, None]
        np.testing.assert_allclose(cloud.scales, np.tile(np.log(distances), 3), rtol=1e-5)
        scales = activations.activate(cloud).scales
        np.testing.assert_allclose(scales, np.tile(np.log1p(distances), 3), rtol=1e-5)

    def test_same_key_same_bits_and_capacity_does_not_matter(self):
        small = from_box(jax.random.key(2), num_points=50, capacity=50)
        large = from_box(jax.random.key(2), num_points=50, capacity=80)
        other = from_box(jax.random.key(3), num_points=50, capacity=50)
        jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b[:50]), small, large)
        assert not np.array_equal(small.means, other.means)

    def test_dead_slots_are_finite_and_invisible(self):
        cloud = from_box(jax.random.key(0), num_points=50, capacity=80)
        assert all_finite(cloud)
        np.testing.assert_array_equal(cloud.alive, np.arange(80) < 50)
        np.testing.assert_array_equal(activations.activate(cloud).opacities[50:], 0)

    def test_compiles_and_batches(self):
        make = functools.partial(initialize.from_box, num_points=20, capacity=24)
        keys = jax.random.split(jax.random.key(0), 2)
        batch = jax.jit(jax.vmap(make))(keys)
        single = jax.jit(make)(keys[1])
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a[1], b, rtol=1e-5), batch, single)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"capacity": 9}, "at least num_points = 10 slots, got 9"),
            ({"half_size": 0.0}, "half_size: expected > 0 metres, got 0"),
            ({"opacity": 1.0}, "opacity: expected between 0 and 1, exclusive, got 1"),
            ({"degree": 4}, "expected 0 to 3, got 4"),
            ({"num_points": 0}, "expected at least one"),
            ({"scale_activation": "relu"}, "got 'relu'"),
            ({"scale_inverse": "relu"}, "got 'relu'"),
        ],
    )
    def test_refusals(self, changes, message):
        options = {"num_points": 10, "capacity": 10} | changes
        with pytest.raises(ValueError, match=message):
            from_box(jax.random.key(0), **options)


class TestFromPoints:
    def test_keeps_order_and_colours(self):
        points = np.random.default_rng(0).normal(size=(6, 3))
        colors = np.random.default_rng(1).uniform(size=(6, 3))
        cloud = from_points(points, colors, capacity=7, degree=1)
        np.testing.assert_allclose(cloud.means[:6], points, rtol=1e-6)
        seen = harmonics.evaluate(cloud.harmonics, jnp.array([0.0, 0.6, 0.8]))
        np.testing.assert_allclose(seen[:6], colors, atol=1e-6)

    def test_one_point_gets_the_least_size(self):
        cloud = from_points(jnp.zeros((1, 3)), jnp.zeros((1, 3)), capacity=1)
        np.testing.assert_allclose(activations.activate(cloud).scales, 1e-7**0.5, rtol=1e-5)
        assert all_finite(cloud)

    def test_coinciding_points_are_finite(self):
        cloud = from_points(jnp.ones((5, 3)), jnp.zeros((5, 3)), capacity=5)
        assert all_finite(cloud)

    @pytest.mark.parametrize(
        ("points", "colors", "message"),
        [
            (np.zeros((2, 3)), np.zeros((3, 3)), r"got \(2, 3\) and \(3, 3\)"),
            (np.zeros((2, 2)), np.zeros((2, 2)), r"\[num_points, 3\]"),
            (np.zeros((2, 3)), np.zeros((2, 3), np.uint8), "got uint8; divide by 255"),
        ],
    )
    def test_refusals(self, points, colors, message):
        with pytest.raises(ValueError, match=message):
            initialize.from_points(points, colors, capacity=4)


class TestEmpty:
    def test_nothing_lives_and_all_is_finite(self):
        cloud = initialize.empty(capacity=5, degree=3, scale_activation="exp")
        assert int(cloud.count()) == 0
        assert cloud.harmonics.shape == (5, 16, 3)
        assert all_finite(cloud)

    def test_refusals(self):
        with pytest.raises(ValueError, match="got -1"):
            initialize.empty(capacity=-1, degree=0)
        with pytest.raises(ValueError, match="got 'x'"):
            initialize.empty(capacity=1, degree=0, scale_activation="x")
