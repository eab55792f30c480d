"""The tri-plane encoder's definition: sizes, values by hand, laws, gradients, official weights."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from emojax.encoders import triplane

# One dense level with s = 3, R = 4: u = 3 t + 0.5, and node (i, j) is entry i + 5 j.
ONE_LEVEL = triplane.TriplaneConfig(
    num_levels=1,
    num_features=1,
    base_resolution=4,
    finest_resolution=4,
    log2_table_size=10,
    bound=1.0,
)
# Its unit coordinates are (0.6, 0.3, 1), u = (2.3, 1.4, 3.5).
POINT = np.array([[0.2, -0.4, 1.0]])
# 33^2 nodes share 2^8 entries.
HASHED = dataclasses.replace(ONE_LEVEL, base_resolution=32, finest_resolution=32, log2_table_size=8)
# The last of its levels: 13 cells for the float32 scale, but a table for 12 (see `levels`).
ODD_LENGTH = dataclasses.replace(ONE_LEVEL, num_levels=4, finest_resolution=12, log2_table_size=12)
MANY = triplane.TriplaneConfig(
    num_levels=5,
    num_features=2,
    base_resolution=4,
    finest_resolution=30,
    log2_table_size=7,
    bound=0.5,
)


@functools.partial(jax.jit, static_argnums=2)
def encode(tables, points, config):
    return triplane.encode(tables, points, config, implementation="xla")


def make_tables(config, *, seed=0, dtype=np.float32):
    shape = (3, config.num_entries, config.num_features)
    return jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, shape), dtype)


def make_points(num, config, *, seed=0, dtype=np.float32):
    points = np.random.default_rng(seed).uniform(-config.bound, config.bound, (num, 3))
    return jnp.asarray(points, dtype)


def node(x, y, config, *, level=0):
    """Returns a point that lies on node (x, y) of all planes' level, [1, 3]."""
    t = (np.array([x, y, y]) - 0.5) / config.levels[level].scale
    return jnp.asarray((2 * t - 1) * config.bound)[None]


class TestConfig:
    @pytest.mark.parametrize(
        ("config", "resolutions", "entries", "hashed_from"),
        [
            (
                triplane.TALKING_GAUSSIAN_FACE,
                [16, 18, 19, 21, 22, 24, 26, 28, 31, 33, 36, 39],
                9_464,
                12,
            ),
            (
                triplane.TALKING_GAUSSIAN_MOUTH,
                [64, 64, 63, 63, 62, 62, 61, 60, 60, 59, 59, 58],
                46_600,
                12,
            ),
            (
                triplane.ER_NERF,
                [64, 78, 94, 113, 137, 165, 199, 241, 291, 351, 424, 512],
                163_584,
                4,
            ),
        ],
        ids=["face", "mouth", "er-nerf"],
    )
    def test_published_encoders(self, config, resolutions, entries, hashed_from):
        assert [level.resolution for level in config.levels] == resolutions
        assert config.num_entries == config.offsets[-1] == entries
        hashed = [level.is_hashed for level in config.levels]
        assert hashed == [i >= hashed_from for i in range(12)]
        assert config.num_outputs == 36
        assert all(offset % 8 == 0 for offset in config.offsets)

    def test_scales_are_rounded_like_the_source(self):
        # base 2^(l S) - 1 in float32, S = log2(2.4) / 11.
        face = triplane.TALKING_GAUSSIAN_FACE
        assert face.levels[0].scale == 15
        assert face.levels[11].scale == pytest.approx(37.4, rel=2e-7)
        assert face.growth == pytest.approx(2.4 ** (1 / 11))
        assert all(level.scale == np.float32(level.scale) for level in face.levels)

    def test_one_level_does_not_grow(self):
        assert ONE_LEVEL.growth == 1
        assert ONE_LEVEL.levels == ((3.0, 4, 0, 32, False),)

    def test_a_whole_resolution_may_be_rounded_up(self):
        *_, last = ODD_LENGTH.levels
        assert (last.resolution, last.length, last.is_hashed) == (13, 176, True)

    def test_is_a_static_argument(self):
        assert hash(ONE_LEVEL) == hash(dataclasses.replace(ONE_LEVEL))
        assert dataclasses.replace(ONE_LEVEL, bound=2.0) != ONE_LEVEL

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"num_levels": 0}, "num_levels is 0, expected a positive int"),
            ({"num_features": 1.5}, "num_features is 1.5, expected a positive int"),
            ({"finest_resolution": 0.5}, "finest_resolution is 0.5, expected at least 1"),
            ({"bound": 0.0}, "bound is 0.0, expected a positive number"),
            ({"bound": float("nan")}, "bound is nan, expected a positive number"),
            ({"num_features": 2**27}, "a plane has 4294967296 numbers, expected fewer than 2"),
        ],
    )
    def test_refusals(self, change, message):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(ONE_LEVEL, **change)


