"""Fits a cloud of Gaussians to a picture, from a random start: the smallest complete use of emojax.

    python experiments/fit_picture.py --out fit

A few seconds on two cores with the CPU kernels; prints

    fitted 400 Gaussians to 64 x 64 pixels in 300 steps, 1.0 s: 34.7 dB; see fit/sheet.png

and writes into the folder `fit`: `sheet.png` (target, rendering, four times the difference,
opacity, depth), `cloud.ply` (for any 3D Gaussian viewer) and `report.json`. Without --picture the
target is drawn by a formula: shaded shapes, edges and fine texture, no file needed.
"""

import json
import os
import pathlib
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import app, flags

from emojax import gaussians, splatting
from emojax.opencv import cv2
from emojax.types import Camera, Gaussians

_OUT = flags.DEFINE_string("out", None, "folder to write; made if absent", required=True)
_PICTURE = flags.DEFINE_string("picture", None, "picture file to fit; a drawn one by default")
_SIZE = flags.DEFINE_integer("size", 64, "side of the fitted picture, pixels", lower_bound=8)
_NUM_GAUSSIANS = flags.DEFINE_integer(
    "num_gaussians", 400, "how many Gaussians to fit", lower_bound=1
)
_STEPS = flags.DEFINE_integer("steps", 300, "optimiser steps", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "seed of the random start")
_IMPLEMENTATION = flags.DEFINE_enum(
    "implementation",
    "auto",
    ["auto", "xla", "native"],
    "who splats: kernels, plain JAX, or kernels where there are any",
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "replace files of an earlier run")

_LEARNING_RATES = {
    "means": 2e-3,
    "quaternions": 2e-2,
    "scales": 5e-2,
    "opacities": 5e-2,
    "harmonics": 2e-2,
}


def draw_target(size: int) -> np.ndarray:
    """Returns a picture with what photographs have: shading, edges, thin lines, texture.

    Args:
      size: side, pixels.

    Returns:
      [size, size, 3] in [0, 1].
    """
    v, u = (np.mgrid[:size, :size] + 0.5) / size * 2 - 1
    picture = np.stack([0.35 + 0.2 * v, 0.45 + 0.1 * u, 0.6 - 0.2 * v], axis=-1)

    def disc(cu, cv, ru, rv):
        distance = np.hypot((u - cu) / ru, (v - cv) / rv)
        return np.clip((1 - distance) * size * min(ru, rv) / 2 + 0.5, 0, 1)[..., None], distance

    inside, distance = disc(0, 0.05, 0.55, 0.75)
    light = np.clip(1.1 - 0.5 * distance - 0.25 * u, 0, 1)[..., None]
    picture += inside * (light * np.array([0.95, 0.72, 0.6]) - picture)
    for cu, cv, ru, rv, color in (
        (0, -0.62, 0.6, 0.32, (0.2, 0.13, 0.1)),
        (-0.22, -0.08, 0.12, 0.06, (0.95, 0.95, 0.95)),
        (0.22, -0.08, 0.12, 0.06, (0.95, 0.95, 0.95)),
        (-0.22, -0.08, 0.05, 0.05, (0.15, 0.25, 0.3)),
        (0.22, -0.08, 0.05, 0.05, (0.15, 0.25, 0.3)),
        (0, 0.42, 0.22, 0.07, (0.7, 0.25, 0.28)),
    ):
        picture += disc(cu, cv, ru, rv)[0] * (np.array(color) - picture)
    return np.clip(picture + 0.03 * np.sin(14 * u + 9 * np.sin(5 * v))[..., None], 0, 1)


def read_target(path: str, size: int) -> np.ndarray:
    """Returns the centre square of a picture file, [size, size, 3] in [0, 1].

    Args:
      path: any format that OpenCV reads.
      size: side, pixels.

    Raises:
      ValueError: the file is not a picture.
    """
    picture = cv2.imread(path, cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"--picture={path} is not a picture that OpenCV can read")
    side = min(picture.shape[:2])
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    square = picture[top : top + side, left : left + side]
    small = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
    return small[..., ::-1] / 255


def start(key: jax.Array, num_gaussians: int, size: int) -> tuple[Gaussians, Camera]:
    """Returns a random cloud in a thin slab one metre away, and the camera that looks at it.

    Args:
      key: consumed.
      num_gaussians: how many.
      size: of the picture, pixels.
    """
    key_means, key_colors = jax.random.split(key)
    box = jnp.array([0.25, 0.25, 0.02])
    means = jax.random.uniform(key_means, (num_gaussians, 3), minval=-box, maxval=box)
    colors = jax.random.uniform(key_colors, (num_gaussians, 3))
    cloud = gaussians.from_points(means, colors, capacity=num_gaussians, degree=0, opacity=0.5)
    camera = Camera(
        world_to_camera=jnp.eye(4).at[2, 3].set(1.0),
        focal=jnp.full(2, 2.0 * size),
        principal=jnp.full(2, size / 2),
        width=size,
        height=size,
    )
    return cloud, camera


