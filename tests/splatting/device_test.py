"""The device code of splatting, run on the emulator of a GPU's threads, against the definition.

With EMOJAX_TEST_DEVICE=cuda the same tests run on a GPU.
"""

import contextlib
import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import native, splatting
from tests import synthetic
from tests.splatting import native_test
from tests.splatting.native_test import (
    BAND,
    DOUBLE_TOLERANCE,
    GRADIENT_TOLERANCE,
    IMAGE_TOLERANCE,
    MOSTLY_CLEAR,
    SCENES,
)

DEVICE = os.environ.get("EMOJAX_TEST_DEVICE", "emulated")
# One process, so that the emulated kernels are built once.
pytestmark = [pytest.mark.usefixtures("emulated"), pytest.mark.xdist_group("emulated")]

ORDERS = (0, 1, 2)  # Order of kernels/check/emulator.h


@pytest.fixture
def emulated():
    """Skips a test where the device code cannot be compiled for the emulator."""
    try:
        native.require(isa_name=DEVICE)
    except native.NativeError as error:
        pytest.skip(f"needs a compiler: {error}")


def step(s, **options):
    """Rendering and gradients of everything by emulated kernels."""
    with native.use_isa(DEVICE):
        return jax.tree.map(np.asarray, native_test._step(s, "native", **options))


@contextlib.contextmanager
def thread_order(order):
    """Chooses which thread of a block goes first; a GPU chooses for itself."""
    if DEVICE != "emulated":
        yield
        return
    native.number(DEVICE, "emojax_emulator_order", order)
    try:
        yield
    finally:
        native.number(DEVICE, "emojax_emulator_order", 0)


def assert_same_bits(results):
    for other in results[1:]:
        jax.tree.map(np.testing.assert_array_equal, results[0], other)


@functools.cache
def reference(name, dtype, implementation, *options):
    """Rendering and gradients of a scene by the definition, or by the CPU kernels held to it."""
    return cpu_step(SCENES[name](dtype), implementation, **dict(options))


def cpu_step(s, implementation="native", **options):
    """Rendering and gradients of a scene on a CPU."""
    with jax.default_device(jax.devices("cpu")[0]):
        return native_test._step(s, implementation, **options)


def draw_on_cpu(s, **options):
    """Rendering of a scene by the CPU kernels."""
    with jax.default_device(jax.devices("cpu")[0]):
        return splatting.splat(*s, implementation="native", **options)


PLAIN, LIST = (), (("antialias", True), ("capacity", 20_000))


