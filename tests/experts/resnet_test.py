"""Residual stages: strides, the branch beside, layouts."""

import jax.numpy as jnp
import numpy as np

from emojax.experts import layers, resnet


def _params(layout):
    """Layers that give nothing, but branches beside that pass their first channels on."""
    params = {}
    for key, shape in layout.items():
        array = np.ones(shape) if key.endswith("running_var") else np.zeros(shape)
        if "downsample.0" in key:
            array[: shape[1], :, 0, 0] = np.eye(shape[1])
        if "downsample.1.weight" in key:
            array[:] = 1
        params[key] = jnp.asarray(layers.kernels_last(key, array), jnp.float32)
    return params


def test_quiet_stages_pass_on_what_lies_beside():
    x = jnp.asarray(np.random.default_rng(0).uniform(size=(1, 6, 6, 4)), jnp.float32)
    params = _params(resnet.basic_layout("s", 8, 4))
    found = resnet.basic_stage(params, "s", x, stride=2)
    np.testing.assert_allclose(found[..., :4], x[:, ::2, ::2], rtol=1e-4)
    np.testing.assert_array_equal(found[..., 4:], 0)
    params = _params(resnet.bottleneck_layout("s", 4, 4, 3))
    found = resnet.bottleneck_stage(params, "s", x, depth=3, stride=2)
    np.testing.assert_allclose(found[..., :4], x[:, ::2, ::2], rtol=1e-4)
    assert found.shape == (1, 3, 3, 16)


def test_caffes_blocks_stride_in_their_first_convolution():
    params = dict(_params(resnet.bottleneck_layout("s", 1, 1, 1)))
    ones = {f"s.0.{part}.weight": 1.0 for part in ("bn1", "bn2", "bn3")}
    params |= {key: jnp.full(params[key].shape, value) for key, value in ones.items()}
    params["s.0.conv1.weight"] = jnp.ones((1, 1, 1, 1))
    params["s.0.conv3.weight"] = jnp.ones((1, 1, 1, 4)) * jnp.array([0.0, 1, 0, 0])
    # The middle convolution looks one pixel to the right.
    params["s.0.conv2.weight"] = jnp.zeros((3, 3, 1, 1)).at[1, 2].set(1)
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    last = resnet.bottleneck(params, "s.0", x, stride=2)[0, 0, 0, 1]
    first = resnet.bottleneck(params, "s.0", x, stride=2, stride_first=True)[0, 0, 0, 1]
    np.testing.assert_allclose([last, first], [1, 2], rtol=1e-4)


def test_a_resnet_50_has_16_blocks():
    layout = resnet.layout_50("net.")
    assert sum(key.endswith(".conv2.weight") for key in layout) == 16
    assert layout["net.layer4.0.downsample.0.weight"] == (2048, 1024, 1, 1)
    assert layout["net.layer1.1.conv1.weight"] == (64, 256, 1, 1)
