"""L1 and SSIM: against a float64 reference, at the corners, gradients against differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from emojax.losses import photometric


def _reference_ssim(x, y):
    """Wang et al. 2004 with explicit windows, float64: [H, W, C]."""
    steps = np.arange(-5, 6)
    profile = np.exp(-(steps**2) / (2 * 1.5**2))
    window = np.outer(profile, profile) / profile.sum() ** 2

    def mean(a):
        padded = np.pad(np.float64(a), [(5, 5), (5, 5), (0, 0)])
        views = np.lib.stride_tricks.sliding_window_view(padded, (11, 11), axis=(0, 1))
        return np.einsum("hwcij,ij->hwc", views, window)

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))


def _pair(height=23, width=31, seed=0):
    """A smooth picture and a disturbed one."""
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[:height, :width] / 10
    x = 0.5 + 0.4 * np.stack([np.sin(u + v), np.cos(u * v / 3), np.sin(v)], axis=-1)
    return x, np.clip(x + 0.1 * rng.normal(size=x.shape), 0, 1)


def test_ssim_is_the_textbook_one(float64):
    x, y = _pair()
    np.testing.assert_allclose(photometric.ssim_map(x, y), _reference_ssim(x, y), atol=1e-12)
    np.testing.assert_allclose(photometric.ssim(x, y), _reference_ssim(x, y).mean(), atol=1e-12)


def test_ssim_in_single_precision():
    x, y = (np.float32(a) for a in _pair(64, 48))
    np.testing.assert_allclose(
        photometric.ssim_map(x, y), _reference_ssim(np.float64(x), np.float64(y)), atol=2e-4
    )


@pytest.mark.parametrize("shape", [(1, 1, 3), (4, 7, 1), (12, 3, 3)])
def test_ssim_of_pictures_smaller_than_the_window(float64, shape):
    x, y = np.random.default_rng(0).uniform(size=(2, *shape))
    np.testing.assert_allclose(photometric.ssim_map(x, y), _reference_ssim(x, y), atol=1e-12)


def test_ssim_is_symmetric_and_one_for_equal_pictures():
    x, y = (np.float32(a) for a in _pair())
    assert photometric.ssim(x, x) == pytest.approx(1, abs=1e-6)
    assert photometric.ssim(x, y) == pytest.approx(float(photometric.ssim(y, x)), abs=1e-6)
    assert photometric.dssim(x, y) == pytest.approx(1 - float(photometric.ssim(x, y)), abs=1e-6)


def test_gradients_of_ssim_in_both_pictures(float64):
    x, y = _pair(9, 14)
    rng = np.random.default_rng(1)
    cotangent = rng.normal(size=x.shape)

    def weighted(x, y):
        return jnp.sum(photometric.ssim_map(x, y) * cotangent)

    check_grads(weighted, (x, y), order=1, modes=["rev"], atol=1e-5, rtol=1e-5)


def test_gradients_on_flat_pictures_are_finite():
    losses = [jax.jit(jax.value_and_grad(loss)) for loss in (photometric.dssim, photometric.l1)]
    noisy = jnp.asarray(_pair(16, 16)[1], jnp.float32)
    for level in (0.0, 0.3, 1.0):
        flat = jnp.full((16, 16, 3), level)
        for other in (flat, jnp.zeros_like(flat), noisy):
            for loss in losses:
                value, gradient = loss(flat, other)
                assert np.isfinite(value)
                assert np.isfinite(gradient).all()


def test_a_descent_step_lowers_dssim():
    x, y = (jnp.asarray(a, jnp.float32) for a in _pair())
    value, gradient = jax.value_and_grad(photometric.dssim)(y, x)
    step = 0.01 * gradient / jnp.max(jnp.abs(gradient))
    assert photometric.dssim(y - step, x) < value


def test_a_batch_is_its_pictures_and_compiles():
    pairs = [_pair(seed=seed) for seed in range(3)]
    xs, ys = (np.float32([pair[i] for pair in pairs]) for i in range(2))
    together = jax.jit(jax.vmap(jax.grad(photometric.dssim)))(xs, ys)
    alone = jnp.stack([jax.grad(photometric.dssim)(x, y) for x, y in zip(xs, ys, strict=True)])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=2e-6)


def test_l1_over_everything_and_over_a_mask():
    image, target = jnp.zeros((4, 4, 3)), jnp.zeros((4, 4, 3)).at[0, 0].set(0.5).at[1, 1].set(-0.25)
    mask = jnp.zeros((4, 4), bool).at[0, :2].set(True)
    assert photometric.l1(image, target) == pytest.approx(0.75 / 16)
    assert photometric.l1(image, target, mask=mask) == pytest.approx(0.25)


def test_l1_over_an_empty_mask_is_zero_with_zero_gradient():
    image = jnp.ones((4, 4, 3))

    def loss(image):
        return photometric.l1(image, jnp.zeros_like(image), mask=jnp.zeros((4, 4)))

    value, gradient = jax.value_and_grad(loss)(image)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)
