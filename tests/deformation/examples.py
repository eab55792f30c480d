"""Small clouds, conditions and networks with weights that are far from zero."""

import jax
import jax.numpy as jnp
import numpy as np

from emojax.encoders import TriplaneConfig
from emojax.types import Condition

GRID = TriplaneConfig(
    num_levels=3,
    num_features=2,
    base_resolution=4,
    finest_resolution=9,
    log2_table_size=10,
    bound=0.15,
)


def means(num, *, seed=0, half_size=0.14, dtype=np.float32):
    """Returns points [num, 3], all inside of the encoder's cube by default."""
    points = np.random.default_rng(seed).uniform(-half_size, half_size, (num, 3))
    return jnp.asarray(points, dtype)


def condition(*batch, window=(16, 29), seed=0, dtype=np.float32):
    """Returns a condition, or a batch of them."""
    rng = np.random.default_rng(seed)
    return Condition(
        audio=jnp.asarray(rng.normal(size=(*batch, 8, *window)), dtype),
        action_units=jnp.asarray(rng.uniform(0, 2, (*batch, 6)), dtype),
    )


def fill(module, *inputs):
    """Returns variables of a module, larger than at the start, without compiling its `init`."""
    rng = np.random.default_rng(0)

    def draw(shape):
        # Bias-only sums would hide the inputs: weights are twice PyTorch's, biases a tenth.
        limit = 2 * np.prod(shape[:-1]) ** -0.5 if len(shape) > 1 else 0.1
        return jnp.asarray(rng.uniform(-limit, limit, shape), np.float32)

    shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    return jax.tree.map(lambda x: draw(x.shape), shapes)


def variables(network, *, window=(16, 29)):
    """Returns variables of a motion network, its tables as large as training makes them."""
    made = fill(network, means(1), condition(window=window))
    tables = made["params"]["tables"]
    values = np.random.default_rng(1).uniform(-1, 1, tables.shape)
    made["params"]["tables"] = jnp.asarray(values, np.float32)
    return made