class TestEqualsTheDefinition:
    """Two scenes go through plain JAX; all others through the CPU kernels, which are held to it."""

    @pytest.mark.parametrize(
        ("name", "implementation", "options"),
        [
            ("random", "xla", PLAIN),
            ("random", "xla", LIST),
            ("ten channels", "xla", PLAIN),
            *((name, "native", PLAIN) for name in sorted(SCENES)),
            *((name, "native", LIST) for name in ("head", "degenerate", "needles", "deep")),
        ],
    )
    @pytest.mark.usefixtures("float64")
    def test_float64(self, name, implementation, options):
        expected = reference(name, np.float64, implementation, *options)
        got = step(SCENES[name](np.float64), **dict(options))
        native_test._assert_close(expected, got, DOUBLE_TOLERANCE)
        np.testing.assert_array_equal(expected[0].radii, got[0].radii)
        np.testing.assert_array_equal(expected[0].num_pairs, got[0].num_pairs)

    @pytest.mark.parametrize("backward", ["pixel", "splat"])
    @pytest.mark.parametrize("name", sorted(SCENES))
    def test_float32(self, name, backward, monkeypatch):
        monkeypatch.setenv("EMOJAX_SPLAT_BACKWARD", backward)
        s = SCENES[name](np.float32)
        expected, gradients = reference(name, np.float32, "native")
        got, got_gradients = step(s)
        # A needle's exponent is a small difference of large numbers, rounded differently.
        loose = 60 if name == "needles" else 1
        clear = native_test.margin(name) > BAND * loose
        assert clear.mean() > MOSTLY_CLEAR.get(name, 0.98)
        for field in ("image", "alpha", "depth"):
            a, b = getattr(expected, field), getattr(got, field)
            np.testing.assert_allclose(b[clear], a[clear], atol=IMAGE_TOLERANCE * loose)
            np.testing.assert_allclose(b, a, atol=2 / 255, err_msg=f"{field}, near thresholds")
        native_test._assert_close(gradients, got_gradients, GRADIENT_TOLERANCE * loose)
        np.testing.assert_allclose(expected.radii, got.radii, atol=1)
        np.testing.assert_allclose(expected.num_pairs, got.num_pairs, rtol=1e-3)

    @pytest.mark.parametrize("capacity", [1, 37, 250, 100_000])
    def test_lists_drop_the_same_gaussians(self, capacity):
        s = synthetic.scene(300, 70, 50, seed=3)
        with native.use_isa(DEVICE):
            got = splatting.splat(*s, capacity=capacity, implementation="native")
        expected = draw_on_cpu(s, capacity=capacity)
        np.testing.assert_array_equal(expected.overflow, got.overflow)
        np.testing.assert_allclose(expected.image, got.image, atol=IMAGE_TOLERANCE)

    def test_no_gaussians(self):
        s = synthetic.scene(0, 20, 18)
        for capacity in (None, 10):
            out, gradients = step(s, capacity=capacity)
            np.testing.assert_array_equal(out.alpha, 0)
            assert out.num_pairs == 0
            np.testing.assert_array_equal(gradients[1].world_to_camera, 0)

    @pytest.mark.parametrize(("channels", "dtype"), [(40, np.float32), (19, np.float64)])
    def test_more_channels_than_one_group_holds(self, channels, dtype):
        with jax.enable_x64(dtype == np.float64):
            s = synthetic.scene(60, 24, 20, channels=channels, dtype=dtype)
            tolerance = GRADIENT_TOLERANCE if dtype == np.float32 else DOUBLE_TOLERANCE
            native_test._assert_close(cpu_step(s), step(s), tolerance)

    @pytest.mark.parametrize("capacity", [None, 10_000])
    def test_more_tiles_than_a_block_marks_at_once(self, capacity):
        # 70 x 16 tiles; among small Gaussians some that cover hundreds of tiles each.
        s = synthetic.scene(40, 1120, 250, sigma=6.0)
        s = s._replace(scales=s.scales * jnp.where(jnp.arange(40) % 9 == 0, 20, 1)[:, None])
        with native.use_isa(DEVICE):
            got = splatting.splat(*s, capacity=capacity, implementation="native")
        expected = draw_on_cpu(s, capacity=capacity)
        assert got.num_pairs == expected.num_pairs > 1000
        np.testing.assert_allclose(expected.image, got.image, atol=2 / 255)
        assert np.mean(np.abs(np.asarray(expected.image - got.image)) > IMAGE_TOLERANCE) < 1e-3

    def test_more_gaussians_than_are_sorted_at_once(self):
        # Three blocks of the sort and five words of a thread's walk; equal depths in between.
        s = synthetic.scene(2600, 20, 20, sigma=0.3, spread=0.3)
        s = s._replace(means=s.means.at[::3, 2].set(1.25))
        native_test._assert_close(cpu_step(s), step(s), GRADIENT_TOLERANCE)


