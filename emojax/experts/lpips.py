"""LPIPS 0.1 (Zhang et al. 2018): how different two pictures look to people, by AlexNet or VGG-16.

The weights are two files of others. `experiments/convert.py` gathers them into one, or, where torch
is, these lines do, under their own names:

    import lpips, numpy, torch, torchvision
    trunk = torchvision.models.alexnet(weights="IMAGENET1K_V1").state_dict()
    lin = torch.load(lpips.__path__[0] + "/weights/v0.1/alex.pth")
    numpy.savez("lpips_alex.npz", **{k: v.numpy() for k, v in {**trunk, **lin}.items()})

Pictures of `distance` are [..., H, W, 3] RGB floats, 0 to 1; those of `forward` are the original's,
[B, 3, H, W] from -1 to 1. Parameters are a dictionary of arrays as in the file, but kernels
[h, w, in, out]; which trunk they are of, they say themselves.
"""

from __future__ import annotations

import functools
import os
import pathlib
import zipfile
from collections.abc import Container, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from emojax import numerics
from emojax.experts import inputs, layers, spec
from emojax.experts.checkpoint import safetensors
from emojax.experts.layers import Params
from emojax.experts.layers import fingerprint as fingerprint

# Of pictures from -1 to 1; the means and deviations of ImageNet in these units.
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
EPSILON = 1e-10  # added to a feature vector's length
MIN_SIDE = 31  # smaller pictures leave AlexNet's last pooling nothing
VGG_MIN_SIDE = 16

# Index of each convolution in torchvision's `features`: (out, in, kernel, stride, padding).
_ALEX = {
    0: (64, 3, 11, 4, 2),
    3: (192, 64, 5, 1, 2),
    6: (384, 192, 3, 1, 1),
    8: (256, 384, 3, 1, 1),
    10: (256, 256, 3, 1, 1),
}
_VGG_WIDTHS = {
    0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256),
    14: (256, 256), 17: (512, 256), 19: (512, 512), 21: (512, 512), 24: (512, 512),
    26: (512, 512), 28: (512, 512),
}  # fmt: skip
_VGG_KEY = "features.2.weight"  # AlexNet has a pool there


class Trunk(NamedTuple):
    """A stack of convolutions.

    Attributes:
      convs: place in torchvision's `features` -> (out, in, kernel, stride, padding).
      min_side: of pictures.
      pool: side of its max pools, of stride 2.
      pooled_before: the layers that pools come before.
      compared: the layers whose rectified outputs are compared.
    """

    convs: Mapping[int, tuple[int, ...]]
    min_side: int
    pool: int
    pooled_before: tuple[int, ...]
    compared: tuple[int, ...]


_TRUNKS = {
    "alex": Trunk(_ALEX, MIN_SIDE, 3, (3, 6), tuple(_ALEX)),
    "vgg": Trunk(
        {place: (*widths, 3, 1, 1) for place, widths in _VGG_WIDTHS.items()},
        VGG_MIN_SIDE,
        2,
        (5, 10, 17, 24),
        (2, 7, 14, 21, 28),
    ),
}


def trunk_of(names: Container[str]) -> Trunk:
    """Returns the trunk that parameters of these `names` are of."""
    return _TRUNKS["vgg" if _VGG_KEY in names else "alex"]


def layout(shapes: spec.Shapes, *, trunk: str) -> spec.Shapes:
    """Returns every array that the files must have, as PyTorch stores it.

    Args:
      shapes: of the file; they do not matter.
      trunk: "alex" or "vgg".
    """
    del shapes
    found: dict[str, spec.Shape] = {}
    table = _TRUNKS[trunk]
    for place, (out, inside, kernel, *_) in table.convs.items():
        found |= spec.conv(f"features.{place}", out, inside, kernel)
    for i, place in enumerate(table.compared):
        found[f"lin{i}.model.1.weight"] = (1, table.convs[place][0], 1, 1)
    return found


def load(path: str | os.PathLike) -> Params:
    """Reads the weights.

    Args:
      path: of the .npz that the module's text tells how to make, where other arrays are ignored,
        or of the .safetensors that `experiments/convert.py` writes.

    Raises:
      ValueError: the file is absent or no .npz, or arrays are missing or have other shapes.
    """
    if pathlib.Path(path).suffix == ".safetensors":
        return from_official(safetensors.read(path)[0])
    try:
        with np.load(pathlib.Path(path), allow_pickle=False) as file:
            arrays = dict(file)
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
    shapes = layout({}, trunk="vgg" if _VGG_KEY in arrays else "alex")
    if missing := [name for name in shapes if name not in arrays]:
        raise ValueError(
            f"LPIPS weights lack {', '.join(missing)}: the file needs torchvision's AlexNet or "
            "VGG-16 (features.*) and LPIPS' own layers (lin*), see emojax/experts/lpips.py"
        )
    params = {}
    for name, shape in shapes.items():
        array = np.asarray(arrays[name], np.float32)
        if array.shape != shape:
            raise ValueError(f"{name} of LPIPS is {shape}, not {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} of LPIPS holds numbers that are not finite")
        params[name] = jnp.asarray(layers.kernels_last(name, array))
    return params


