"""StyleGAN2's parts: against definitions with explicit kernels, laws."""

import jax.numpy as jnp
import numpy as np

from emojax.experts import stylegan2

RNG = np.random.default_rng(0)


def _normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def test_transposed_convolutions_scatter_kernels():
    x, kernel = _normal(2, 3, 4, 2), _normal(3, 3, 2, 5)
    want = np.zeros((2, 7, 9, 5))
    for row in range(3):
        for column in range(4):
            patch = np.einsum("bi,klio->bklo", x[:, row, column], kernel)
            want[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3] += patch
    found = stylegan2._transposed(jnp.asarray(x), jnp.asarray(kernel))
    np.testing.assert_allclose(found, want, atol=1e-5)


def test_modulation_scales_kernels_to_length_one():
    x, kernel, style = _normal(2, 5, 5, 3), _normal(3, 3, 3, 4), _normal(2, 3)
    found = stylegan2._modulated(jnp.asarray(x), jnp.asarray(kernel), style, None)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    for i in range(2):
        own = kernel * style[i][:, None]
        own = own / np.sqrt((own**2).sum((0, 1, 2)) + 1e-8)
        want = np.einsum("hwikl,klio->hwo", views[i], own)
        np.testing.assert_allclose(found[i], want, atol=1e-5)


def test_mapping_does_not_depend_on_the_length_of_noise():
    dense = [stylegan2.Affine(_normal(6, 6) * 100, _normal(6) * 10) for _ in range(3)]
    z = _normal(2, 6)
    found = stylegan2.mapping(dense, z)
    np.testing.assert_allclose(stylegan2.mapping(dense, 7 * z), found, rtol=1e-4)
    mean = _normal(6)
    np.testing.assert_allclose(
        stylegan2.truncate(found, mean), 0.7 * found + 0.3 * mean, rtol=1e-4, atol=1e-6
    )


def test_doubling_keeps_a_constant_inside():
    taps = jnp.array([1.0, 3, 3, 1])
    found = stylegan2.upsample(jnp.ones((1, 4, 4, 3)), jnp.outer(taps, taps) / 64)
    assert found.shape == (1, 8, 8, 3)
    np.testing.assert_allclose(found[:, 1:-1, 1:-1], 1, rtol=1e-6)


def test_styles_and_channels_follow_the_side():
    assert [stylegan2.num_styles(side) for side in (64, 256, 1024)] == [10, 14, 18]
    assert [stylegan2.channels(side) for side in (4, 64, 128, 1024)] == [512, 512, 256, 32]
