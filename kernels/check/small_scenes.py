"""Calls every device kernel once on small scenes, for compute-sanitizer or a debugger.

    compute-sanitizer --tool racecheck python kernels/check/small_scenes.py

Needs jax with CUDA (or the name of other kernels, "emulated"). Odd sizes, lists and bitmaps, three
and ten channels, both ways back, exact sums; prints the greatest number of all results, which is
finite.
"""

import os
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from emojax import native, splatting
from emojax.encoders import triplane
from tests import synthetic


def splat(scene: synthetic.Scene, capacity: int | None) -> float:
    """Returns the greatest number of a picture and all gradients."""
    tap = jnp.zeros((len(scene.means), 4))

    def loss(arrays, camera, tap):
        out = splatting.splat(
            *arrays, camera, tap=tap, depth=True, capacity=capacity, implementation="native"
        )
        return jnp.sum(out.image**2) + jnp.sum(out.depth)

    found = jax.jit(jax.value_and_grad(loss, (0, 1, 2)))(scene[:5], scene.camera, tap)
    return max(float(np.max(np.abs(x))) for x in jax.tree.leaves(found))


def encode(config: triplane.TriplaneConfig) -> float:
    """Returns the greatest number of features and both gradients."""
    tables = 1e3 * triplane.init(jax.random.key(0), config)
    points = jax.random.uniform(jax.random.key(1), (700, 3), minval=-1.1, maxval=1.1) * config.bound

    def loss(tables, points):
        return jnp.sum(triplane.encode(tables, points, config, implementation="native") ** 2)

    found = jax.jit(jax.value_and_grad(loss, (0, 1)))(tables, points)
    return max(float(np.max(np.abs(x))) for x in jax.tree.leaves(found))


def main() -> None:
    """Runs everything."""
    kernels = sys.argv[1] if len(sys.argv) > 1 else "cuda"
    hashed = triplane.TriplaneConfig(4, 2, 4, 40, 8, 0.5)
    greatest = []
    with native.use_isa(kernels):
        for backward, exact in (("pixel", "0"), ("splat", "0"), ("pixel", "1")):
            os.environ.update(EMOJAX_SPLAT_BACKWARD=backward, EMOJAX_DETERMINISTIC=exact)
            for channels, capacity in ((3, None), (10, 400)):
                scene = synthetic.scene(150, 70, 50, sigma=4.0, channels=channels)
                greatest.append(splat(scene, capacity))
            if backward == "pixel":  # the encoder has one way back
                greatest += [encode(c) for c in (triplane.TALKING_GAUSSIAN_FACE, hashed)]
    assert np.all(np.isfinite(greatest)), greatest
    print("greatest", max(greatest))


if __name__ == "__main__":
    main()
