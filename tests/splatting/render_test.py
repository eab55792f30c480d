"""Laws of splatting, for every implementation: what must hold whoever computes it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from emojax import native, splatting
from emojax.gaussians import initialize
from tests import synthetic
from tests.splatting import oracle

# Float32 against the float64 oracle, away from thresholds; and the fraction of pixels near one.
IMAGE_TOLERANCE = 2e-5
BAND = 1e-4
MOST_IN_BAND = 0.02


@pytest.fixture(params=["xla", "native"])
def implementation(request):
    if request.param == "native" and not native.available():
        pytest.skip("needs CPU kernels")
    return request.param


def _splat(s, implementation, **options):
    run = functools.partial(splatting.splat, implementation=implementation, **options)
    return jax.jit(run)(*s)


def _grad(function, argnums=0):
    return jax.jit(jax.grad(function, argnums=argnums))


def _weights(s, seed=0):
    rng = np.random.default_rng(seed)
    size = (s.camera.height, s.camera.width)
    dtype = s.means.dtype
    return (
        jnp.asarray(rng.normal(size=(*size, s.features.shape[1])), dtype),
        jnp.asarray(rng.normal(size=size), dtype),
    )


def _loss(s, implementation, **options):
    """A scalar that sees image, alpha and (where asked for) depth, as a function of the arrays."""
    color, scalar = _weights(s)

    def loss(*arrays):
        out = splatting.splat(*arrays, s.camera, implementation=implementation, **options)
        total = jnp.sum(out.image * color) + jnp.sum(out.alpha * scalar)
        return total if out.depth is None else total + jnp.sum(out.depth * scalar[::-1])

    return loss


# ---- Values -------------------------------------------------------------------------------------


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(
    "s",
    [
        synthetic.scene(80, 50, 37, sigma=4.0),
        synthetic.scene(300, 33, 64, sigma=2.0, channels=7, spread=0.5),
        synthetic.head_like(400, 64),
        synthetic.degenerate(),
    ],
    ids=["random", "many channels", "head", "degenerate"],
)
def test_picture_is_the_oracles(s, antialias, implementation):
    out = _splat(s, implementation, antialias=antialias, depth=True)
    expected = oracle.render(s, antialias=antialias)
    clear = expected.margin > BAND
    assert clear.mean() > 1 - MOST_IN_BAND
    kwargs = {"atol": IMAGE_TOLERANCE, "rtol": IMAGE_TOLERANCE}
    np.testing.assert_allclose(out.image[clear], expected.color[clear], **kwargs)
    np.testing.assert_allclose(out.alpha[clear], 1 - expected.transmittance[clear], **kwargs)
    np.testing.assert_allclose(out.depth[clear], expected.depth[clear], **kwargs)
    # A flip at a threshold changes a pixel by one small contribution, in either direction.
    np.testing.assert_allclose(out.image, expected.color, atol=1.5 / 255)


def test_one_opaque_gaussian_by_hand(implementation):
    s = synthetic.scene(1, 32, 32, sigma=3.0)
    s = s._replace(
        means=jnp.array([[0.5 / 64, 0.5 / 67.2, 1.0]]),  # on the centre of pixel (16, 16)
        opacities=jnp.array([0.8]),
        features=jnp.array([[0.25, 0.5, 1.0]]),
        camera=synthetic.camera(32, 32),
    )
    out = _splat(s, implementation, depth=True, background=jnp.array([1.0, 0.0, 0.5]))
    expected = 0.8 * np.array([0.25, 0.5, 1.0]) + 0.2 * np.array([1.0, 0.0, 0.5])
    np.testing.assert_allclose(out.image[16, 16], expected, rtol=1e-5)
    np.testing.assert_allclose(out.alpha[16, 16], 0.8, rtol=1e-5)
    np.testing.assert_allclose(out.depth[16, 16], 0.8, rtol=1e-5)


def test_alpha_is_capped(implementation):
    s = synthetic.scene(1, 16, 16, sigma=50.0)._replace(opacities=jnp.array([1.0]))
    for cap in (0.999, 0.99):
        out = _splat(s, implementation, alpha_max=cap)
        np.testing.assert_allclose(jnp.max(out.alpha), cap, rtol=1e-5)


@pytest.mark.parametrize("count", [0, 1])
def test_empty_and_single(count, implementation):
    s = synthetic.scene(count, 20, 10)
    out = _splat(s, implementation, background=jnp.array([0.1, 0.2, 0.3]), depth=True)
    assert out.image.shape == (10, 20, 3)
    assert out.radii.shape == (count, 2)
    if not count:
        np.testing.assert_allclose(out.image, np.broadcast_to([0.1, 0.2, 0.3], (10, 20, 3)))
        assert out.num_pairs == 0
    gradient = _grad(_loss(s, implementation), argnums=(0, 4))(*s[:5])
    assert gradient[0].shape == (count, 3)


def test_all_culled_is_the_background(implementation):
    s = synthetic.scene(30, 20, 20)
    s = s._replace(means=s.means.at[:, 2].add(-100))
    background = jnp.linspace(0, 1, 20 * 20 * 3).reshape(20, 20, 3)
    out = _splat(s, implementation, background=background)
    np.testing.assert_array_equal(out.image, background)
    np.testing.assert_array_equal(out.radii, 0)
    assert out.num_pairs == 0


# ---- Laws ---------------------------------------------------------------------------------------


def test_order_of_gaussians_does_not_matter(implementation):
    s = synthetic.scene(100, 40, 40)
    shuffled = np.random.default_rng(1).permutation(100)
    a = _splat(s, implementation)
    b = _splat(type(s)(*(x[shuffled] for x in s[:5]), s.camera), implementation)
    np.testing.assert_array_equal(a.image, b.image)
    np.testing.assert_array_equal(a.radii[shuffled], b.radii)


def test_unused_slots_change_nothing(implementation):
    s = synthetic.scene(50, 40, 40)
    more = synthetic.scene(70, 40, 40, seed=9)
    padded = type(s)(
        *(jnp.concatenate([x, y]) for x, y in zip(s[:5], more[:5], strict=True)), s.camera
    )
    padded = padded._replace(opacities=padded.opacities.at[50:].set(0))
    np.testing.assert_array_equal(
        _splat(s, implementation).image, _splat(padded, implementation).image
    )


def test_a_larger_picture_shows_the_same_where_it_overlaps(implementation):
    # None outside of the margin, where the picture's size decides about the Jacobian.
    s = synthetic.scene(60, 50, 40, spread=0.15)
    larger = s._replace(camera=s.camera.replace(width=64, height=48))
    a, b = _splat(s, implementation), _splat(larger, implementation)
    np.testing.assert_allclose(a.image, b.image[:40, :50], atol=IMAGE_TOLERANCE)


def test_shift_by_a_whole_tile(float64, implementation):
    s = synthetic.scene(60, 64, 64, dtype=np.float64, spread=0.1)
    shift = jnp.array([16.0, -16.0])
    moved = s._replace(camera=s.camera.replace(principal=s.camera.principal + shift))
    a, b = _splat(s, implementation), _splat(moved, implementation)
    np.testing.assert_allclose(a.image[16:48, 16:48], b.image[:32, 32:], atol=1e-12)


def test_features_and_background_enter_linearly(implementation):
    s = synthetic.scene(60, 40, 40)
    background = jnp.array([0.3, 0.6, 0.9])
    double = _splat(s._replace(features=2 * s.features), implementation, background=2 * background)
    single = _splat(s, implementation, background=background)
    np.testing.assert_allclose(double.image, 2 * single.image, atol=1e-6)
    np.testing.assert_allclose(
        single.image - _splat(s, implementation).image,
        (1 - single.alpha[..., None]) * background,
        atol=1e-6,
    )


def test_weights_sum_to_alpha_between_zero_and_one(implementation):
    s = synthetic.head_like(300, 48)
    out = _splat(s._replace(features=jnp.ones_like(s.features)), implementation)
    np.testing.assert_allclose(out.image[..., 0], out.alpha, atol=2e-6)
    assert float(out.alpha.min()) >= 0
    assert float(out.alpha.max()) <= 1
    assert float(out.alpha.max()) > 0.99


def test_depth_is_the_channel_of_camera_z(implementation):
    s = synthetic.scene(60, 40, 40)
    z = s.means @ s.camera.world_to_camera[2, :3] + s.camera.world_to_camera[2, 3]
    out = _splat(s._replace(features=z[:, None]), implementation, depth=True)
    np.testing.assert_allclose(out.depth, out.image[..., 0], rtol=1e-5, atol=1e-6)


def test_list_and_bitmap_agree(implementation):
    s = synthetic.scene(80, 50, 37, sigma=4.0)
    color, scalar = _weights(s)

    def step(capacity):
        def loss(*arrays):
            run = functools.partial(splatting.splat, implementation=implementation)
            out = run(*arrays, s.camera, capacity=capacity)
            return jnp.sum(out.image * color) + jnp.sum(out.alpha * scalar), out

        return jax.jit(jax.grad(loss, argnums=(0, 1, 2, 3, 4), has_aux=True))(*s[:5])

    (gradients, bitmap), (gradients_of_list, listed) = step(None), step(5_000)
    np.testing.assert_array_equal(bitmap.image, listed.image)
    assert listed.overflow == 0
    full = _splat(s, implementation, capacity=40)
    assert full.num_pairs == bitmap.num_pairs
    assert full.overflow == bitmap.num_pairs - 40
    for a, b in zip(gradients, gradients_of_list, strict=True):
        if implementation == "native":
            np.testing.assert_array_equal(a, b)
        else:  # two programs of XLA round differently
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-6 * np.abs(a).max())


@pytest.mark.parametrize("capacity", [None, 3_000])
def test_vmap_is_a_loop(capacity, implementation):
    if capacity and implementation == "xla":
        pytest.skip("plain JAX masks the bitmap; lists are the kernels' alone")
    s = synthetic.scene(40, 33, 20)
    rng = np.random.default_rng(0)
    moved = s.means + jnp.asarray(rng.normal(size=(2, 3, 40, 3)) * 0.02, jnp.float32)
    poses = jnp.stack([synthetic.camera(33, 20, seed=k).world_to_camera for k in range(3)])

    shared = (s.scales, s.opacities, s.features, s.camera.focal)

    def total(shared, means, pose):  # the gradient of what all share is the sum over the batch
        scales, opacities, features, focal = shared
        cam = s.camera.replace(world_to_camera=pose, focal=focal)
        out = splatting.splat(
            means, s.quaternions, scales, opacities, features, cam,
            implementation=implementation, capacity=capacity,
        )  # fmt: skip
        return jnp.sum(out.image**2), (out.image, out.num_pairs)

    def totals(shared, means, poses):
        many = jax.vmap(jax.vmap(total, in_axes=(None, 0, 0)), in_axes=(None, 0, None))
        losses, seen = many(shared, means, poses)
        return jnp.sum(losses), seen

    batched, (images, pairs) = jax.jit(jax.grad(totals, has_aux=True))(shared, moved, poses)
    single = jax.jit(jax.grad(total, has_aux=True))
    looped = []
    for i in range(2):
        for j in range(3):
            gradient, (image, count) = single(shared, moved[i, j], poses[j])
            np.testing.assert_allclose(images[i, j], image, atol=1e-6)
            assert pairs[i, j] == count
            looped.append(gradient)
    looped = jax.tree.map(lambda *x: sum(x), *looped)
    for a, b in zip(batched, looped, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max())


def test_an_empty_batch_is_an_empty_batch(implementation):
    s = synthetic.scene(10, 9, 8)

    def images(means):
        run = functools.partial(splatting.splat, implementation=implementation)
        return jax.vmap(lambda m: run(m, *s[1:]).image)(means)

    none = jnp.zeros((0, 10, 3))
    assert jax.jit(images)(none).shape == (0, 8, 9, 3)
    assert _grad(lambda means: images(means).sum())(none).shape == (0, 10, 3)


def test_jit_traces_once(implementation):
    s = synthetic.scene(40, 33, 20)
    traces = []

    @jax.jit
    def step(*arrays):
        traces.append(1)
        return jax.value_and_grad(_loss(s, implementation), argnums=(0, 1, 2, 3, 4))(*arrays)

    for seed in range(3):
        other = synthetic.scene(40, 33, 20, seed=seed)
        jax.block_until_ready(step(*other[:5]))
    assert len(traces) == 1


def test_jit_equals_no_jit(implementation):
    s = synthetic.scene(5, 9, 8)
    value = _loss(s, implementation)
    if implementation == "native":  # plain JAX would compile hundreds of operations one by one
        value = jax.value_and_grad(value, argnums=(0, 3, 4))
    jitted, plain = jax.jit(value)(*s[:5]), value(*s[:5])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), jitted, plain)


# ---- Gradients ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"antialias": True, "depth": True}, {"capacity": 500}],
    ids=["plain", "antialias and depth", "list"],
)
def test_finite_differences_of_every_input(options, implementation, float64):
    # Large, soft Gaussians: no pixel is near a threshold, so the picture is smooth (asserted).
    s = synthetic.scene(6, 10, 8, sigma=9.0, dtype=np.float64, seed=3, spread=0.1)
    s = s._replace(opacities=0.3 + 0.4 * s.opacities)
    assert oracle.render(s, antialias="antialias" in options).margin.min() > 1e-3
    color, scalar = _weights(s)

    def loss(means, quaternions, scales, opacities, features, pose, focal, principal, background):
        cam = s.camera.replace(world_to_camera=pose, focal=focal, principal=principal)
        out = splatting.splat(
            means, quaternions, scales, opacities, features, cam,
            background=background, implementation=implementation, **options,
        )  # fmt: skip
        total = jnp.sum(out.image * color) + jnp.sum(out.alpha * scalar)
        return total if out.depth is None else total + jnp.sum(out.depth * scalar[::-1])

    cam = s.camera
    background = jnp.asarray(np.random.default_rng(0).random((8, 10, 3)))
    arguments = (*s[:5], cam.world_to_camera, cam.focal, cam.principal, background)
    gradients = _grad(loss, argnums=tuple(range(9)))(*arguments)
    value = jax.jit(loss)
    rng = np.random.default_rng(1)
    for k, gradient in enumerate(gradients):
        # The last row of a rigid transform is constant: a step there has no meaning.
        direction = rng.normal(size=gradient.shape)
        if k == 5:
            direction[3] = 0
            np.testing.assert_array_equal(gradient[3], 0)
        step = 1e-6 * (np.abs(np.asarray(arguments[k])).max() + 1e-3)

        def moved(amount, k=k, direction=direction):
            return value(*(x + amount * direction * (i == k) if i == k else x
                           for i, x in enumerate(arguments)))  # fmt: skip

        numeric = (moved(step) - moved(-step)) / (2 * step)
        np.testing.assert_allclose(np.sum(gradient * direction), numeric, rtol=1e-6, atol=1e-7)


def test_finite_differences_component_by_component(implementation, float64):
    s = synthetic.scene(3, 6, 5, sigma=6.0, dtype=np.float64, seed=4, spread=0.1)
    s = s._replace(opacities=0.3 + 0.4 * s.opacities)
    assert oracle.render(s).margin.min() > 1e-3
    check_grads(
        jax.jit(_loss(s, implementation)),
        s[:5],
        order=1,
        modes=["rev"],
        atol=1e-6,
        rtol=1e-5,
        eps=1e-6,
    )


def test_detached_channels_reach_features_alone(implementation, float64):
    s = synthetic.scene(30, 24, 24, channels=4, dtype=np.float64)
    color, _ = _weights(s)
    everything = tuple(range(5))

    def gradients(**options):
        def loss(*arrays):
            *arrays, weights = arrays
            out = splatting.splat(
                *arrays, s.camera, implementation=implementation,
                background=jnp.full(4, 0.5), **options,
            )  # fmt: skip
            return jnp.sum(out.image * color * weights)

        run = _grad(loss, argnums=everything)
        return lambda channels: run(*s[:5], jnp.isin(jnp.arange(4), jnp.array(channels)))

    attached, detached = gradients(), gradients(detach=(1, 3))
    *geometry, features = detached([1, 3])
    for gradient in geometry:
        np.testing.assert_array_equal(gradient, 0)
    np.testing.assert_allclose(features, attached([1, 3])[4], rtol=1e-12)
    # The attached channels are not disturbed by detached ones beside them.
    mixed, alone = detached([0, 1, 2, 3]), attached([0, 2])
    for a, b in zip(mixed[:4], alone[:4], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_tap_is_the_screen_gradient(implementation, float64):
    s = synthetic.scene(20, 24, 24, dtype=np.float64)
    color, _ = _weights(s)

    def loss(tap, shift):
        cam = s.camera.replace(principal=s.camera.principal + shift)
        out = splatting.splat(*s[:5], cam, tap=tap, implementation=implementation)
        return jnp.sum(out.image * color)

    tap, shift = _grad(loss, argnums=(0, 1))(jnp.zeros((20, 4)), jnp.zeros(2))
    # All means move with the principal point: the sum of their screen gradients is its gradient.
    np.testing.assert_allclose(tap[:, :2].sum(0), shift, rtol=1e-9)
    assert np.all(tap[:, 2:] >= np.abs(tap[:, :2]) - 1e-12)
    # Gradients of neighbouring pixels partly cancel in the sum, never in the sum of magnitudes.
    assert float(jnp.max(tap[:, 2:])) > float(jnp.max(jnp.abs(tap[:, :2])))


def test_tap_of_one_splat_by_hand(implementation):
    # d alpha / d u = -alpha a du on each pixel; its magnitudes add up where its signs cancel.
    s = synthetic.scene(1, 16, 16)._replace(
        means=jnp.array([[0.0, 0.0, 1.0]]),
        quaternions=jnp.array([[1.0, 0, 0, 0]]),
        scales=jnp.full((1, 3), 2 / 32),
        opacities=jnp.array([0.5]),
        features=jnp.ones((1, 1)),
        camera=synthetic.camera(16, 16),
    )

    def loss(tap):
        return splatting.splat(*s, tap=tap, implementation=implementation).image.sum()

    tap = _grad(loss)(jnp.zeros((1, 4)))[0]
    v, u = np.mgrid[:16, :16] + 0.5 - 8
    variance = np.array([4, (33.6 / 32 * 2) ** 2]) + 0.3
    alpha = 0.5 * np.exp(-(u**2 / variance[0] + v**2 / variance[1]) / 2)
    alpha = np.where(alpha >= 1 / 255, alpha, 0)
    expected = [np.sum(alpha * np.abs(x) / s2) for x, s2 in zip((u, v), variance, strict=True)]
    np.testing.assert_allclose(tap[:2], 0, atol=1e-5)
    np.testing.assert_allclose(tap[2:], expected, rtol=1e-4)


def test_tap_changes_nothing_else(implementation):
    s = synthetic.scene(20, 24, 24)
    with_tap = _grad(_loss(s, implementation, tap=jnp.zeros((20, 4))), argnums=(0, 3))(*s[:5])
    without = _grad(_loss(s, implementation), argnums=(0, 3))(*s[:5])
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7), with_tap, without
    )


def test_no_gradient_through_the_cap(implementation):
    s = synthetic.scene(1, 16, 16, sigma=200.0)._replace(opacities=jnp.array([3.0]))
    assert _grad(_loss(s, implementation), argnums=3)(*s[:5])[0] == 0


def test_degenerate_gaussians_disturb_nobody(implementation):
    s = synthetic.degenerate()
    dead = np.array(synthetic.DEAD_ROWS)
    run = _grad(
        _loss(s, implementation, depth=True, tap=jnp.zeros((16, 4))), argnums=(0, 1, 2, 3, 4)
    )
    gradients = run(*s[:5])
    for gradient in gradients:
        assert np.all(np.isfinite(gradient))
        np.testing.assert_array_equal(gradient[dead], 0)
    harmless = [jnp.where(jnp.isfinite(x), x, 0.1) for x in s[:5]]
    harmless[3] = harmless[3].at[dead].set(0)
    clean = run(*harmless)
    alive = np.setdiff1d(np.arange(16), dead)
    for a, b in zip(gradients, clean, strict=True):
        np.testing.assert_allclose(a[alive], b[alive], rtol=1e-5, atol=1e-6)


_NUMBERS = st.one_of(
    st.floats(-3, 3, width=32),
    st.sampled_from([0.0, -0.0, 1e-45, 1e-38, 1e-20, 1e20, 3e38, np.inf, -np.inf, np.nan]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_NUMBERS, min_size=14 * 5, max_size=14 * 5))
@pytest.mark.parametrize("fuzzed", ["xla", "native"])
def test_fuzz_never_spreads_a_nan(fuzzed, numbers):
    if fuzzed == "native" and not native.available():
        pytest.skip("needs CPU kernels")
    table = np.array(numbers, np.float32).reshape(5, 14)
    # Who stands before a colour of 3e38 has a derivative that float32 cannot hold: no fault.
    colors = table[:, 11:]
    table[:, 11:] = np.where(np.isfinite(colors), np.clip(colors, -1e18, 1e18), colors)
    table = jnp.asarray(table)
    good = synthetic.scene(3, 20, 18, seed=1)
    arrays = [
        jnp.concatenate([x, y.reshape(5, *x.shape[1:])])
        for x, y in zip(
            good[:5],
            (table[:, :3], table[:, 3:7], table[:, 7:10], table[:, 10], table[:, 11:14]),
            strict=True,
        )
    ]
    images, gradients = _fuzz_step(fuzzed)(*arrays)
    assert np.all(np.isfinite(images))
    for gradient in gradients:
        # A finite but absurd Gaussian may have an infinite derivative of its own, never a NaN
        # elsewhere: the three good ones stay clean.
        assert np.all(np.isfinite(gradient[:3]))
    unusable = ~np.all(np.isfinite(np.concatenate([np.reshape(x, (8, -1)) for x in arrays], 1)), 1)
    for gradient in gradients:
        np.testing.assert_array_equal(np.asarray(gradient)[unusable], 0)


_steps = {}


def _fuzz_step(implementation):
    if implementation not in _steps:
        s = synthetic.scene(8, 20, 18, seed=1)

        def step(*arrays):
            out = splatting.splat(*arrays, s.camera, implementation=implementation)
            gradients = jax.grad(_loss(s, implementation), argnums=(0, 1, 2, 3, 4))(*arrays)
            return jnp.nan_to_num(out.image, nan=jnp.inf, posinf=0, neginf=0), gradients

        _steps[implementation] = jax.jit(step)
    return _steps[implementation]


# ---- Clouds and bad calls -----------------------------------------------------------------------


def test_render_draws_a_cloud_with_extra_channels(implementation):
    cloud = initialize.from_box(
        jax.random.key(0), num_points=50, capacity=64, half_size=0.1, degree=2
    )
    cam = synthetic.head_like(1, 48).camera
    extra = jnp.ones((64, 2))
    run = functools.partial(splatting.render, implementation=implementation)
    out = jax.jit(lambda cloud, extra: run(cloud, cam, extra=extra))(cloud, extra)
    assert out.image.shape == (48, 48, 5)
    np.testing.assert_allclose(out.image[..., 3], out.alpha, atol=2e-6)
    # Grey by initialisation: 127 / 255 of alpha.
    np.testing.assert_allclose(out.image[..., 0], out.alpha * 127 / 255, atol=1e-4)
    assert np.all(out.radii[50:] == 0)


@pytest.mark.parametrize("field", ["means", "quaternions", "scales", "opacities", "harmonics"])
def test_a_cloud_with_a_nan_sends_no_nan(field, implementation):
    cloud = initialize.from_box(
        jax.random.key(0), num_points=20, capacity=20, half_size=0.1, degree=1
    )
    bad = cloud.replace(**{field: getattr(cloud, field).at[3].set(jnp.nan)})
    gradient = _gradient_of_cloud(implementation)(bad)
    for name in ("means", "quaternions", "scales", "opacities", "harmonics"):
        assert np.all(np.isfinite(getattr(gradient, name)))
        np.testing.assert_array_equal(getattr(gradient, name)[3], 0)
    assert np.any(gradient.means[:3] != 0)


@functools.cache
def _gradient_of_cloud(implementation):
    cam = synthetic.head_like(1, 32).camera

    def loss(cloud):
        return jnp.sum(splatting.render(cloud, cam, implementation=implementation).image)

    return jax.jit(jax.grad(loss, allow_int=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"means": jnp.zeros((5, 2))}, r"means has shape \(5, 2\), expected \(5, 3\)"),
        ({"means": jnp.zeros((2, 5, 3))}, r"means has shape .* batch with jax.vmap"),
        ({"means": jnp.zeros((5, 3), jnp.int32)}, "means has dtype int32, expected a floating"),
        ({"quaternions": jnp.zeros((4, 4))}, r"quaternions has shape \(4, 4\), expected \(5, 4\)"),
        (
            {"scales": jnp.zeros((5, 3), jnp.bfloat16)},
            "scales has dtype bfloat16, expected float32",
        ),
        ({"opacities": jnp.zeros((5, 1))}, r"opacities has shape \(5, 1\), expected \(5,\)"),
        ({"features": jnp.zeros(5)}, "features has shape"),
        ({"features": jnp.zeros((5, 0))}, "features has 0 channels"),
        ({"background": jnp.zeros(4)}, r"background has shape \(4,\), expected \(3,\)"),
        ({"background": jnp.zeros((9, 8, 3))}, r"background has shape .* expected \(8, 9, 3\)"),
        ({"tap": jnp.zeros((5, 2))}, r"tap has shape \(5, 2\), expected \(5, 4\)"),
        ({"detach": (3,)}, r"detach names channels \[3\], expected numbers from 0 to 2"),
        ({"capacity": 0}, "capacity is 0, expected None or an int"),
        ({"capacity": 5.5}, "capacity is 5.5, expected None or an int"),
        ({"alpha_max": -1.0}, "alpha_max is -1.0, expected a number between 0 and 1"),
        ({"alpha_max": 1.0}, "alpha_max is 1.0, expected a number between 0 and 1"),
        ({"near": -10.0}, "near is -10.0, expected a number of at least 0"),
        ({"near": float("nan")}, "near is nan, expected a number of at least 0"),
        ({"near": 2.0, "far": 1.0}, "far is 1.0, expected a number above near, 2.0"),
        ({"dilation": -0.3}, "dilation is -0.3, expected a number of at least 0"),
        ({"implementation": "cuda"}, "implementation is 'cuda', expected"),
    ],
)
def test_bad_calls_name_the_argument(change, message):
    s = synthetic.scene(5, 9, 8)._asdict()
    cam = s.pop("camera")
    with pytest.raises(ValueError, match=message):
        splatting.splat(camera=cam, **{**s, **change})


@pytest.mark.parametrize(
    ("change", "extra", "message"),
    [
        ({"alive": jnp.ones(4, bool)}, None, r"gaussians.alive has shape \(4,\), expected \(8,\)"),
        ({"means": jnp.zeros(3)}, None, r"gaussians.means has shape \(3,\)"),
        ({"harmonics": jnp.zeros((8, 5, 3))}, None, "gaussians.harmonics has shape .* K of 1, 4"),
        ({}, jnp.zeros((7, 2)), r"extra has shape \(7, 2\), expected \(8, channels\)"),
        ({}, jnp.zeros(8), r"extra has shape \(8,\), expected"),
        ({}, jnp.zeros((8, 1), jnp.int32), "extra has dtype int32, expected float32"),
    ],
)
def test_bad_clouds_are_named(change, extra, message):
    cloud = initialize.from_box(
        jax.random.key(0), num_points=4, capacity=8, half_size=0.1, degree=0
    )
    cam = synthetic.camera(9, 8)
    with pytest.raises(ValueError, match=message):
        splatting.render(cloud.replace(**change), cam, extra=extra)


def test_bad_cameras_are_named():
    s = synthetic.scene(5, 9, 8)
    for change, message in (
        ({"width": 0}, "camera.width is 0"),
        ({"focal": jnp.zeros(3)}, "camera.focal has shape"),
        ({"world_to_camera": jnp.zeros((3, 4))}, "camera.world_to_camera has shape"),
    ):
        with pytest.raises(ValueError, match=message):
            splatting.splat(*s[:5], s.camera.replace(**change))


def test_half_precision_goes_through_xla():
    s = synthetic.scene(20, 16, 16)
    half = [x.astype(jnp.bfloat16) for x in s[:5]]
    cam = jax.tree.map(lambda x: x.astype(jnp.bfloat16), s.camera)
    out = jax.jit(splatting.splat)(*half, cam)
    assert out.image.dtype == jnp.bfloat16
    with pytest.raises(ValueError, match="kernels expect float32 or float64"):
        splatting.splat(*half, cam, implementation="native")
