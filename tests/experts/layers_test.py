"""Layers as PyTorch defines them: against loops in numpy, by hand where they are known, by laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.experts import layers

RNG = np.random.default_rng(0)


def _correlate(x, kernel, stride, padding):
    """NCHW and OIHW in numpy, float64."""
    x = np.pad(np.float64(x), [(0, 0), (0, 0), *[(p, p) for p in padding]])
    views = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], axis=(2, 3))
    return np.einsum("bihwkl,oikl->bohw", views[:, :, :: stride[0], :: stride[1]], kernel)


@pytest.mark.parametrize(
    ("stride", "padding"), [((1, 1), (0, 0)), ((2, 2), (1, 1)), ((1, 2), (2, 0)), ((3, 1), (1, 3))]
)
def test_convolutions_are_correlations(stride, padding):
    x, kernel, bias = (
        RNG.normal(size=(2, 3, 9, 8)),
        RNG.normal(size=(5, 3, 3, 2)),
        RNG.normal(size=5),
    )
    params = {"a.weight": layers.kernels_last("a.weight", kernel), "a.bias": bias}
    params = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), params)
    inside = layers.channels_last(jnp.asarray(x, jnp.float32))
    found = layers.conv(params, "a", inside, stride=stride, padding=padding)
    want = _correlate(x, kernel, stride, padding) + bias[:, None, None]
    np.testing.assert_allclose(layers.channels_first(found), want, atol=1e-5)
    found = layers.conv(
        {"a.weight": params["a.weight"]}, "a", inside, stride=stride, padding=padding
    )
    np.testing.assert_allclose(layers.channels_first(found), want - bias[:, None, None], atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_thin_convolutions_are_convolutions(stride):
    x = jnp.asarray(RNG.normal(size=(2, 11, 9, 3)), jnp.float32)
    kernel = jnp.asarray(RNG.normal(size=(5, 3, 3, 4)), jnp.float32)

    def both(x):
        thin = layers.convolve_thin(x, kernel, stride=stride)
        return thin, layers.convolve(x, kernel, stride=stride)

    np.testing.assert_allclose(*both(x), atol=1e-5)
    gradients = [jax.grad(lambda x, i=i: jnp.sum(both(x)[i] ** 2))(x) for i in range(2)]
    np.testing.assert_allclose(*gradients, atol=1e-4)


def test_kernels_in_bfloat16_give_float32():
    x, kernel = jnp.ones((1, 4, 4, 2)), jnp.ones((3, 3, 2, 5), jnp.bfloat16)
    gradient = jax.grad(lambda x: jnp.sum(layers.convolve(x, kernel)))(x)
    assert layers.convolve(x, kernel).dtype == gradient.dtype == jnp.float32
    weight = jnp.ones((3, 2), jnp.bfloat16)
    assert layers.linear({"a.weight": weight}, "a", x).dtype == jnp.float32


def test_dense_layers_and_norms():
    params = {
        "a.weight": jnp.array([[1.0, 2], [3, 4], [5, 6]]),
        "a.bias": jnp.array([0.0, 1, 2]),
        "n.weight": jnp.array([2.0, 1]),
        "n.bias": jnp.array([1.0, 0]),
        "n.running_mean": jnp.array([3.0, 0]),
        "n.running_var": jnp.array([4.0 - 1e-5, 1 - 1e-5]),
    }
    np.testing.assert_allclose(layers.linear(params, "a", jnp.array([1.0, 1])), [3, 8, 13])
    np.testing.assert_allclose(
        layers.batch_norm(params, "n", jnp.array([5.0, 7])), [3, 7], rtol=1e-6
    )
    slope = {"p.weight": jnp.array([0.5, 0.1])}
    np.testing.assert_allclose(layers.prelu(slope, "p", jnp.array([-2.0, 3])), [-1, 3])


def test_pools_pad_with_nothing_and_keep_the_far_edge_when_told():
    x = -jnp.arange(1.0, 26).reshape(1, 5, 5, 1)
    found = layers.max_pool(x, 3, stride=2, padding=1)
    np.testing.assert_array_equal(found[0, :, :, 0], [[-1, -2, -4], [-6, -7, -9], [-16, -17, -19]])
    even = x[:, :4, :4]
    assert layers.max_pool(even, 3, stride=2).shape == (1, 1, 1, 1)
    found = layers.max_pool(even, 3, stride=2, ceil=True)
    np.testing.assert_array_equal(found[0, :, :, 0], [[-1, -3], [-11, -13]])
    assert layers.max_pool(x, 3, stride=2, ceil=True).shape == (1, 2, 2, 1)
    np.testing.assert_allclose(
        layers.avg_pool(even, 2, stride=2)[0, :, :, 0], [[-4, -6], [-14, -16]]
    )


@pytest.mark.parametrize("size", [(8, 10), (7, 3), (4, 5), (2, 11)])
def test_nearest_neighbours_are_rounded_down(size):
    x = RNG.normal(size=(1, 4, 5, 2)).astype(np.float32)
    rows = np.floor(np.arange(size[0]) * 4 / size[0]).astype(int)
    columns = np.floor(np.arange(size[1]) * 5 / size[1]).astype(int)
    np.testing.assert_array_equal(layers.nearest(x, size), x[:, rows][:, :, columns])


def test_bilinear_resizing_knows_two_conventions():
    x = jnp.array([0.0, 1, 4]).reshape(1, 1, 3, 1)
    found = layers.bilinear(x, (1, 5), align_corners=True)[0, 0, :, 0]
    np.testing.assert_allclose(found, [0, 0.5, 1, 2.5, 4], atol=1e-6)
    found = layers.bilinear(x, (1, 6), align_corners=False)[0, 0, :, 0]
    np.testing.assert_allclose(found, [0, 0.25, 0.75, 1.75, 3.25, 4], atol=1e-6)
    # Shrinking takes two neighbours and never the mean of all.
    wide = jnp.arange(8.0).reshape(1, 1, 8, 1)
    found = layers.bilinear(wide, (1, 2), align_corners=False)[0, 0, :, 0]
    np.testing.assert_allclose(found, [1.5, 5.5], atol=1e-6)
    assert layers.bilinear(x, (4, 1), align_corners=True).shape == (1, 4, 1, 1)


def test_vectors_of_length_one_and_zero():
    found = layers.unit(jnp.array([[3.0, 4], [0, 0]]))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0]], rtol=1e-6)
    assert np.isfinite(jax.grad(lambda x: layers.unit(x).sum())(jnp.zeros((1, 2)))).all()


def test_bytes_become_floats_of_the_networks_range():
    image = np.array([0, 255], np.uint8)
    np.testing.assert_allclose(layers.floats(jnp.asarray(image)), [0, 1])
    np.testing.assert_allclose(layers.floats(jnp.asarray(image), scale=127.5, offset=-1), [-1, 1])
    np.testing.assert_allclose(layers.floats(jnp.array([0.3])), [0.3])