def distance(params: Params, image: jax.Array, target: jax.Array) -> jax.Array:
    """Returns how different pictures look, 0 for equal ones (Zhang et al. 2018, Eq. 1).

    Args:
      params: of `load`.
      image: [..., H, W, 3], 0 to 1.
      target: [..., H, W, 3], 0 to 1.

    Returns:
      [...].

    Raises:
      ValueError: the pictures are too small for the trunk.
    """
    return sum(layer_distances(params, image, target))


def layer_distances(params: Params, image: jax.Array, target: jax.Array) -> list[jax.Array]:
    """Returns the five layers' shares of `distance`, each [...].

    Args:
      params: of `load`.
      image: [..., H, W, 3], 0 to 1.
      target: [..., H, W, 3], 0 to 1.
    """
    return _compare(params, features(params, image), features(params, target))


def features(params: Params, image: jax.Array) -> list[jax.Array]:
    """Returns the trunk's five rectified feature maps, before pooling, [..., h, w, C] each.

    Args:
      params: of `load`.
      image: [..., H, W, 3], 0 to 1.
    """
    batch = image.reshape(-1, *image.shape[-3:])
    maps = _features(params, 2 * batch - 1)
    return [found.reshape(*image.shape[:-3], *found.shape[1:]) for found in maps]


def forward(params: Params, image0: jax.Array, image1: jax.Array) -> spec.Outputs:
    """Returns the original's outputs.

    Args:
      params: of the network.
      image0: [B, 3, H, W] RGB, -1 to 1, or uint8.
      image1: of the same shape.
    """
    image0 = inputs.array("image0", image0, ("B", 3, "H", "W"))
    image1 = inputs.array("image1", image1, image0.shape)
    first, second = (
        _features(params, layers.channels_last(layers.floats(image, scale=127.5, offset=-1.0)))
        for image in (image0, image1)
    )
    shares = jnp.stack(_compare(params, first, second))
    return {
        "distance": jnp.sum(shares, axis=0)[:, None, None, None],
        "per_layer": shares,
        **{
            f"mid.relu_feature{i}_of_image0": layers.channels_first(found)
            for i, found in enumerate(first)
        },
    }


def _features(params: Params, batch: jax.Array) -> list[jax.Array]:
    """The trunk's maps of pictures [B, H, W, 3] from -1 to 1."""
    height, width = batch.shape[1:3]
    trunk, maps = trunk_of(params), []
    side = trunk.min_side
    if min(height, width) < side:
        raise ValueError(f"LPIPS needs {side} x {side} pixels, not {height} x {width}")
    shift, scale = (jnp.array(values, batch.dtype) for values in (SHIFT, SCALE))
    x = (batch - shift) / scale
    for place, (*_, stride, padding) in trunk.convs.items():
        if place in trunk.pooled_before:
            x = layers.max_pool(x, trunk.pool, stride=2)
        x = layers.conv(params, f"features.{place}", x, stride=stride, padding=padding)
        x = jax.nn.relu(x)
        if place in trunk.compared:
            maps.append(x)
    return maps


def _compare(params: Params, first: list[jax.Array], second: list[jax.Array]) -> list[jax.Array]:
    """The layers' shares of the distance, each [...]."""
    shares = []
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        difference = jnp.square(_unit(a) - _unit(b))
        weights = params[f"lin{i}.model.1.weight"][0, 0]
        shares.append(layers.product("...c,co->...o", difference, weights)[..., 0].mean((-1, -2)))
    return shares


def _unit(vectors: jax.Array) -> jax.Array:
    """Vectors over their length, which the original lengthens by epsilon; 0 stays 0."""
    squared = jnp.sum(vectors * vectors, axis=-1, keepdims=True)
    return vectors / (numerics.safe_sqrt(squared) + EPSILON)


def _normalized(params: Params, _: spec.Outputs, image0: jax.Array, image1: jax.Array) -> jax.Array:
    """The distance [B, 1, 1, 1] of pictures from 0 to 1 (normalize=True)."""
    pair = (layers.channels_last(layers.floats(image)) for image in (image0, image1))
    return distance(params, *pair)[:, None, None, None]


SPECS = tuple(
    spec.Spec(
        name=f"lpips_{trunk}",
        task=f"how different two pictures look to people, by {title}",
        inputs={
            "image0": "[B, 3, H, W] RGB, -1 to 1, or uint8",
            "image1": "[B, 3, H, W] RGB, -1 to 1, or uint8",
        },
        outputs={
            "distance": "[B, 1, 1, 1], 0 for equal pictures",
            "per_layer": "[5, B] shares, whose sum is the distance",
        },
        # Of pictures from 0 to 1: another reading of the same inputs.
        extras={"distance_normalize_flag": spec.Extra(_normalized, inputs=2, is_asked=True)},
        forward=forward,
        layout=functools.partial(layout, trunk=trunk),
        ignored=("classifier.*", "scaling_layer.*"),
        # A whole LPIPS module has its own layers twice, and the trunk in slices.
        renames=((r"^net\.slice\d+\.(\d+)\.", r"features.\1."), (r"^lins\.(\d+)\.", r"lin\1.")),
        official=f"{file} of torchvision, and weights/v0.1/{trunk}.pth of "
        "https://github.com/richzhang/PerceptualSimilarity",
        licence="BSD-2-Clause (LPIPS), BSD-3-Clause (torchvision); trained on ImageNet",
        gradients="to both pictures",
    )
    for trunk, title, file in (
        ("alex", "AlexNet", "alexnet-owt-7be5be79.pth"),
        ("vgg", "VGG-16", "vgg16-397923af.pth"),
    )
)
