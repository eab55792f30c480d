"""The CPU kernels against the XLA definition: forward, backward, every instruction set and thread
count."""

import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import native, native_build, splatting
from tests import synthetic
from tests.splatting import oracle

pytestmark = pytest.mark.usefixtures("kernels")

# Both are float32 and sum in different orders. Measured worst cases on these scenes: images 7e-7,
# gradients 5e-6 of the largest component.
IMAGE_TOLERANCE = 5e-6
GRADIENT_TOLERANCE = 5e-5
# In float64 they agree to rounding.
DOUBLE_TOLERANCE = 1e-11
# Pixels within this relative distance of a threshold may differ by a whole contribution.
BAND = 1e-4
# How many pixels must lie outside of the band: fewer where hundreds of faint Gaussians meet in
# each.
MOSTLY_CLEAR = {"deep": 0.9, "needles": 0.9}

# Those of one shape share a compiled program.
SCENES = {
    "random": lambda dtype: synthetic.scene(150, 70, 50, sigma=4.0, dtype=dtype),
    "one pixel": lambda dtype: synthetic.scene(20, 1, 1, dtype=dtype),
    "off picture": lambda dtype: synthetic.scene(150, 70, 50, sigma=2.0, spread=0.6, dtype=dtype),
    "ten channels": lambda dtype: synthetic.scene(80, 40, 40, channels=10, dtype=dtype),
    "one channel": lambda dtype: synthetic.scene(80, 40, 40, channels=1, dtype=dtype),
    "head": lambda dtype: synthetic.head_like(1500, 80, dtype=dtype),
    "needles": lambda dtype: _needles(dtype),
    "deep": lambda dtype: _deep(dtype),
    "degenerate": lambda dtype: synthetic.degenerate(dtype=dtype),
}


LISTED = ("random", "needles", "head", "deep", "degenerate")


def _needles(dtype):
    s = synthetic.scene(150, 70, 50, dtype=dtype, seed=7)
    return s._replace(scales=s.scales * jnp.array([20, 0.02, 0.02], dtype))


def _deep(dtype):
    """More Gaussians over a tile than the backward pass keeps at a time, all of them faint."""
    s = synthetic.scene(1300, 16, 16, sigma=8.0, dtype=dtype, seed=8, spread=0.1)
    return s._replace(opacities=0.005 + 0.02 * s.opacities)


def _step(s, implementation, **options):
    """Rendering and gradients of everything, with random cotangents."""
    rng = np.random.default_rng(0)
    size = (s.camera.height, s.camera.width)
    dtype = s.means.dtype
    color = jnp.asarray(rng.normal(size=(*size, s.features.shape[1])), dtype)
    scalar = jnp.asarray(rng.normal(size=size), dtype)
    background = jnp.asarray(rng.random(s.features.shape[1]), dtype)
    tap = jnp.zeros((s.means.shape[0], 4), dtype)
    # What decides a trace beside its arguments.
    chosen = native.isa(), native.wants_determinism(), os.environ.get("EMOJAX_SPLAT_BACKWARD")
    return _run(
        s[:5], s.camera, background, tap, color, scalar,
        implementation, chosen, tuple(sorted(options.items())),
    )  # fmt: skip


@functools.partial(jax.jit, static_argnames=("implementation", "chosen", "options"))
def _run(arrays, camera, background, tap, color, scalar, implementation, chosen, options):
    def loss(arrays, camera, background, tap):
        out = splatting.splat(
            *arrays, camera, background=background, tap=tap, depth=True,
            implementation=implementation, **dict(options),
        )  # fmt: skip
        total = jnp.sum(out.image * color) + jnp.sum((out.alpha + out.depth) * scalar)
        return total, out

    step = jax.value_and_grad(loss, argnums=(0, 1, 2, 3), has_aux=True)
    (_, out), gradients = step(arrays, camera, background, tap)
    return out, gradients


