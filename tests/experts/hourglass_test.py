"""The trunk of EmoNet and FAN: shapes, pools, the block's branches."""

import jax
import jax.numpy as jnp
import numpy as np

from emojax.experts import hourglass, layers
from tests.experts import golden


def _params(layout, draw):
    return {
        key: jnp.asarray(layers.kernels_last(key, draw(key, shape)), jnp.float32)
        for key, shape in layout.items()
    }


def _quiet(key, shape):
    """A network that gives its biases only."""
    return np.ones(shape) if key.endswith("running_var") else np.zeros(shape)


def test_pools_differ():
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(hourglass.maximum(x)[0, :, :, 0], [[5, 7], [13, 15]])
    np.testing.assert_array_equal(hourglass.mean(x)[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])


def test_a_quiet_block_is_the_identity_where_widths_agree():
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 8)).astype(np.float32)
    params = _params(hourglass.block_layout("b", 8, 8), _quiet)
    np.testing.assert_array_equal(hourglass.block(params, "b", x), x)
    wider = _params(hourglass.block_layout("b", 16, 8), _quiet)
    np.testing.assert_array_equal(hourglass.block(wider, "b", x), np.zeros((1, 4, 4, 16)))


def test_a_quiet_hourglass_adds_every_scale():
    layout = {k: v for k, v in hourglass.layout(1).items() if k.startswith("m0.")}
    params = _params(layout, _quiet)
    x = jnp.ones((1, 16, 16, hourglass.FEATURES))
    # Itself, and once more from each of the four halved maps.
    run = golden.jitted(lambda params, x: hourglass.hourglass(params, "m0", x, hourglass.mean))
    np.testing.assert_array_equal(run(params, x), 5 * x)


def test_each_module_gives_heat_maps():
    for count in (1, 3):
        params = jax.eval_shape(lambda c=count: _params(hourglass.layout(c), _quiet))
        x = jax.ShapeDtypeStruct((2, 64, 64, 256), jnp.float32)
        maps = jax.eval_shape(
            lambda p, x, c=count: hourglass.stack(p, x, hourglass.mean, c), params, x
        )
        assert sum(name.startswith("heatmap") for name in maps) == count
        assert maps[f"heatmap{count - 1}"].shape == (2, 64, 64, 68)