class TestValues:
    def test_bilinear_by_hand(self):
        # Entry e of plane p holds 1000 p + e^2. On xy the cell is (2, 1), f = (0.3, 0.4), corners
        # 7, 8, 12, 13: 0.42 * 49 + 0.18 * 64 + 0.28 * 144 + 0.12 * 169. On yz it is (1, 3), f =
        # (0.4, 0.5), corners 16, 17, 21, 22; on xz (2, 3), f = (0.3, 0.5), corners 17, 18, 22, 23.
        entries = np.arange(ONE_LEVEL.num_entries)
        tables = 1000 * np.arange(3)[:, None] + entries[None] ** 2
        got = encode(jnp.asarray(tables[..., None], np.float32), jnp.asarray(POINT, np.float32),
                     ONE_LEVEL)  # fmt: skip
        np.testing.assert_allclose(got, [[92.7, 1363.7, 2398.5]], rtol=1e-6)

    def test_smoothstep_by_hand(self):
        # The column number of each node: 2 + w(0.3), 1 + w(0.4), 2 + w(0.3); w = f^2 (3 - 2 f).
        config = dataclasses.replace(ONE_LEVEL, smoothstep=True)
        columns = jnp.asarray(np.tile(np.arange(config.num_entries) % 5, (3, 1)), np.float32)
        got = encode(columns[..., None], jnp.asarray(POINT, np.float32), config)
        np.testing.assert_allclose(got, [[2.216, 1.352, 2.216]], rtol=1e-6)

    def test_order_is_plane_level_feature(self):
        levels = np.repeat(np.arange(5), np.diff(MANY.offsets))
        tables = (
            100 * np.arange(3)[:, None, None] + 10 * levels[None, :, None] + np.arange(2)
        )  # [3, E, 2]
        got = encode(jnp.asarray(tables, np.float32), make_points(4, MANY), MANY)
        expected = [100 * p + 10 * i + k for p in range(3) for i in range(5) for k in range(2)]
        np.testing.assert_array_equal(got, np.tile(expected, (4, 1)))

    @pytest.mark.parametrize(
        ("config", "level", "x", "y", "entry"),
        [
            # 2654435761 = 0x9e3779b1 ends in 0xb1 = 177. 5 * 177 = 885 = 117 mod 256, and so on.
            (HASHED, 0, 3, 5, 3 ^ 117),
            (HASHED, 0, 4, 5, 4 ^ 117),
            (HASHED, 0, 3, 6, 3 ^ 38),
            # 30 * 177 = 5310 = 190 mod 256.
            (HASHED, 0, 31, 30, 31 ^ 190),
            # 5 * 2654435761 = 387276917 mod 2^32; xor 3 is 387276918 = 6 mod 176.
            (ODD_LENGTH, 3, 3, 5, 6),
            # 11 * 2654435761 = 3428989595 mod 2^32; xor 11 is 3428989584 = 64 mod 176.
            (ODD_LENGTH, 3, 11, 11, 64),
        ],
    )
    @pytest.mark.usefixtures("float64")
    def test_hash_by_hand(self, config, level, x, y, entry):
        numbers = jnp.arange(config.num_entries, dtype=float) - config.levels[level].offset
        tables = jnp.broadcast_to(numbers[:, None], (3, config.num_entries, 1))
        got = encode(tables, node(x, y, config, level=level), config)[0, level]
        np.testing.assert_allclose(got, entry, atol=1e-6)

    def test_constant_table_is_returned_unchanged(self):
        for config in (MANY, dataclasses.replace(MANY, smoothstep=True)):
            tables = jnp.full((3, config.num_entries, 2), 0.1, np.float32)
            got = encode(tables, make_points(50, config), config)
            np.testing.assert_array_equal(got, np.full((50, 30), np.float32(0.1)))

    def test_linear_table_is_linear(self):
        config = dataclasses.replace(ONE_LEVEL, num_levels=2, finest_resolution=6.5)
        parts = []
        for level in config.levels:
            y, x = np.divmod(np.arange(level.length), level.resolution + 1)
            parts.append(2 * x - 3 * y + 1)
        tables = jnp.asarray(np.tile(np.concatenate(parts), (3, 1)), np.float32)[..., None]
        points = make_points(40, config)
        t = (np.asarray(points, np.float64) + 1) / 2
        u = [t * level.scale + 0.5 for level in config.levels]
        expected = [2 * v[:, a] - 3 * v[:, b] + 1 for a, b in triplane.PLANES.values() for v in u]
        np.testing.assert_allclose(
            encode(tables, points, config), np.stack(expected, axis=-1), atol=1e-5
        )

    @pytest.mark.parametrize("config", [MANY, HASHED], ids=["many", "hashed"])
    @pytest.mark.usefixtures("float64")
    def test_continuous_across_cells(self, config):
        level = config.levels[-1]
        borders = (np.arange(1, level.resolution) - 0.5) / level.scale * 2 - 1
        across = jnp.asarray(borders * config.bound)[:, None]
        along = make_points(len(borders), config, dtype=np.float64)[:, 1:]
        tables = make_tables(config, dtype=np.float64)
        below, above = (
            encode(tables, jnp.concatenate([across + step, along], axis=1), config)
            for step in (-1e-9, 1e-9)
        )
        np.testing.assert_allclose(below, above, atol=1e-6)