def _assert_close(a, b, tolerance):
    """Equal up to a tolerance relative to the largest entry of each array."""
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        scale = np.max(np.abs(x), initial=0) + 1e-30
        np.testing.assert_allclose(y, x, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, {}) for name in sorted(SCENES)),
        *((name, {"antialias": True, "capacity": 20_000}) for name in LISTED),
    ],
    ids=str,
)
def test_float64_equals_the_definition(name, options, float64):
    s = SCENES[name](np.float64)
    expected, got = _step(s, "xla", **options), _step(s, "native", **options)
    _assert_close(expected[0], got[0], DOUBLE_TOLERANCE)
    _assert_close(expected[1], got[1], DOUBLE_TOLERANCE)
    np.testing.assert_array_equal(expected[0].radii, got[0].radii)
    np.testing.assert_array_equal(expected[0].num_pairs, got[0].num_pairs)


@pytest.mark.parametrize("isa", native_build.supported_isas())
@pytest.mark.parametrize("name", sorted(SCENES))
def test_float32_equals_the_definition(name, isa):
    s = SCENES[name](np.float32)
    expected, gradients = _reference(name)
    with native.use_isa(isa):
        got, got_gradients = _step(s, "native")
    # A needle's exponent is a small difference of large numbers: both lose digits, differently.
    loose = 60 if name == "needles" else 1
    clear = margin(name) > BAND * loose
    assert clear.mean() > MOSTLY_CLEAR.get(name, 0.98)
    for field in ("image", "alpha", "depth"):
        a, b = getattr(expected, field), getattr(got, field)
        np.testing.assert_allclose(b[clear], a[clear], atol=IMAGE_TOLERANCE * loose, err_msg=field)
        np.testing.assert_allclose(b, a, atol=2 / 255, err_msg=f"{field}, near thresholds")
    _assert_close(gradients, got_gradients, GRADIENT_TOLERANCE * loose)
    np.testing.assert_allclose(expected.radii, got.radii, atol=1)
    np.testing.assert_allclose(expected.num_pairs, got.num_pairs, rtol=1e-3)


@functools.cache
def margin(name):
    """How near to a threshold each pixel of a scene comes."""
    return np.asarray(oracle.render(SCENES[name](np.float32)).margin)


@functools.cache
def _reference(name):
    return _step(SCENES[name](np.float32), "xla")


@pytest.mark.parametrize("capacity", [None, 600])
def test_same_bits_for_any_number_of_threads(capacity):
    s = synthetic.head_like(3000, 130)
    results = []
    try:
        for threads in (1, 2, 5):
            native.set_thread_limit(threads)
            results.append(jax.tree.map(np.asarray, _step(s, "native", capacity=capacity)))
    finally:
        native.set_thread_limit(0)
    for other in results[1:]:
        jax.tree.map(np.testing.assert_array_equal, results[0], other)


def test_batch_shares_operands_in_place():
    s = synthetic.scene(30, 33, 20)
    poses = jnp.stack([synthetic.camera(33, 20, seed=k).world_to_camera for k in range(4)])

    def run(pose):
        cam = s.camera.replace(world_to_camera=pose)
        return splatting.splat(*s[:5], cam, implementation="native").image

    text = jax.jit(jax.vmap(run)).lower(poses).as_text()
    calls = [line for line in text.splitlines() if "emojax_splat_forward" in line]
    assert len(calls) == 1, "one launch for the batch"
    assert "tensor<1x30x3xf32>" in calls[0], "shared means arrive once"
    assert "tensor<4x4x4xf32>" in calls[0], "batched poses arrive four times"


def test_gradients_of_unused_outputs_are_zero():
    s = synthetic.scene(30, 33, 20)
    gradient = jax.grad(lambda m: 0.0 * splatting.splat(m, *s[1:]).image.sum())(s.means)
    np.testing.assert_array_equal(gradient, 0)


def test_forward_mode_is_refused_clearly():
    s = synthetic.scene(3, 8, 8)
    with pytest.raises(TypeError, match="custom_vjp"):
        jax.jvp(lambda m: splatting.splat(m, *s[1:]).image, (s.means,), (s.means,))
