"""StyleGAN2 in rosinality's key layout: the decoder in e4e's file, EmoStyle's own class.

Takes codes W+ [B, n, 512], 18 of them at 1024 pixels; as Generator([codes], input_is_latent=True,
randomize_noise=False). Sides, channels and filters are read from the file.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from emojax.experts import inputs, layers, spec, stylegan2
from emojax.experts.layers import Params
from emojax.experts.stylegan2 import Affine, StyledConv, ToRGB


def generator(params: Params) -> stylegan2.Generator:
    """Returns the synthesis network of prepared `params`."""
    convs, to_rgbs = [], []
    for i in range(num_convs(params)):
        layer = "conv1" if i == 0 else f"convs.{i - 1}"
        fir = _fir(params, f"{layer}.conv.blur") if i % 2 == 1 else None
        convs.append(
            StyledConv(
                params[f"{layer}.conv.weight"],
                _affine(params, f"{layer}.conv.modulation"),
                params[f"{layer}.activate.bias"],
                params[f"noises.noise_{i}"],
                params[f"{layer}.noise.weight"][0],
                fir,
            )
        )
        if i % 2 == 0:
            layer = "to_rgb1" if i == 0 else f"to_rgbs.{i // 2 - 1}"
            affine = _affine(params, f"{layer}.conv.modulation")
            bias, fir = params[f"{layer}.bias"], _fir(params, f"{layer}.upsample")
            to_rgbs.append(ToRGB(params[f"{layer}.conv.weight"], affine, bias, fir))
    return stylegan2.Generator(params["input.input"], convs, to_rgbs)


def forward(params: Params, wplus: jax.Array) -> spec.Outputs:
    """Returns the picture of codes.

    Args:
      params: of the network.
      wplus: [B, n, 512].
    """
    network = generator(params)
    made = stylegan2.synthesize(network, _codes(network, wplus))
    names = ["conv1", *(f"convs_{i}" for i in range(len(made.convs) - 1))]
    mid = dict(zip(names, made.convs, strict=True))
    mid |= {f"{name}_conv_after_blur": x for name, x in zip(names, made.before, strict=True)}
    mid |= {f"to_rgbs_{i - 1}" if i else "to_rgb1": rgb for i, rgb in enumerate(made.rgbs)}
    return {
        "image": made.image,
        **{f"mid.{name}": layers.channels_first(value) for name, value in mid.items()},
    }


def mapping(params: Params, z: jax.Array) -> jax.Array:
    """Returns codes in W of normal noise, [B, 512].

    Args:
      params: of the network.
      z: [B, 512].
    """
    z = inputs.array("z", z, ("B", params["style.1.weight"].shape[1]))
    dense = [_affine(params, f"style.{i}") for i in range(1, num_dense(params) + 1)]
    return stylegan2.mapping(dense, z)


def num_convs(shapes: spec.Shapes) -> int:
    """Returns the number of a file's convolutions; that of 1024 pixels where it has none.

    Args:
      shapes: of the file, or its parameters.
    """
    count = 0
    while f"convs.{count}.conv.weight" in shapes:
        count += 1
    largest = stylegan2.num_styles(stylegan2.LARGEST_SIDE)
    return min(count // 2 * 2 + 1, largest - 1) if count else largest - 1


def num_dense(shapes: spec.Shapes) -> int:
    """Returns the number of layers of a file's mapping, 8 where it has none.

    Args:
      shapes: of the file, or its parameters.
    """
    count = 0
    while f"style.{count + 1}.weight" in shapes:
        count += 1
    return count or stylegan2.MAPPING_LAYERS


def layout(shapes: spec.Shapes) -> spec.Shapes:
    """Returns the layout at the file's side, with its channels.

    Args:
      shapes: of the file.
    """
    latent = stylegan2.LATENT
    found: dict[str, spec.Shape] = {}
    for i in range(num_dense(shapes)):
        found |= spec.dense(f"style.{i + 1}", latent, latent)
    inside = _width(shapes, "conv1", 2, stylegan2.channels(4))
    found["input.input"] = (1, inside, 4, 4)
    for i in range(num_convs(shapes)):
        layer = "conv1" if i == 0 else f"convs.{i - 1}"
        side = 4 << (i + 1) // 2
        out = _width(shapes, layer, 1, stylegan2.channels(side))
        found[f"{layer}.conv.weight"] = (1, out, inside, 3, 3)
        if i % 2 == 1:
            found[f"{layer}.conv.blur.kernel"] = (4, 4)
        found |= spec.dense(f"{layer}.conv.modulation", inside, latent)
        found |= {f"{layer}.noise.weight": (1,), f"{layer}.activate.bias": (out,)}
        found[f"noises.noise_{i}"] = (1, 1, side, side)
        inside = out
        if i % 2 == 0:
            layer = "to_rgb1" if i == 0 else f"to_rgbs.{i // 2 - 1}"
            found |= {f"{layer}.bias": (1, 3, 1, 1), f"{layer}.conv.weight": (1, 3, out, 1, 1)}
            found |= spec.dense(f"{layer}.conv.modulation", out, latent)
            if i:
                found[f"{layer}.upsample.kernel"] = (4, 4)
    return found


def prepare(name: str, array: np.ndarray) -> np.ndarray:
    """Returns an array without the axes of length one that the file has.

    Args:
      name: its key.
      array: of the file. Kernels become [h, w, in, out], scaled as the original scales them at run
        time: epsilon counts then as there.
    """
    if name.startswith("noises."):
        return array[0, 0]
    if name == "input.input":
        return np.moveaxis(array[0], 0, -1)
    if name.endswith(".conv.weight"):
        kernel = np.ascontiguousarray(np.moveaxis(array[0], (0, 1), (-1, -2)))
        # Layers that add to the picture are scaled by their styles, in both layouts.
        return kernel if "to_rgb" in name else kernel / math.sqrt(math.prod(array.shape[2:]))
    return array.reshape(-1) if name.endswith(".bias") else array


def _width(shapes: spec.Shapes, name: str, axis: int, usual: int) -> int:
    """Channels of a convolution of the file."""
    shape = shapes.get(f"{name}.conv.weight", ())
    return shape[axis] if len(shape) == 5 else usual


def _affine(params: Params, name: str) -> Affine:
    """A dense layer."""
    return Affine(params[f"{name}.weight"], params[f"{name}.bias"])


def _fir(params: Params, name: str) -> jax.Array:
    """The filter of a layer, which is optional; the stored one holds the gain of 4."""
    stored = params.get(f"{name}.kernel")
    return jnp.asarray(stylegan2.USUAL_FIR) if stored is None else stored / 4


def _codes(network: stylegan2.Generator, wplus: jax.Array) -> jax.Array:
    """Checked codes."""
    return inputs.array("wplus", wplus, ("B", len(network.convs) + 1, stylegan2.LATENT))


def _mapped(params: Params, _: spec.Outputs, __: jax.Array, z: jax.Array) -> jax.Array:
    """Codes of noise."""
    return mapping(params, z)


def _truncated(
    params: Params, _: spec.Outputs, __: jax.Array, z: jax.Array, latent_avg: jax.Array
) -> jax.Array:
    """The picture of noise, its code drawn towards the mean one."""
    code = stylegan2.truncate(mapping(params, z), jnp.asarray(latent_avg))
    network = generator(params)
    codes = jnp.repeat(code[:, None], len(network.convs) + 1, axis=1)
    return stylegan2.synthesize(network, codes).image


SPEC = spec.Spec(
    name="stylegan2_rosinality",
    task="pictures of faces from latent codes (rosinality's layout)",
    inputs={"wplus": "[B, n, 512] in W+, n = 18 at 1024 pixels"},
    further={"z": "[B, 512] normal noise", "latent_avg": "[1, 512] the mean code"},
    outputs={"image": "[B, 3, S, S] RGB, about -1 to 1"},
    extras={
        "mapped_w": spec.Extra(_mapped, inputs=2),
        f"image_truncated_{stylegan2.TRUNCATION}": spec.Extra(_truncated, inputs=3),
    },
    forward=forward,
    layout=layout,
    prepare=prepare,
    prefixes=("decoder.",),
    optional=("style.*", "*.blur.kernel", "*.upsample.kernel"),
    official="e4e_ffhq_encode.pt of https://github.com/omertov/encoder4editing (its decoder)",
    licence="NVIDIA Source Code License: no commercial use",
    gradients="to the codes",
)
