"""Scenes with known properties, as NumPy arrays: the same bytes for every implementation."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from emojax.types import Camera


class Scene(NamedTuple):
    """The five differentiable arrays of `splatting.splat`, and a camera."""

    means: jax.Array
    quaternions: jax.Array
    scales: jax.Array
    opacities: jax.Array
    features: jax.Array
    camera: Camera


def camera(width, height, *, dtype=np.float32, seed=None):
    """A camera two picture widths away in focal length; with a seed, turned and off centre."""
    pose, principal = np.eye(4), np.array([width / 2, height / 2])
    if seed is not None:
        rng = np.random.default_rng(seed)
        q, _ = np.linalg.qr(rng.normal(size=(3, 3)) * 0.15 + np.eye(3))
        q *= np.sign(np.diag(q))
        pose[:3, :3], pose[:3, 3] = q, rng.normal(size=3) * 0.05
        principal = principal + rng.normal(size=2) * 3
    return Camera(
        world_to_camera=jnp.asarray(pose, dtype),
        focal=jnp.asarray([2.0 * width, 2.1 * width], dtype),
        principal=jnp.asarray(principal, dtype),
        width=width,
        height=height,
    )


def scene(
    num_gaussians, width, height, *, sigma=3.0, channels=3, seed=0, spread=0.25, dtype=np.float32
):
    """A cloud in front of the camera: sigma in pixels, spread in picture sizes."""
    rng = np.random.default_rng(seed)
    cam = camera(width, height, dtype=dtype, seed=seed)
    z = rng.uniform(1.0, 1.6, num_gaussians)
    focal = 2.0 * width
    point = np.stack(
        [
            rng.normal(size=num_gaussians) * spread * width * z / focal,
            rng.normal(size=num_gaussians) * spread * height * z / focal,
            z,
        ],
        axis=1,
    )
    pose = np.asarray(cam.world_to_camera, np.float64)
    scales = sigma * np.exp(0.5 * rng.normal(size=(num_gaussians, 3))) * z[:, None] / focal
    return Scene(
        means=jnp.asarray((point - pose[:3, 3]) @ pose[:3, :3], dtype),
        quaternions=jnp.asarray(rng.normal(size=(num_gaussians, 4)), dtype),
        scales=jnp.asarray(scales, dtype),
        opacities=jnp.asarray(1 / (1 + np.exp(-1.5 * rng.normal(size=num_gaussians))), dtype),
        features=jnp.asarray(rng.uniform(size=(num_gaussians, channels)), dtype),
        camera=cam,
    )


def head_like(num_gaussians, size, *, channels=3, seed=0, dtype=np.float32):
    """Gaussians spread over a head-shaped shell, small and flat, mostly opaque."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(num_gaussians, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius = np.array([0.075, 0.105, 0.09])
    means = direction * radius * (1 + 0.03 * rng.normal(size=(num_gaussians, 1)))
    scales = 0.004 * np.exp(0.6 * rng.normal(size=(num_gaussians, 3))) * np.array([1, 1, 0.2])
    pose = np.eye(4)
    pose[2, 3] = 0.8
    cam = Camera(
        world_to_camera=jnp.asarray(pose, dtype),
        focal=jnp.asarray([2.4 * size, 2.4 * size], dtype),
        principal=jnp.asarray([size / 2, size / 2], dtype),
        width=size,
        height=size,
    )
    return Scene(
        means=jnp.asarray(means, dtype),
        quaternions=jnp.asarray(rng.normal(size=(num_gaussians, 4)), dtype),
        scales=jnp.asarray(scales, dtype),
        opacities=jnp.asarray(rng.beta(2, 1, size=num_gaussians), dtype),
        features=jnp.asarray(rng.uniform(size=(num_gaussians, channels)), dtype),
        camera=cam,
    )


def degenerate(width=40, height=36, *, channels=3, dtype=np.float32):
    """One Gaussian for each way to be unusual; row k of `degenerate_names` says which."""
    base = scene(16, width, height, channels=channels, seed=5, spread=0.15)
    arrays = {k: np.array(getattr(base, k), np.float64) for k in Scene._fields[:5]}
    for row, (_, name, value) in enumerate(_UNUSUAL):
        if dtype == np.float64 and isinstance(value, float) and 1e9 < value < np.inf:
            value = value**8  # it overflows there too
        arrays[name][row] = value
    arrays["means"][15] = arrays["means"][14]  # two at one place and depth
    return Scene(
        *(jnp.asarray(arrays[k], dtype) for k in Scene._fields[:5]),
        camera(width, height, dtype=dtype, seed=5),
    )


_UNUSUAL = (
    ("NaN mean", "means", np.nan),
    ("infinite scale", "scales", np.inf),
    ("zero quaternion", "quaternions", 0.0),
    ("NaN feature", "features", np.nan),
    ("zero scale", "scales", 0.0),
    ("huge scale", "scales", 1e30),
    ("behind", "means", (0.0, 0.0, -2.0)),
    ("zero opacity", "opacities", 0.0),
    ("NaN opacity", "opacities", np.nan),
    ("opacity above one", "opacities", 1.7),
    ("denormal scale", "scales", 1e-40),
    ("negative scale", "scales", -0.01),
    ("scale whose determinant overflows", "scales", 1e10),
    ("quaternion whose length overflows", "quaternions", 1e25),
)
degenerate_names = tuple(name for name, _, _ in _UNUSUAL)
DEAD_ROWS = tuple(
    row
    for row, (name, _, _) in enumerate(_UNUSUAL)
    if name
    in (
        "NaN mean", "infinite scale", "zero quaternion", "NaN feature", "huge scale", "behind",
        "zero opacity", "NaN opacity", "scale whose determinant overflows",
        "quaternion whose length overflows",
    )
)  # fmt: skip
