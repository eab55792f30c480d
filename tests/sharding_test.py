"""`shard_map` over eight devices: the same numbers as on one, and nothing gathered."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

CODE = """
import sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, PartitionSpec as P
from emojax import splatting
from emojax.encoders import triplane
from tests import synthetic

implementation, axis_type = sys.argv[1], getattr(AxisType, sys.argv[2])
mesh = jax.make_mesh((8,), ("images",), axis_types=(axis_type,))
s = synthetic.scene(50, 32, 24)
poses = jnp.stack([synthetic.camera(32, 24, seed=k).world_to_camera for k in range(8)])
config = triplane.TriplaneConfig(
    num_levels=3, num_features=2, base_resolution=4, finest_resolution=9, log2_table_size=6,
    bound=0.6,
)
tables = triplane.init(jax.random.key(0), config) * 1e3
weights = jax.random.normal(jax.random.key(1), (18, 3))


def one(pose, means, features, tables):
    codes = triplane.encode(tables, means, config, implementation=implementation)
    moved = means + 0.01 * jnp.tanh(codes @ weights)
    camera = s.camera.replace(world_to_camera=pose)
    return splatting.splat(
        moved, *s[1:4], features, camera, implementation=implementation
    ).image


batched = jax.vmap(one, in_axes=(0, None, None, None))
spec = dict(mesh=mesh, in_specs=(P("images"), P(), P(), P()), out_specs=P("images"))
sharded = jax.shard_map(batched, **spec)
arguments = (s.means, s.features, tables)
with jax.set_mesh(mesh):
    spread = jax.device_put(poses, jax.NamedSharding(mesh, P("images")))
    render = jax.jit(sharded)
    images = np.asarray(render(spread, *arguments))
    gradient = jax.jit(jax.grad(lambda a: jnp.sum(sharded(spread, *a) ** 2)))
    sharded_gradients = jax.tree.map(np.asarray, gradient(arguments))
    texts = [
        render.lower(spread, *arguments).compile().as_text(),
        gradient.lower(arguments).compile().as_text(),
    ]
np.testing.assert_allclose(images, jax.jit(batched)(poses, *arguments), atol=1e-6)
expected = jax.jit(jax.grad(lambda a: jnp.sum(batched(poses, *a) ** 2)))(arguments)
for name, a, b in zip(("means", "features", "tables"), expected, sharded_gradients):
    assert np.abs(a).max() > 0, name
    np.testing.assert_allclose(b, a, rtol=0, atol=2e-5 * np.abs(a).max(), err_msg=name)
for text in texts:
    assert "all-gather" not in text
    if implementation == "native":
        assert "emojax_splat_forward" in text
print("equal")
"""


@pytest.mark.parametrize("axis_type", ["Auto", "Explicit"])
@pytest.mark.parametrize("implementation", ["xla", "native"])
def test_eight_devices_equal_one(implementation, axis_type):
    from emojax import native

    if implementation == "native" and not native.available():
        pytest.skip("needs CPU kernels")
    done = subprocess.run(
        [sys.executable, "-c", CODE, implementation, axis_type],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        },
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "equal" in done.stdout
