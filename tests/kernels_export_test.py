"""What other machines are given: programs for a TPU, and calls of the GPU's kernels."""

import re

import jax
import jax.numpy as jnp
import jaxlib
import pytest

from emojax import caches, native, native_build, splatting
from emojax.encoders import triplane
from tests import synthetic

SCENE = synthetic.scene(40, 40, 24)
GRID = triplane.TriplaneConfig(
    num_levels=3, num_features=2, base_resolution=4, finest_resolution=9, log2_table_size=6,
    bound=0.6,
)  # fmt: skip


def _step(means, tables, pose):
    """A head in small: encoded points are moved, drawn and compared; with all gradients."""

    def loss(means, tables, pose):
        codes = triplane.encode(tables, means, GRID, implementation="xla")
        moved = means + jnp.tanh(codes[:, :3])
        camera = SCENE.camera.replace(world_to_camera=pose)
        out = splatting.splat(moved, *SCENE[1:5], camera, depth=True, implementation="xla")
        return jnp.mean(out.image**2) + jnp.mean(out.depth)

    return jax.value_and_grad(loss, (0, 1, 2))(means, tables, pose)


def _arguments(*lead):
    tables = triplane.init(jax.random.key(0), GRID)
    shapes = (SCENE.means, tables, SCENE.camera.world_to_camera)
    return [jax.ShapeDtypeStruct((*lead, *x.shape), x.dtype) for x in shapes]


@pytest.mark.parametrize("batch", [(), (4,)], ids=["one", "batch"])
def test_the_xla_form_is_compiled_for_a_tpu(batch):
    step = jax.vmap(_step) if batch else _step
    exported = jax.export.export(jax.jit(step), platforms=["tpu"])(*_arguments(*batch))
    assert exported.platforms == ("tpu",)
    text = exported.mlir_module()
    # Shapes are static, and nothing foreign is called.
    assert "?x" not in text
    assert "emojax_" not in text


def test_products_are_pinned_to_the_highest_precision():
    # A TPU's default takes products of float32 in bfloat16: a pixel off at 500.
    exported = jax.export.export(jax.jit(_step), platforms=["tpu"])(*_arguments())
    products = re.findall(r"stablehlo\.dot_general.*", exported.mlir_module())
    assert products
    for product in products:
        assert "precision = [HIGHEST, HIGHEST]" in product, product


def test_a_gpu_is_given_calls_of_its_kernels():
    folders = (native._package_folder(), caches.user_folder())
    libraries = (native_build.libraries("cuda", f, jaxlib.__version__) for f in folders)
    if not any(path.exists() for paths in libraries for path in paths):
        pytest.skip("the CUDA kernels are not built on this machine (EMOJAX_CUDA=1 pip install .)")

    def step(means, tables, pose):
        def loss(means, tables, pose):
            codes = triplane.encode(tables, means, GRID, implementation="native")
            camera = SCENE.camera.replace(world_to_camera=pose)
            moved = means + jnp.tanh(codes[:, :3])
            out = splatting.splat(moved, *SCENE[1:5], camera, implementation="native")
            return jnp.mean(out.image**2)

        return jax.value_and_grad(loss, (0, 1, 2))(means, tables, pose)

    names = [f"emojax_{operation}" for operation in native.OPERATIONS]
    allowed = [jax.export.DisabledSafetyCheck.custom_call(name) for name in names]
    with native.use_isa("cuda"):
        exported = jax.export.export(
            jax.jit(jax.vmap(step)), platforms=["cuda"], disabled_checks=allowed
        )(*_arguments(4))
    text = exported.mlir_module()
    for name in names:
        assert len(re.findall(rf"@{name}\(", text)) == 1, f"{name}: one launch for the batch"