class TestOutside:
    def test_ends_belong_to_the_cube(self):
        config = triplane.TALKING_GAUSSIAN_FACE
        bound = np.float32(config.bound)
        beyond = np.nextafter(bound, np.float32(1))
        tables = jnp.ones((3, config.num_entries, 1), np.float32)
        points = jnp.array([[bound] * 3, [-bound] * 3, [beyond] * 3, [-beyond] * 3])
        got = encode(tables, points, config)
        np.testing.assert_array_equal(got, np.repeat([[1], [1], [0], [0]], 36, axis=1))

    @pytest.mark.parametrize("bad", [0.6, -0.6, np.inf, -np.inf, np.nan])
    def test_only_planes_with_that_coordinate_are_zero(self, bad):
        tables, points = make_tables(MANY), make_points(3, MANY)
        clean = np.asarray(encode(tables, points, MANY))
        for axis in range(3):
            got = encode(tables, points.at[1, axis].set(bad), MANY)
            expected = clean.copy()
            for plane, axes in enumerate(triplane.PLANES.values()):
                if axis in axes:
                    expected[1, 10 * plane : 10 * (plane + 1)] = 0
            np.testing.assert_array_equal(got, expected)

    @pytest.mark.parametrize("bad", [0.6, np.inf, np.nan])
    def test_no_gradient_and_no_nan(self, bad):
        tables, points = make_tables(MANY), make_points(3, MANY)

        def loss(tables, points):
            return jnp.sum(encode(tables, points, MANY) ** 2)

        d_tables, d_points = jax.grad(loss, (0, 1))(tables, points.at[1].set(bad))
        without = jax.grad(loss)(tables, points[jnp.array([0, 2])])
        np.testing.assert_allclose(d_tables, without, atol=1e-6)
        np.testing.assert_array_equal(d_points[1], 0)
        assert np.isfinite(d_points).all()


class TestGradients:
    @pytest.mark.parametrize("smoothstep", [False, True])
    @pytest.mark.usefixtures("float64")
    def test_finite_differences(self, smoothstep):
        config = dataclasses.replace(MANY, smoothstep=smoothstep)
        points = inner_points(config, 12)
        tables = make_tables(config, dtype=np.float64)
        check_grads(lambda *a: encode(*a, config), (tables, points), 1, eps=1e-6, atol=1e-6)

    @pytest.mark.usefixtures("float64")
    def test_smoothstep_has_continuous_derivatives(self):
        config = dataclasses.replace(ONE_LEVEL, smoothstep=True)
        tables = make_tables(config, dtype=np.float64)
        slope = jax.grad(lambda p: encode(tables, p, config)[0, 0])
        point = node(2, 2, config).at[0, 1].add(0.1)
        below, above = (slope(point.at[0, 0].add(step)) for step in (-1e-9, 1e-9))
        np.testing.assert_allclose(below, above, atol=1e-6)


def inner_points(config, num):
    """Returns points, [num, 3] float64, away from the borders of all levels' cells."""
    points = np.random.default_rng(3).uniform(-config.bound, config.bound, (4000, 3))
    t = (points + config.bound) / (2 * config.bound)
    f = np.stack([t * level.scale + 0.5 for level in config.levels]) % 1
    chosen = points[((f > 0.02) & (f < 0.98)).all(axis=(0, 2))]
    assert len(chosen) >= num
    return jnp.asarray(chosen[:num])


