"""The tri-plane kernels against the XLA definition: values, gradients, batches, bad input."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jax.test_util import check_grads

from emojax import native, native_build
from emojax.encoders import native as native_encoders
from emojax.encoders import triplane
from tests.encoders.triplane_test import (
    MANY,
    ODD_LENGTH,
    inner_points,
    make_points,
    make_tables,
)

pytestmark = pytest.mark.usefixtures("kernels")

# Relative to the largest component. Both are float32: a position in units of cells is rounded to
# 1e-7 of itself, which moves a value between nodes of order 1 by 2e-5 at 200 cells. Measured worst
# case 1e-5 without fused multiply-add; with it, features are mostly the same bits.
FLOAT_TOLERANCE = 3e-5
# In float64 they agree to rounding.
DOUBLE_TOLERANCE = 1e-12

CONFIGS = {
    "face": triplane.TALKING_GAUSSIAN_FACE,
    "mouth": triplane.TALKING_GAUSSIAN_MOUTH,
    "dense and hashed": MANY,
    "hashed, one feature": dataclasses.replace(
        triplane.ER_NERF, num_levels=5, finest_resolution=200, log2_table_size=12
    ),
    "table of odd length": ODD_LENGTH,
    "smooth": dataclasses.replace(triplane.TALKING_GAUSSIAN_FACE, num_levels=5, smoothstep=True),
    "smooth, hashed, 3 features": dataclasses.replace(MANY, num_features=3, smoothstep=True),
    "4 features": dataclasses.replace(MANY, num_features=4, num_levels=1),
    "8 features": dataclasses.replace(MANY, num_features=8, num_levels=2),
    "one cell": triplane.TriplaneConfig(1, 1, 1, 1, 1, 1.0),
}
SMALL = dataclasses.replace(MANY, num_levels=3)


@functools.partial(jax.jit, static_argnums=(3, 4, 5))
def _step(tables, points, cotangent, config, implementation, isa):
    """Features and both gradients."""
    with native.use_isa(isa):
        run = functools.partial(triplane.encode, config=config, implementation=implementation)
        features, pull = jax.vjp(run, tables, points)
        return features, *pull(cotangent)


def step(tables, points, cotangent, config, implementation, isa=None):
    isa = isa or native.isa()
    return jax.tree.map(np.asarray, _step(tables, points, cotangent, config, implementation, isa))


def make_case(config, *, num=203, dtype=np.float32):
    """Tables, points of which some lie outside, at the very ends or nowhere, and a cotangent."""
    points = make_points(num, config, dtype=dtype) * 1.1
    ends = jnp.array([config.bound, -config.bound], dtype)
    points = points.at[:2].set(ends[:, None]).at[2, 1].set(np.nan).at[3, 2].set(np.inf)
    cotangent = np.random.default_rng(1).normal(size=(num, config.num_outputs))
    return make_tables(config, dtype=dtype), points, jnp.asarray(cotangent, dtype)


def assert_close(expected, got, tolerance):
    """Equal up to a tolerance relative to the largest component of each array."""
    for a, b in zip(jax.tree.leaves(expected), jax.tree.leaves(got), strict=True):
        scale = np.max(np.abs(a), initial=0)
        np.testing.assert_allclose(b, a, rtol=0, atol=tolerance * scale)


@functools.cache
def _expected(name):
    return step(*make_case(CONFIGS[name]), CONFIGS[name], "xla")


class TestEqualsTheDefinition:
    @pytest.mark.parametrize("name", CONFIGS)
    @pytest.mark.parametrize("isa", native_build.supported_isas())
    def test_float32(self, isa, name):
        got = step(*make_case(CONFIGS[name]), CONFIGS[name], "native", isa)
        assert_close(_expected(name), got, FLOAT_TOLERANCE)

    @pytest.mark.parametrize("name", ["face", "dense and hashed", "smooth, hashed, 3 features"])
    @pytest.mark.usefixtures("float64")
    def test_float64(self, name):
        case = make_case(CONFIGS[name], dtype=np.float64)
        expected = step(*case, CONFIGS[name], "xla")
        for isa in native_build.supported_isas():
            got = step(*case, CONFIGS[name], "native", isa)
            assert_close(expected, got, DOUBLE_TOLERANCE)

    @pytest.mark.parametrize("isa", native_build.supported_isas())
    def test_any_number_of_points(self, isa):
        # Around a row of sixteen and a task of 512.
        tables, points, cotangent = make_case(SMALL, num=1100)
        for num in (1, 15, 16, 17, 511, 512, 513, 1100):
            case = (tables, points[-num:], cotangent[-num:])
            with native.use_isa(isa):
                features, pull = jax.vjp(
                    lambda *a: triplane.encode(*a, SMALL, implementation="native"), *case[:2]
                )
                got = features, *pull(case[2])
            assert_close(_padded_step(*case), got, FLOAT_TOLERANCE)

    def test_no_points(self):
        tables, points, cotangent = make_case(SMALL, num=4)
        features, d_tables, d_points = step(tables, points[:0], cotangent[:0], SMALL, "native")
        assert features.shape == (0, SMALL.num_outputs)
        assert d_points.shape == (0, 3)
        np.testing.assert_array_equal(d_tables, np.zeros_like(tables))


def _padded_step(tables, points, cotangent):
    """The XLA form, compiled for 1,100 points alone: what is missing lies outside."""
    num, missing = len(points), 1100 - len(points)
    padded = jnp.pad(points, ((0, missing), (0, 0)), constant_values=10.0)
    features, d_tables, d_points = step(
        tables, padded, jnp.pad(cotangent, ((0, missing), (0, 0))), SMALL, "xla"
    )
    return features[:num], d_tables, d_points[:num]


class TestGradients:
    @pytest.mark.parametrize("smoothstep", [False, True])
    @pytest.mark.usefixtures("float64")
    def test_finite_differences(self, smoothstep):
        config = dataclasses.replace(MANY, smoothstep=smoothstep)
        run = jax.jit(functools.partial(triplane.encode, config=config, implementation="native"))
        arguments = (make_tables(config, dtype=np.float64), inner_points(config, 12))
        check_grads(run, arguments, 1, modes=["rev"], eps=1e-6, atol=1e-6)

    @pytest.mark.parametrize(
        ("index", "not_asked_for"),
        [(0, "tensor<0x3xf32>"), (1, f"tensor<0x{SMALL.num_entries}x2xf32>")],
        ids=["tables", "points"],
    )
    def test_only_what_is_asked_for_is_computed(self, index, not_asked_for):
        *arguments, cotangent = make_case(SMALL)

        def gradient(argument):
            def run(argument):
                chosen = [argument if k == index else x for k, x in enumerate(arguments)]
                return triplane.encode(*chosen, SMALL, implementation="native")

            return jax.vjp(run, argument)[1](cotangent)[0]

        compute = jax.jit(gradient)
        assert not_asked_for in compute.lower(arguments[index]).as_text()
        expected = step(*arguments, cotangent, SMALL, "native")[1 + index]
        np.testing.assert_array_equal(compute(arguments[index]), expected)

    def test_through_checkpoint_and_scan(self):
        tables, points, cotangent = make_case(SMALL)

        def loss(tables, points, implementation):
            @jax.checkpoint
            def body(points, _):
                codes = triplane.encode(tables, points, SMALL, implementation=implementation)
                return points * 0.9, jnp.sum(codes * cotangent)

            return jnp.sum(jax.lax.scan(body, points, length=3)[1])

        grad = jax.jit(jax.grad(loss, (0, 1)), static_argnums=2)
        finite = jnp.nan_to_num(points)
        assert_close(grad(tables, finite, "xla"), grad(tables, finite, "native"), FLOAT_TOLERANCE)

    def test_unused_features_send_none(self):
        tables, points, _ = make_case(SMALL)

        def loss(tables, points):
            codes = triplane.encode(tables, points, SMALL, implementation="native")
            return 0 * jnp.sum(codes), codes

        (_, codes), gradients = jax.value_and_grad(loss, (0, 1), has_aux=True)(tables, points)
        assert np.abs(codes).max() > 0
        for gradient in gradients:
            np.testing.assert_array_equal(gradient, np.zeros_like(gradient))


class TestBatches:
    # Mapped axes of tables, points and cotangent, outermost map first.
    AXES = (
        ((None, 0, 0),),
        ((0, None, None),),
        ((None, 0, None),),
        ((0, 0, 0),),
        ((None, 0, 0), (0, None, 0)),
        ((0, None, 0), (None, 0, None)),
    )

    @pytest.mark.parametrize("axes", AXES, ids=str)
    def test_vmap_equals_a_loop(self, axes):
        rng = np.random.default_rng(5)
        item = (3, SMALL.num_entries, 2), (37, 3), (37, SMALL.num_outputs)
        sizes = (2, 3)[: len(axes)]
        operands = []
        for k, shape in enumerate(item):
            lead = tuple(size for size, a in zip(sizes, axes, strict=True) if a[k] is not None)
            operands.append(jnp.asarray(rng.uniform(-0.5, 0.5, (*lead, *shape)), np.float32))

        def one(*operands):
            return _step(*operands, SMALL, "native", native.isa())

        mapped = one
        for a in reversed(axes):
            mapped = jax.vmap(mapped, in_axes=a)
        got = jax.jit(mapped)(*operands)
        for index in np.ndindex(*sizes):
            chosen = [
                operand[tuple(i for i, a in zip(index, axes, strict=True) if a[k] is not None)]
                for k, operand in enumerate(operands)
            ]
            expected = one(*chosen)
            for a, b in zip(expected, got, strict=True):
                np.testing.assert_array_equal(a, b[index])

    def test_one_launch_and_shared_operands_in_place(self):
        tables, points, _ = make_case(SMALL)

        def total(tables, points):
            encode = functools.partial(triplane.encode, config=SMALL, implementation="native")
            return jnp.sum(jax.vmap(encode, in_axes=(None, 0))(tables, points))

        stacked = jnp.stack([points] * 4)
        run = jax.jit(jax.value_and_grad(total, (0, 1)))
        lines = run.lower(tables, stacked).as_text().splitlines()
        for operation in ("forward", "backward"):
            calls = [line for line in lines if f"emojax_triplane_{operation}" in line]
            assert len(calls) == 1, "one launch for the batch"
            assert f"tensor<1x3x{SMALL.num_entries}x2xf32>" in calls[0], "shared tables, once"
            assert "tensor<4x203x3xf32>" in calls[0], "batched points, four times"

    def test_one_trace(self):
        traces = []

        @jax.jit
        def run(tables, points):
            traces.append(1)
            return triplane.encode(tables, points, SMALL, implementation="native")

        tables, points, _ = make_case(SMALL)
        run(tables, points)
        run(tables + 1, points * 0.5)
        assert len(traces) == 1


@pytest.mark.parametrize("name", ["face", "dense and hashed", "smooth"])
def test_same_bits_for_any_number_of_threads(name):
    case = make_case(CONFIGS[name], num=2000)
    results = []
    try:
        for threads in (1, 3, 40):
            native.set_thread_limit(threads)
            results.append(step(*case, CONFIGS[name], "native"))
    finally:
        native.set_thread_limit(0)
    for other in results[1:]:
        jax.tree.map(np.testing.assert_array_equal, results[0], other)


class TestBadInput:
    POINTS = hnp.arrays(
        np.float32,
        (19, 3),
        elements=st.one_of(
            st.floats(width=32, allow_subnormal=True),
            st.floats(-0.5, 0.5, width=32),
            st.sampled_from([0.5, -0.5, 0.0, -0.0, 1e-45, 3e38, np.inf, -np.inf, np.nan]),
        ),
    )

    @settings(max_examples=60, deadline=None)
    @given(POINTS)
    def test_any_points(self, points):
        tables, _, cotangent = make_case(SMALL, num=19)
        expected = step(tables, jnp.asarray(points), cotangent, SMALL, "xla")
        got = step(tables, jnp.asarray(points), cotangent, SMALL, "native")
        # Values and table gradients are continuous; at a cell's border a point's gradient is not.
        for a, b in zip(expected[:2], got[:2], strict=True):
            np.testing.assert_allclose(b, a, atol=1e-5 * np.abs(cotangent).max())
        assert np.isfinite(got[2]).all()
        outside = ~(np.abs(points) <= SMALL.bound)
        np.testing.assert_array_equal(got[2][outside], 0)
        two_outside = outside.sum(axis=1) >= 2
        np.testing.assert_array_equal(got[0][two_outside], 0)
        np.testing.assert_array_equal(got[2][two_outside], 0)

    @pytest.mark.parametrize("name", ["face", "dense and hashed"])
    def test_a_bad_point_disturbs_no_other(self, name):
        config = CONFIGS[name]
        tables, points, cotangent = make_case(config)
        clean = step(tables, points.at[5:8].set(9.0), cotangent, config, "native")
        bad = cotangent.at[5:8].set(np.nan)
        for value in (np.nan, np.inf, 3e38):
            got = step(tables, points.at[5:8].set(value), bad, config, "native")
            jax.tree.map(np.testing.assert_array_equal, clean, got)

    def test_a_bad_table_spoils_only_its_cells(self):
        config = CONFIGS["face"]
        tables, points, cotangent = make_case(config)
        expected = step(tables, points, cotangent, config, "native")[0]
        got = step(tables.at[1, 0].set(np.nan), points, cotangent, config, "native")[0]
        touched = np.isnan(got)
        assert touched[1, 12], "the first cell of plane yz, level 0, holds the point at -bound"
        # Nothing else but that entry's cell: one column, and not all of its points.
        assert set(np.nonzero(touched)[1]) == {12}
        assert touched.sum() < 10
        np.testing.assert_array_equal(got[~touched], expected[~touched])


class TestChecks:
    def test_dtype(self):
        tables, points, _ = make_case(SMALL)
        half = tables.astype(jnp.bfloat16), points.astype(jnp.bfloat16)
        with pytest.raises(
            ValueError, match="operands have dtype bfloat16, kernels expect float32"
        ):
            triplane.encode(*half, SMALL, implementation="native")
        auto = triplane.encode(*half, SMALL)
        np.testing.assert_array_equal(auto, triplane.encode(*half, SMALL, implementation="xla"))

    def test_auto_uses_kernels(self):
        tables, points, _ = make_case(SMALL)
        text = jax.jit(lambda *a: triplane.encode(*a, SMALL)).lower(tables, points).as_text()
        assert "emojax_triplane_forward" in text

    @pytest.mark.parametrize(
        "change",
        [
            {"offsets": (0, 32, 160, 287)},
            {"offsets": (0, 160, 32, 288)},
            {"offsets": (0, 32, 288)},
            {"scales": (3.0, -1.0, 9.0)},
            {"scales": (3.0, float("nan"), 9.0)},
            {"bound": float("inf")},
        ],
        ids=str,
    )
    def test_kernels_refuse_to_read_elsewhere(self, change):
        tables, points, _ = make_case(SMALL)
        grid = native_encoders.Grid(
            scales=tuple(level.scale for level in SMALL.levels),
            offsets=SMALL.offsets,
            bound=SMALL.bound,
            smoothstep=False,
            isa=native.isa(),
        )
        native_encoders.encode(grid, tables, points)
        with pytest.raises(jax.errors.JaxRuntimeError, match="attributes do not fit the tables"):
            jax.block_until_ready(
                native_encoders.encode(dataclasses.replace(grid, **change), tables, points)
            )