class TestOrderOfThreads:
    def test_pictures_do_not_depend_on_it(self):
        s = synthetic.head_like(600, 60)
        results = []
        for capacity in (None, 2000):
            for order in ORDERS:
                with thread_order(order), native.use_isa(DEVICE):
                    results.append(splatting.splat(*s, capacity=capacity, depth=True))
        assert_same_bits([jax.tree.map(np.asarray, r) for r in results])

    @pytest.mark.parametrize("capacity", [None, 1500])
    def test_deterministic_gradients_do_not_depend_on_it(self, capacity, monkeypatch):
        s = synthetic.head_like(400, 50)
        plain = step(s, capacity=capacity)
        monkeypatch.setenv("EMOJAX_DETERMINISTIC", "1")
        results = []
        for order in ORDERS:
            with thread_order(order):
                results.append(step(s, capacity=capacity))
        assert_same_bits(results)
        native_test._assert_close(plain, results[0], GRADIENT_TOLERANCE)

    @pytest.mark.parametrize("backward", ["pixel", "splat"])
    def test_other_gradients_move_by_rounding_alone(self, backward, monkeypatch):
        monkeypatch.setenv("EMOJAX_SPLAT_BACKWARD", backward)
        s = synthetic.head_like(400, 50)
        results = []
        for order in ORDERS:
            with thread_order(order):
                results.append(step(s))
        for other in results[1:]:
            native_test._assert_close(results[0], other, GRADIENT_TOLERANCE)

    def test_deterministic_gradients_of_small_and_large_losses(self, monkeypatch):
        # The integers' unit follows the cotangents.
        monkeypatch.setenv("EMOJAX_DETERMINISTIC", "1")
        s = synthetic.scene(50, 33, 20)

        def gradient(factor):
            with native.use_isa(DEVICE):
                return jax.grad(lambda m: factor * splatting.splat(m, *s[1:]).image.sum())(s.means)

        for factor in (1e-20, 1e20):
            native_test._assert_close(gradient(1.0), gradient(factor) / factor, 1e-6)

    def test_deterministic_gradients_of_a_bad_loss_are_not_numbers(self, monkeypatch):
        monkeypatch.setenv("EMOJAX_DETERMINISTIC", "1")
        s = synthetic.scene(50, 33, 20)
        with native.use_isa(DEVICE):
            gradient = jax.grad(lambda m: jnp.inf * splatting.splat(m, *s[1:]).image.sum())(s.means)
        assert np.any(np.isnan(gradient))


class TestBatches:
    # Mapped axes of pose and means, outermost map first.
    @pytest.mark.parametrize(
        "axes", [((0, None),), ((0, 0),), ((None, 0), (0, None)), ((0, 0), (0, 0))], ids=str
    )
    def test_vmap_equals_a_loop(self, axes):
        s = synthetic.scene(30, 33, 20)
        sizes = (2, 3)[: len(axes)]
        rng = np.random.default_rng(0)
        poses = np.stack(
            [synthetic.camera(33, 20, seed=k).world_to_camera for k in range(6)]
        ).astype(np.float32)
        operands = []
        for k, item in enumerate((poses, np.asarray(s.means))):
            lead = tuple(size for size, a in zip(sizes, axes, strict=True) if a[k] is not None)
            if k == 0:
                operands.append(jnp.asarray(poses[: int(np.prod(lead))].reshape(*lead, 4, 4)))
            else:
                operands.append(jnp.asarray(item + 0.01 * rng.normal(size=(*lead, 1, 3)), "f4"))

        def one(pose, means):
            def loss(pose, means):
                cam = s.camera.replace(world_to_camera=pose)
                image = splatting.splat(means, *s[1:5], cam, implementation="native").image
                return jnp.sum(image**2), image

            return jax.value_and_grad(loss, (0, 1), has_aux=True)(pose, means)

        mapped = one
        for a in reversed(axes):
            mapped = jax.vmap(mapped, in_axes=a)
        with native.use_isa(DEVICE):
            text = jax.jit(mapped).lower(*operands).as_text()
            got = jax.jit(mapped)(*operands)
            single = jax.jit(one)
            for index in np.ndindex(*sizes):
                chosen = [
                    x[tuple(i for i, a in zip(index, axes, strict=True) if a[k] is not None)]
                    for k, x in enumerate(operands)
                ]
                jax.tree.map(
                    lambda a, b, index=index: np.testing.assert_allclose(
                        b[index], a, atol=1e-5 * (1e-6 + np.abs(a).max())
                    ),
                    single(*chosen),
                    got,
                )
        for operation in ("forward", "backward"):
            calls = [x for x in text.splitlines() if f"@emojax_splat_{operation}" in x]
            assert len(calls) == 1, "one launch for the batch"


def test_scratch_of_a_wrong_size_is_refused(monkeypatch):
    number = native.number
    monkeypatch.setattr(native, "number", lambda *a: number(*a) - 64)
    s = synthetic.scene(30, 33, 20)
    with native.use_isa(DEVICE), pytest.raises(jax.errors.JaxRuntimeError, match="scratch has"):
        jax.block_until_ready(splatting.splat(*s).image)


def test_unknown_way_back_is_named(monkeypatch):
    monkeypatch.setenv("EMOJAX_SPLAT_BACKWARD", "sideways")
    s = synthetic.scene(3, 9, 8)
    with native.use_isa(DEVICE), pytest.raises(ValueError, match="EMOJAX_SPLAT_BACKWARD is"):
        splatting.splat(*s)