class TestInit:
    def test_is_uniform_and_small(self):
        tables = triplane.init(jax.random.key(0), MANY)
        assert tables.shape == (3, MANY.num_entries, 2)
        assert tables.dtype == np.float32
        assert np.abs(tables).max() <= 1e-4
        assert np.std(tables) == pytest.approx(1e-4 / np.sqrt(3), rel=0.05)

    def test_takes_a_dtype(self):
        assert triplane.init(jax.random.key(0), MANY, dtype=jnp.bfloat16).dtype == jnp.bfloat16


class TestPrecision:
    @pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
    def test_half_precision_finds_the_right_cells(self, dtype):
        tables = make_tables(MANY).astype(dtype)
        points = make_points(100, MANY).astype(dtype)
        got = encode(tables, points, MANY)
        assert got.dtype == dtype
        exact = encode(tables.astype(np.float32), points.astype(np.float32), MANY)
        np.testing.assert_allclose(got.astype(np.float32), exact, atol=0.03)


class TestOfficial:
    def test_round_trip(self):
        tables = make_tables(MANY)
        state = triplane.to_official(tables, MANY, prefix="net.")
        assert sorted(state) == [
            f"net.encoder_{plane}.{kind}"
            for plane in ("xy", "xz", "yz")
            for kind in ("embeddings", "offsets")
        ]
        assert state["net.encoder_yz.embeddings"].shape == (MANY.num_entries, 2)
        np.testing.assert_array_equal(state["net.encoder_yz.embeddings"], tables[1])
        np.testing.assert_array_equal(state["net.encoder_xz.offsets"], MANY.offsets)
        assert state["net.encoder_xz.offsets"].dtype == np.int32
        again = triplane.from_official(state, MANY, prefix="net.")
        assert again.dtype == tables.dtype
        np.testing.assert_array_equal(again, tables)

    def test_misfits_are_named(self):
        state = triplane.to_official(make_tables(MANY), MANY)
        with pytest.raises(ValueError, match=r"a\.encoder_xy\.embeddings is missing, found \['e"):
            triplane.from_official(state, MANY, prefix="a.")
        other = dataclasses.replace(MANY, num_features=3)
        with pytest.raises(
            ValueError, match=r"encoder_xy\.embeddings has shape \(480, 2\), expected \(480, 3\)"
        ):
            triplane.from_official(state, other)
        wrong = {**state, "encoder_yz.offsets": state["encoder_yz.offsets"] + 1}
        with pytest.raises(ValueError, match=r"encoder_yz\.offsets is \[1, .*\], expected \[0, 32"):
            triplane.from_official(wrong, MANY)


class TestChecks:
    @pytest.mark.parametrize(
        ("tables", "points", "message"),
        [
            ((3, 480, 1), (4, 3), r"tables has shape \(3, 480, 1\), expected \(3, 480, 2\)$"),
            (
                (5, 3, 480, 2),
                (4, 3),
                r"tables has shape .* expected \(3, 480, 2\); batch with jax.vmap",
            ),
            ((3, 480, 2), (4, 2), r"points has shape \(4, 2\), expected \(4, 3\)$"),
            (
                (3, 480, 2),
                (5, 4, 3),
                r"points has shape .* expected \(5, 3\); batch with jax.vmap",
            ),
            ((3, 480, 2), (), r"points has shape \(\), expected \(0, 3\)$"),
        ],
    )
    def test_shapes(self, tables, points, message):
        with pytest.raises(ValueError, match=message):
            triplane.encode(np.zeros(tables, "f"), np.zeros(points, "f"), MANY)

    def test_dtypes(self):
        with pytest.raises(ValueError, match="tables has dtype int32, expected a floating dtype"):
            triplane.encode(np.zeros((3, 480, 2), "i"), np.zeros((4, 3), "f"), MANY)
        with pytest.raises(
            ValueError, match="points has dtype int32, expected float32 as tables has"
        ):
            triplane.encode(np.zeros((3, 480, 2), "f"), np.zeros((4, 3), "i"), MANY)

    def test_implementation(self):
        with pytest.raises(ValueError, match="implementation is 'fast', expected 'auto', 'xla'"):
            triplane.encode(make_tables(MANY), make_points(1, MANY), MANY, implementation="fast")

    def test_no_points(self):
        assert encode(make_tables(MANY), jnp.zeros((0, 3)), MANY).shape == (0, 30)