def fit(
    cloud: Gaussians, camera: Camera, target: jax.Array, *, steps: int, implementation: str
) -> Gaussians:
    """Returns the cloud after Adam has minimised the squared error of its picture.

    Args:
      cloud: where to start.
      camera: from where the target was seen.
      target: [H, W, 3].
      steps: how many.
      implementation: of splatting.
    """
    schedule = optax.cosine_decay_schedule(1.0, steps, alpha=0.02)
    optimizer = optax.chain(
        optax.partition(
            {name: optax.adam(rate) for name, rate in _LEARNING_RATES.items()},
            {name: name for name in _LEARNING_RATES},
        ),
        optax.scale_by_schedule(schedule),
    )
    params = {name: getattr(cloud, name) for name in _LEARNING_RATES}

    def loss(params):
        out = splatting.render(cloud.replace(**params), camera, implementation=implementation)
        return jnp.mean(jnp.square(out.image - target))

    def step(carry, _):
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss)(params), state)
        return (optax.apply_updates(params, updates), state), None

    run = jax.jit(lambda carry: jax.lax.scan(step, carry, length=steps)[0])
    params, _ = run((params, optimizer.init(params)))
    return cloud.replace(**params)


def psnr(image: np.ndarray, target: np.ndarray) -> float:
    """Returns the peak signal-to-noise ratio of [0, 1] pictures, decibels.

    Args:
      image: [H, W, 3].
      target: [H, W, 3].
    """
    return float(-10 * np.log10(np.mean(np.square(np.clip(image, 0, 1) - target))))


def _write(path: pathlib.Path, data: bytes) -> None:
    """Writes a file all at once: a reader never sees half of it."""
    scratch = path.with_name(f".{path.name}.partial")
    scratch.write_bytes(data)
    os.replace(scratch, path)


def _sheet(target: np.ndarray, out) -> bytes:
    """The contact sheet as PNG bytes, each picture enlarged to at least 192 pixels."""
    depth = np.asarray(out.depth / np.maximum(out.alpha, 1e-6))
    tiles = [
        target,
        np.asarray(out.image),
        4 * np.abs(np.asarray(out.image) - target),
        np.repeat(np.asarray(out.alpha)[..., None], 3, axis=-1),
        np.repeat((depth[..., None] - 0.95) * 10, 3, axis=-1),
    ]
    factor = -(-192 // target.shape[0])
    row = np.concatenate([np.kron(x, np.ones((factor, factor, 1))) for x in tiles], axis=1)
    return cv2.imencode(".png", np.uint8(np.clip(row, 0, 1)[..., ::-1] * 255 + 0.5))[1].tobytes()


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    out = pathlib.Path(_OUT.value)
    names = ("sheet.png", "cloud.ply", "report.json")
    there = [name for name in names if (out / name).exists()]
    if there and not _OVERWRITE.value:
        sys.exit(f"--out={out} already holds {', '.join(there)}: choose another or add --overwrite")
    size = _SIZE.value
    try:
        target = read_target(_PICTURE.value, size) if _PICTURE.value else draw_target(size)
    except ValueError as error:
        sys.exit(str(error))
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"--out={out} cannot be made a folder: {error.strerror}")

    cloud, camera = start(jax.random.key(_SEED.value), _NUM_GAUSSIANS.value, size)
    begin = time.perf_counter()
    cloud = jax.block_until_ready(
        fit(
            cloud,
            camera,
            jnp.asarray(target, jnp.float32),
            steps=_STEPS.value,
            implementation=_IMPLEMENTATION.value,
        )
    )
    seconds = time.perf_counter() - begin
    rendering = splatting.render(cloud, camera, depth=True, implementation=_IMPLEMENTATION.value)
    report = {
        "psnr": psnr(np.asarray(rendering.image), target),
        "seconds_with_compilation": seconds,
        "steps": _STEPS.value,
        "num_gaussians": _NUM_GAUSSIANS.value,
        "size": size,
        "seed": _SEED.value,
        "implementation": _IMPLEMENTATION.value,
    }
    gaussians.ply.save(out / "cloud.ply", cloud, overwrite=True)
    _write(out / "sheet.png", _sheet(target, rendering))
    _write(out / "report.json", json.dumps(report, indent=2).encode() + b"\n")
    print(
        f"fitted {_NUM_GAUSSIANS.value} Gaussians to {size} x {size} pixels in {_STEPS.value} "
        f"steps, {seconds:.1f} s: {report['psnr']:.1f} dB; see {out}/sheet.png"
    )


if __name__ == "__main__":
    app.run(main)
