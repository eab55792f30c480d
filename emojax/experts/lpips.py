"""LPIPS 0.1 with AlexNet (Zhang et al. 2018): how different two pictures look to people.

The weights are two files of others, gathered once into an .npz under their own names:

    import lpips, numpy, torch, torchvision
    trunk = torchvision.models.alexnet(weights="IMAGENET1K_V1").state_dict()
    lin = torch.load(lpips.__path__[0] + "/weights/v0.1/alex.pth")
    numpy.savez("lpips_alex.npz", **{k: v.numpy() for k, v in {**trunk, **lin}.items()})

Pictures are [..., H, W, 3] RGB floats, 0 to 1, of at least `MIN_SIDE` pixels; the original's run
from -1 to 1. Parameters are a dictionary of arrays as in the file, but kernels [h, w, in, out].
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import zipfile
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from emojax import numerics

Params = Mapping[str, jax.Array]

# Of pictures from -1 to 1; the means and deviations of ImageNet in these units.
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
EPSILON = 1e-10  # added to a feature vector's length
MIN_SIDE = 31  # smaller pictures leave the last pooling nothing

# Index in torchvision's `features`: (stride, padding); the 3 x 3 max pools of stride 2 come before.
_LAYERS = {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}
_POOLED_BEFORE = (3, 6)
_SHAPES = {
    0: (64, 3, 11, 11),
    3: (192, 64, 5, 5),
    6: (384, 192, 3, 3),
    8: (256, 384, 3, 3),
    10: (256, 256, 3, 3),
}


def _shapes() -> dict[str, tuple[int, ...]]:
    """Every array that the file must have, as PyTorch stores it."""
    shapes: dict[str, tuple[int, ...]] = {}
    for i, (layer, shape) in enumerate(_SHAPES.items()):
        shapes[f"features.{layer}.weight"] = shape
        shapes[f"features.{layer}.bias"] = shape[:1]
        shapes[f"lin{i}.model.1.weight"] = (1, shape[0], 1, 1)
    return shapes


def load(path: str | os.PathLike) -> Params:
    """Reads the weights.

    Args:
      path: of the .npz that the module's text tells how to make; other arrays in it are ignored.

    Raises:
      ValueError: the file is absent or no .npz, or arrays are missing or have other shapes.
    """
    try:
        with np.load(pathlib.Path(path), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name in _shapes()}
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} holds no LPIPS weights: {error}") from error
    return from_official(arrays)


def from_official(arrays: Mapping[str, np.ndarray]) -> Params:
    """Returns parameters from arrays under the names and in the layout of the official files.

    Args:
      arrays: by name; others than those needed are ignored.

    Raises:
      ValueError: arrays are missing, have other shapes, or hold numbers that are not finite.
    """
    shapes = _shapes()
    if missing := [name for name in shapes if name not in arrays]:
        raise ValueError(
            f"LPIPS weights lack {', '.join(missing)}: the file needs torchvision's AlexNet "
            "(features.*) and LPIPS' own layers (lin*), see emojax/experts/lpips.py"
        )
    params = {}
    for name, shape in shapes.items():
        array = np.asarray(arrays[name], np.float32)
        if array.shape != shape:
            raise ValueError(f"{name} of LPIPS is {shape}, not {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} of LPIPS holds numbers that are not finite")
        params[name] = jnp.asarray(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array)
    return params


def fingerprint(params: Params) -> str:
    """Returns 12 digits that name these params, for reports."""
    digest = hashlib.sha256()
    for name in sorted(params):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(params[name]).tobytes())
    return digest.hexdigest()[:12]


def distance(params: Params, image: jax.Array, target: jax.Array) -> jax.Array:
    """Returns how different pictures look, 0 for equal ones (Zhang et al. 2018, Eq. 1).

    Args:
      params: of `load`.
      image: [..., H, W, 3], 0 to 1.
      target: [..., H, W, 3], 0 to 1.

    Returns:
      [...].

    Raises:
      ValueError: the pictures are smaller than `MIN_SIDE`.
    """
    return sum(layer_distances(params, image, target))


def layer_distances(params: Params, image: jax.Array, target: jax.Array) -> list[jax.Array]:
    """Returns the five layers' shares of `distance`, each [...].

    Args:
      params: of `load`.
      image: [..., H, W, 3], 0 to 1.
      target: [..., H, W, 3], 0 to 1.
    """
    pairs = zip(features(params, image), features(params, target), strict=True)
    shares = []
    for i, (a, b) in enumerate(pairs):
        difference = jnp.square(_unit(a) - _unit(b))
        weights = params[f"lin{i}.model.1.weight"][0, 0]
        shares.append(jnp.matmul(difference, weights, precision="highest")[..., 0].mean((-1, -2)))
    return shares


def features(params: Params, image: jax.Array) -> list[jax.Array]:
    """Returns AlexNet's five rectified feature maps, before pooling, [..., h, w, C] each.

    Args:
      params: of `load`.
      image: [..., H, W, 3], 0 to 1.
    """
    height, width = image.shape[-3:-1]
    if min(height, width) < MIN_SIDE:
        raise ValueError(f"LPIPS needs {MIN_SIDE} x {MIN_SIDE} pixels, not {height} x {width}")
    shift, scale = (jnp.array(values, image.dtype) for values in (SHIFT, SCALE))
    x = (2 * image.reshape(-1, height, width, 3) - 1 - shift) / scale
    maps = []
    for layer, (stride, padding) in _LAYERS.items():
        if layer in _POOLED_BEFORE:
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "valid")
        x = jax.lax.conv_general_dilated(
            x,
            params[f"features.{layer}.weight"],
            (stride, stride),
            [(padding, padding)] * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision="highest",
        )
        x = jax.nn.relu(x + params[f"features.{layer}.bias"])
        maps.append(x.reshape(*image.shape[:-3], *x.shape[1:]))
    return maps


def _unit(vectors: jax.Array) -> jax.Array:
    """Vectors over their length, which the original lengthens by epsilon; 0 stays 0."""
    squared = jnp.sum(vectors * vectors, axis=-1, keepdims=True)
    return vectors / (numerics.safe_sqrt(squared) + EPSILON)
