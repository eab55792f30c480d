"""Density control: counts, slots, determinism, fixed shapes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emojax import geometry
from emojax.gaussians import activations, density, initialize
from emojax.types import Gaussians

NUM_SLOTS = 12
# Standard deviations of `make_cloud` lie between 1 mm and 3 mm: with a fraction of 0.005, this
# extent makes all of them small, and TINY_EXTENT all of them large.
HUGE_EXTENT, TINY_EXTENT = 10.0, 0.01
PARAMETERS = ["means", "quaternions", "scales", "opacities", "harmonics"]

densify = jax.jit(density.densify)
prune = jax.jit(density.prune)
accumulate = jax.jit(density.accumulate, static_argnames="absolute")
grow = jax.jit(density.grow, static_argnames="capacity")
remap = jax.jit(density.remap)
reset_moments = jax.jit(density.reset_moments)
activate = jax.jit(activations.activate)
park = jax.jit(activations.park)


def make_cloud(num_alive, *, num_slots=NUM_SLOTS, activation="softplus"):
    """Returns random Gaussians, alive in the first slots."""
    rng = np.random.default_rng(0)
    scales = jnp.asarray(rng.uniform(1e-3, 3e-3, (num_slots, 3)), jnp.float32)
    cloud = Gaussians(
        means=jnp.asarray(rng.normal(size=(num_slots, 3)), jnp.float32),
        quaternions=jnp.asarray(rng.normal(size=(num_slots, 4)), jnp.float32),
        scales=activations.raw_scales(scales, activation=activation),
        opacities=jnp.asarray(rng.normal(size=num_slots), jnp.float32),
        harmonics=jnp.asarray(rng.normal(size=(num_slots, 4, 3)), jnp.float32),
        alive=jnp.asarray(np.arange(num_slots) < num_alive),
        scale_activation=activation,
    )
    return park(cloud)


def make_statistics(gradients, *, radii=1):
    gradients = jnp.asarray(np.asarray(gradients, np.float32))
    counts = jnp.asarray(np.full(gradients.shape, 2, np.int32))
    radii = jnp.asarray(np.broadcast_to(np.asarray(radii, np.int32), gradients.shape))
    return density.DensityStatistics(2 * gradients, counts, radii)


def gradients_of(pairs, *, num_slots=NUM_SLOTS):
    gradients = np.zeros(num_slots, np.float32)
    for slot, value in pairs.items():
        gradients[slot] = value
    return gradients


def counts_of(info):
    return {name: int(value) for name, value in info._asdict().items() if int(value)}


def assert_same(left, right):
    jax.tree.map(np.testing.assert_array_equal, left, right)


def rows(cloud, slots):
    return jax.tree.map(lambda leaf: np.asarray(leaf)[np.asarray(slots)], cloud)


KEY = jax.random.key(7)


class TestAccumulate:
    def test_norm_is_in_normalised_device_coordinates(self):
        tap = jnp.zeros((3, 4)).at[:, :2].set(jnp.array([[3.0, 0], [0, 4], [3, 4]]))
        statistics = accumulate(
            density.init_statistics(3), tap, jnp.ones((3, 2), jnp.int32), width=200, height=100
        )
        np.testing.assert_allclose(statistics.gradient_sum, [300, 200, np.hypot(300, 200)])
        np.testing.assert_array_equal(statistics.visible_count, 1)

    def test_absolute_uses_the_other_columns(self):
        tap = jnp.array([[1.0, 1.0, 3.0, 4.0]])
        statistics = accumulate(
            density.init_statistics(1),
            tap,
            jnp.ones((1, 2), jnp.int32),
            width=2,
            height=2,
            absolute=True,
        )
        np.testing.assert_allclose(statistics.gradient_sum, [5])

    def test_only_drawn_gaussians_count_and_nonfinite_is_zero(self):
        tap = jnp.ones((4, 4)).at[2].set(jnp.nan).at[3].set(jnp.inf)
        radii = jnp.array([[0, 0], [0, 3], [5, 1], [1, 1]])
        statistics = accumulate(density.init_statistics(4), tap, radii, width=2, height=2)
        np.testing.assert_allclose(statistics.gradient_sum, [0, 2**0.5, 0, 0], rtol=1e-6)
        np.testing.assert_array_equal(statistics.visible_count, [0, 1, 1, 1])
        np.testing.assert_array_equal(statistics.max_radius, [0, 3, 5, 1])

    def test_views_at_once_equal_views_in_turn(self):
        rng = np.random.default_rng(0)
        tap = jnp.asarray(rng.normal(size=(3, 4, 4)), jnp.float32)
        radii = jnp.asarray(rng.integers(0, 3, (3, 4, 2)), jnp.int32)
        start = density.init_statistics(4)
        together = accumulate(start, tap, radii, width=64, height=32)
        for view in range(3):
            start = accumulate(start, tap[view], radii[view], width=64, height=32)
        np.testing.assert_allclose(together.gradient_sum, start.gradient_sum, rtol=1e-6)
        np.testing.assert_array_equal(together.visible_count, start.visible_count)
        np.testing.assert_array_equal(together.max_radius, start.max_radius)

    def test_wrong_shapes_are_refused(self):
        with pytest.raises(AssertionError):
            density.accumulate(
                density.init_statistics(3), jnp.zeros((4, 4)), jnp.zeros((4, 2)), width=2, height=2
            )


class TestClone:
    def test_copies_into_the_lowest_free_slots_largest_gradient_first(self):
        cloud = make_cloud(4)
        statistics = make_statistics(gradients_of({1: 2.0, 3: 5.0}))
        result, slots, info = densify(
            cloud, statistics, KEY, gradient_threshold=1.0, extent=HUGE_EXTENT
        )
        assert counts_of(info) == {"cloned": 2, "alive": 6}
        assert_same(rows(result, [0, 1, 2, 3]), rows(cloud, [0, 1, 2, 3]))
        assert_same(rows(result, [4, 5]), rows(cloud, [3, 1]))
        np.testing.assert_array_equal(slots.origin[:6], [0, 1, 2, 3, 3, 1])
        np.testing.assert_array_equal(slots.fresh, np.isin(np.arange(NUM_SLOTS), [4, 5]))

    def test_threshold_and_size_limit_belong_to_clone(self):
        cloud = make_cloud(2)
        sizes = activate(cloud).scales.max(axis=1)
        statistics = make_statistics(gradients_of({0: 1.0, 1: 1.0}))
        limit = {"gradient_threshold": 1.0, "extent": sizes[0], "dense_fraction": 1.0}
        info = densify(cloud, statistics, KEY, **limit)[2]
        assert int(info.cloned) == int(np.sum(sizes[:2] <= sizes[0]))
        assert int(info.cloned + info.split) == 2

    def test_equal_gradients_go_by_slot(self):
        cloud = make_cloud(10)
        statistics = make_statistics(gradients_of(dict.fromkeys(range(10), 1.0)))
        _, slots, info = densify(cloud, statistics, KEY, gradient_threshold=1.0, extent=HUGE_EXTENT)
        np.testing.assert_array_equal(slots.origin[10:], [0, 1])
        assert counts_of(info) == {"cloned": 2, "unplaced": 8, "alive": 12}

    def test_slot_order_does_not_matter(self):
        cloud = make_cloud(5)
        gradients = gradients_of({0: 2.0, 2: 3.0, 4: 1.0})
        order = np.random.default_rng(1).permutation(NUM_SLOTS)
        options = {"gradient_threshold": 1.0, "extent": HUGE_EXTENT}
        one = densify(cloud, make_statistics(gradients), KEY, **options)[0]
        shuffled = jax.tree.map(lambda leaf: leaf[order], cloud)
        two = densify(shuffled, make_statistics(gradients[order]), KEY, **options)[0]
        means = [np.asarray(c.means)[np.asarray(c.alive)] for c in (one, two)]
        np.testing.assert_array_equal(*[m[np.lexsort(m.T)] for m in means])


class TestSplit:
    @pytest.mark.parametrize("activation", ["softplus", "exp"])
    def test_two_smaller_children_replace_the_parent(self, activation):
        cloud = make_cloud(3, activation=activation)
        statistics = make_statistics(gradients_of({1: 1.0}))
        result, slots, info = densify(
            cloud, statistics, KEY, gradient_threshold=1.0, extent=TINY_EXTENT
        )
        assert counts_of(info) == {"split": 1, "alive": 4}
        np.testing.assert_array_equal(slots.origin[:4], [0, 1, 2, 1])
        np.testing.assert_array_equal(slots.fresh[:5], [False, True, False, True, False])
        before, after = activate(cloud), activate(result)
        for child in (1, 3):
            np.testing.assert_allclose(after.scales[child], before.scales[1] / 1.6, rtol=1e-5)
            assert not np.array_equal(result.means[child], cloud.means[1])
            for name in ("quaternions", "opacities", "harmonics"):
                np.testing.assert_array_equal(getattr(result, name)[child], getattr(cloud, name)[1])
        assert not np.array_equal(result.means[1], result.means[3])
        assert_same(rows(result, [0, 2]), rows(cloud, [0, 2]))

    def test_children_are_distributed_as_the_parent(self):
        cloud = make_cloud(1, num_slots=2)
        statistics = make_statistics([1.0, 0.0])
        split = functools.partial(density.densify, gradient_threshold=1.0, extent=TINY_EXTENT)
        keys = jax.random.split(jax.random.key(0), 3000)
        children = jax.jit(jax.vmap(lambda k: split(cloud, statistics, k)[0].means))(keys)
        offsets = np.asarray(children - cloud.means[0], np.float64)
        truth = geometry.covariance(cloud.quaternions[0], activate(cloud).scales[0])
        flat = offsets.reshape(-1, 3)
        # 6,000 samples: entries of the covariance are known to about 2% of its largest.
        sampled = flat.T @ flat / len(flat)
        np.testing.assert_allclose(sampled, truth, atol=0.08 * float(jnp.max(truth)))
        between = offsets[:, 0].T @ offsets[:, 1] / len(offsets)
        np.testing.assert_allclose(between, 0, atol=0.1 * float(jnp.max(truth)))

    def test_capacity_does_not_change_the_children(self):
        cloud = make_cloud(3)
        statistics = make_statistics(gradients_of({0: 1.0, 2: 2.0}))
        options = {"gradient_threshold": 1.0, "extent": TINY_EXTENT}
        small = densify(cloud, statistics, KEY, **options)[0]
        larger, slots = grow(cloud, capacity=20)
        large = densify(larger, reset_moments(statistics, slots), KEY, **options)[0]
        assert_same(small, rows(large, np.arange(NUM_SLOTS)))

    def test_same_key_same_bits(self):
        cloud = make_cloud(3)
        statistics = make_statistics(gradients_of({0: 1.0}))
        options = {"gradient_threshold": 1.0, "extent": TINY_EXTENT}
        one = densify(cloud, statistics, KEY, **options)
        assert_same(one, densify(cloud, statistics, KEY, **options))
        other = densify(cloud, statistics, jax.random.key(8), **options)[0]
        assert not np.array_equal(one[0].means, other.means)


class TestDensify:
    @pytest.mark.parametrize("extent", [HUGE_EXTENT, TINY_EXTENT])
    def test_full_cloud_changes_nothing_and_says_so(self, extent):
        cloud = make_cloud(NUM_SLOTS)
        statistics = make_statistics(np.ones(NUM_SLOTS))
        result, slots, info = densify(cloud, statistics, KEY, gradient_threshold=1.0, extent=extent)
        assert_same(result, cloud)
        assert not slots.fresh.any()
        assert counts_of(info) == {"unplaced": NUM_SLOTS, "alive": NUM_SLOTS}

    def test_empty_cloud(self):
        cloud = make_cloud(0)
        statistics = make_statistics(np.ones(NUM_SLOTS))
        result, slots, info = densify(
            cloud, statistics, KEY, gradient_threshold=1.0, extent=HUGE_EXTENT
        )
        assert_same(result, cloud)
        assert counts_of(info) == {}
        assert not slots.fresh.any()

    def test_no_slots(self):
        cloud = make_cloud(0, num_slots=0)
        options = {"gradient_threshold": 1.0, "extent": 1.0}
        result, _, info = densify(cloud, make_statistics([]), KEY, **options)
        assert result.capacity == 0
        assert counts_of(info) == {}

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_nonfinite_statistics_count_as_zero(self, value):
        statistics = make_statistics(gradients_of({0: value, 1: 1.0}))
        info = densify(make_cloud(3), statistics, KEY, gradient_threshold=1.0, extent=HUGE_EXTENT)[
            2
        ]
        assert counts_of(info) == {"cloned": 1, "alive": 4}

    def test_never_seen_is_never_densified(self):
        statistics = make_statistics(np.ones(NUM_SLOTS))
        statistics = statistics.replace(visible_count=jnp.zeros(NUM_SLOTS, jnp.int32))
        info = densify(make_cloud(3), statistics, KEY, gradient_threshold=1.0, extent=HUGE_EXTENT)[
            2
        ]
        assert counts_of(info) == {"alive": 3}

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.booleans(), min_size=NUM_SLOTS, max_size=NUM_SLOTS),
        st.lists(st.integers(0, 4), min_size=NUM_SLOTS, max_size=NUM_SLOTS),
        st.floats(1e-3, 3e-3),
    )
    def test_conservation(self, alive, gradients, limit):
        cloud = park(make_cloud(NUM_SLOTS).replace(alive=jnp.asarray(alive)))
        result, slots, info = densify(
            cloud,
            make_statistics(gradients),
            KEY,
            gradient_threshold=2.0,
            extent=limit,
            dense_fraction=1.0,
        )
        alive, fresh, origin = np.array(alive), np.asarray(slots.fresh), np.asarray(slots.origin)
        candidates = int(np.sum(alive & (np.array(gradients) >= 2)))
        added = int(info.cloned + info.split)
        assert int(info.alive) == int(result.count()) == alive.sum() + added <= NUM_SLOTS
        assert added + int(info.unplaced) == candidates
        assert added == min(candidates, int(np.sum(~alive)))
        assert fresh.sum() == int(info.cloned + 2 * info.split)
        assert alive[origin[fresh]].all()
        assert_same(rows(result, ~fresh), rows(cloud, ~fresh))
        assert np.asarray(result.alive)[alive].all()

    def test_compiles_once(self):
        traces = []

        @jax.jit
        def step(cloud, statistics, key, threshold, extent, min_opacity):
            traces.append(1)
            cloud, slots, _ = density.densify(
                cloud, statistics, key, gradient_threshold=threshold, extent=extent
            )
            statistics = density.reset_moments(statistics, slots)
            limits = {"max_scale": 0.1 * extent, "max_radius": 20, "statistics": statistics}
            return density.prune(cloud, min_opacity=min_opacity, **limits)[0]

        cloud = make_cloud(3)
        statistics = make_statistics(gradients_of({0: 1.0, 1: 2.0}))
        shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), cloud)
        for index in range(4):
            cloud = step(cloud, statistics, jax.random.key(index), 1.0 - index, 0.5, 0.1 * index)
        assert len(traces) == 1
        assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), cloud) == shapes


class TestPrune:
    def test_transparent_ones_go_and_are_parked(self):
        cloud = make_cloud(4).replace(opacities=jnp.linspace(-3, 3, NUM_SLOTS))
        opacities = activate(cloud).opacities
        result, slots, info = prune(cloud, min_opacity=opacities[2])
        np.testing.assert_array_equal(result.alive, np.isin(np.arange(NUM_SLOTS), [2, 3]))
        np.testing.assert_array_equal(slots.fresh[:4], [True, True, False, False])
        np.testing.assert_array_equal(slots.origin[:4], [-1, -1, 2, 3])
        assert counts_of(info) == {"pruned": 2, "alive": 2}
        assert_same(rows(result, [2, 3]), rows(cloud, [2, 3]))
        assert_same(rows(result, [0, 1]), rows(make_cloud(0), [0, 1]))

    def test_each_limit_alone(self):
        cloud, sizes = make_cloud(6), activate(make_cloud(6)).scales.max(axis=1)
        limit = jnp.sort(sizes[:6])[3]
        result = prune(cloud, min_opacity=0.0, max_scale=limit)[0]
        np.testing.assert_array_equal(result.alive[:6], sizes[:6] <= limit)
        statistics = make_statistics(np.zeros(NUM_SLOTS), radii=np.arange(NUM_SLOTS) * 10)
        result = prune(cloud, min_opacity=0.0, max_radius=20, statistics=statistics)[0]
        np.testing.assert_array_equal(result.alive[:6], np.arange(6) <= 2)
        remove = jnp.asarray(np.arange(NUM_SLOTS) % 2 == 0)
        result = prune(cloud, min_opacity=0.0, remove=remove)[0]
        np.testing.assert_array_equal(result.alive[:6], np.arange(6) % 2 == 1)

    def test_infinite_limits_keep_all(self):
        cloud = make_cloud(6)
        statistics = make_statistics(np.zeros(NUM_SLOTS), radii=1000)
        limits = {"max_scale": jnp.inf, "max_radius": jnp.inf, "statistics": statistics}
        result, slots, info = prune(cloud, min_opacity=0.0, **limits)
        assert_same(result, cloud)
        assert not slots.fresh.any()
        assert counts_of(info) == {"alive": 6}

    @pytest.mark.parametrize("name", PARAMETERS)
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_nonfinite_ones_go_and_are_counted(self, name, value):
        cloud = make_cloud(5)
        cloud = cloud.replace(**{name: jnp.asarray(poison(getattr(cloud, name), 3, value))})
        result, _, info = prune(cloud, min_opacity=0.0)
        assert counts_of(info) == {"pruned": 1, "nonfinite": 1, "alive": 4}
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(result))

    def test_slot_order_does_not_matter(self):
        cloud = make_cloud(9)
        order = np.random.default_rng(1).permutation(NUM_SLOTS)
        result = prune(cloud, min_opacity=0.5)[0]
        shuffled = prune(jax.tree.map(lambda leaf: leaf[order], cloud), min_opacity=0.5)[0]
        assert_same(rows(result, order), shuffled)

    def test_twice_is_once(self):
        once = prune(make_cloud(9), min_opacity=0.5)[0]
        twice, _, info = prune(once, min_opacity=0.5)
        assert_same(once, twice)
        assert int(info.pruned) == 0

    def test_everything_may_go(self):
        result, _, info = prune(make_cloud(9), min_opacity=1.1)
        assert counts_of(info) == {"pruned": 9}
        assert_same(result, make_cloud(0))

    def test_radius_limit_needs_statistics(self):
        with pytest.raises(ValueError, match="expected `statistics` beside it, got None"):
            density.prune(make_cloud(1), min_opacity=0.0, max_radius=20)

    def test_children_have_no_radius_yet(self):
        statistics = make_statistics(gradients_of({0: 1.0}), radii=50)
        cloud, slots, _ = densify(
            make_cloud(1), statistics, KEY, gradient_threshold=1.0, extent=TINY_EXTENT
        )
        statistics = reset_moments(statistics, slots)
        info = prune(cloud, min_opacity=0.0, max_radius=20, statistics=statistics)[2]
        assert counts_of(info) == {"alive": 2}


class TestGrow:
    def test_keeps_slots_and_adds_empty_ones(self):
        cloud = make_cloud(3)
        result, slots = grow(cloud, capacity=20)
        assert_same(rows(result, np.arange(NUM_SLOTS)), cloud)
        empty = initialize.empty(capacity=20, degree=1)
        assert_same(rows(result, np.arange(NUM_SLOTS, 20)), rows(empty, np.arange(NUM_SLOTS, 20)))
        np.testing.assert_array_equal(slots.fresh, np.arange(20) >= NUM_SLOTS)

    def test_from_no_slots_at_all(self):
        result, slots = grow(make_cloud(0, num_slots=0), capacity=2)
        assert result.capacity == 2
        assert reset_moments(jnp.zeros((0, 3)), slots).shape == (2, 3)

    def test_refuses_to_shrink(self):
        with pytest.raises(ValueError, match="at least the present 12 slots, got 11; `compact`"):
            density.grow(make_cloud(3), capacity=11)


class TestCompact:
    def test_moves_the_living_in_order_and_moments_follow(self):
        alive = np.isin(np.arange(NUM_SLOTS), [1, 4, 11])
        cloud = park(make_cloud(NUM_SLOTS).replace(alive=jnp.asarray(alive)))
        result, slots = density.compact(cloud, capacity=4)
        assert_same(rows(result, [0, 1, 2]), rows(cloud, [1, 4, 11]))
        assert result.alive.tolist() == [True, True, True, False]
        moments = reset_moments(jnp.arange(float(NUM_SLOTS)), slots)
        assert moments.tolist() == [1, 4, 11, 0]

    def test_refuses_to_lose_the_living(self):
        with pytest.raises(ValueError, match="at least the 3 living Gaussians, got 2; `prune`"):
            density.compact(make_cloud(3), capacity=2)


class TestResetMoments:
    def test_adam_state_follows_a_densification(self):
        cloud = make_cloud(4)
        params = {name: getattr(cloud, name) for name in PARAMETERS}
        optimizer = optax.adam(1e-3)
        state = jax.jit(optimizer.update)(params, optimizer.init(params))[1]
        statistics = make_statistics(gradients_of({1: 2.0}))
        _, slots, _ = densify(cloud, statistics, KEY, gradient_threshold=1.0, extent=TINY_EXTENT)
        after = reset_moments(state, slots)
        assert jax.tree.structure(after) == jax.tree.structure(state)
        assert int(after[0].count) == 1
        for name in PARAMETERS:
            for before, moment in ((state[0].mu, after[0].mu), (state[0].nu, after[0].nu)):
                # The parent of a split, and its second child in the first free slot.
                np.testing.assert_array_equal(moment[name][np.array([1, 4])], 0)
                old = np.array([0, 2, 3])
                np.testing.assert_array_equal(moment[name][old], before[name][old])
                assert np.abs(moment[name][old]).min() > 0

    def test_pruned_slots_stay_where_they_are_parked(self):
        cloud = make_cloud(4)
        optimizer = optax.adam(1e-1, eps=1e-15)
        update = jax.jit(optimizer.update)
        state = update(cloud.means, optimizer.init(cloud.means))[1]
        result, slots, _ = prune(cloud, min_opacity=1.1)
        updates = update(jnp.zeros_like(cloud.means), reset_moments(state, slots))[0]
        np.testing.assert_array_equal(result.means + updates, 0)

    def test_other_attributes_are_inherited(self):
        normals = {"normals": jnp.asarray(np.arange(36.0).reshape(12, 3)), "step": jnp.int32(5)}
        statistics = make_statistics(gradients_of({1: 2.0}))
        _, slots, _ = densify(
            make_cloud(4), statistics, KEY, gradient_threshold=1.0, extent=TINY_EXTENT
        )
        after = remap(normals, slots)
        np.testing.assert_array_equal(after["normals"][4], normals["normals"][1])
        np.testing.assert_array_equal(after["normals"][1], normals["normals"][1])
        assert int(after["step"]) == 5

    def test_arrays_of_another_size_are_named(self):
        slots = density.SlotMap(jnp.arange(4), jnp.zeros(4, bool), old_capacity=4)
        with pytest.raises(
            ValueError, match=r"'table'.*expected leading size 4.*got shape \(5, 2\)"
        ):
            density.reset_moments({"table": jnp.zeros((5, 2))}, slots)


def poison(array, slot, value):
    array = np.array(array)
    array[slot] = value
    return array
