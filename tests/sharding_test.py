"""`shard_map` over eight devices: the same numbers as on one, and nothing gathered."""

import os
import pathlib
import subprocess
import sys

import pytest

from emojax import native

ROOT = pathlib.Path(__file__).resolve().parent.parent

CODE = """
import sys
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, PartitionSpec as P
from emojax import native, splatting
from emojax.encoders import triplane
from tests import synthetic

implementation, isa = sys.argv[1:]
if isa != "usual":
    native.use_isa(isa).__enter__()
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


def step(draw, shared, poses):
    def loss(shared):
        images = draw(poses, *shared)
        return jnp.sum(images ** 2), images

    return jax.grad(loss, has_aux=True)(shared)


batched = jax.vmap(one, in_axes=(0, None, None, None))
shared = s.means, s.features, tables
expected, images = jax.jit(lambda *a: step(batched, *a))(shared, poses)
for name in ("Auto", "Explicit"):
    mesh = jax.make_mesh((8,), ("images",), axis_types=(getattr(AxisType, name),))
    spec = dict(mesh=mesh, in_specs=(P("images"), P(), P(), P()), out_specs=P("images"))
    sharded = jax.shard_map(batched, **spec)
    with jax.set_mesh(mesh):
        place = lambda x, spec: jax.device_put(x, jax.NamedSharding(mesh, spec))
        arguments = jax.tree.map(lambda x: place(x, P()), shared), place(poses, P("images"))
        run = jax.jit(lambda *a: step(sharded, *a)).lower(*arguments).compile()
        gradients, got = run(*arguments)
        texts = [run.as_text()]
        if implementation == "native":  # what is drawn alone keeps less
            draw = jax.jit(sharded).lower(arguments[1], *arguments[0]).compile()
            np.testing.assert_array_equal(draw(arguments[1], *arguments[0]), got)
            texts.append(draw.as_text())
    np.testing.assert_allclose(got, images, atol=1e-6)
    for field, a, b in zip(("means", "features", "tables"), expected, gradients):
        assert np.abs(a).max() > 0, field
        np.testing.assert_allclose(b, a, rtol=0, atol=2e-5 * np.abs(a).max(), err_msg=field)
    for text in texts:
        assert "all-gather" not in text
        assert ("emojax_splat_forward" in text) == (implementation == "native")
    print(name, "axes: equal")
"""


def assert_eight_devices_equal_one(implementation, isa):
    """Runs the code above in a program of its own, with eight devices."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, implementation, isa],
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
    assert done.stdout.splitlines() == ["Auto axes: equal", "Explicit axes: equal"]


@pytest.mark.parametrize("implementation", ["xla", "native"])
def test_eight_devices_equal_one(implementation):
    if implementation == "native" and not native.available():
        pytest.skip("needs CPU kernels")
    assert_eight_devices_equal_one(implementation, "usual")
