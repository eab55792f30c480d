"""StyleGAN2 in the key layout of NVIDIA's stylegan2-ada-pytorch: `ffhq.pkl`, which EmoStyle loads.

Takes codes W+ [B, n, 512], 18 of them at 1024 pixels; as synthesis(ws, noise_mode="const",
force_fp32=True) of a file that does not clamp (conv_clamp None, as `ffhq.pkl`). Sides, channels and
filters are read from the file.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emojax.experts import inputs, layers, spec, stylegan2
from emojax.experts.layers import Params
from emojax.experts.stylegan2 import Affine, StyledConv, ToRGB


def generator(params: Params) -> stylegan2.Generator:
    """Returns the synthesis network of official `params`."""
    convs, to_rgbs = [], []
    for side in sides({key: () for key in params}):
        block = f"synthesis.b{side}"
        names = ("conv1",) if side == stylegan2.FIRST_SIDE else ("conv0", "conv1")
        for name in names:
            layer = f"{block}.{name}"
            fir = _fir(params, layer) if name == "conv0" else None
            convs.append(
                StyledConv(
                    params[f"{layer}.weight"],
                    _affine(params, f"{layer}.affine"),
                    params[f"{layer}.bias"],
                    params[f"{layer}.noise_const"],
                    params[f"{layer}.noise_strength"],
                    fir,
                )
            )
        layer = f"{block}.torgb"
        affine = _affine(params, f"{layer}.affine")
        bias, fir = params[f"{layer}.bias"], _fir(params, block)
        to_rgbs.append(ToRGB(params[f"{layer}.weight"], affine, bias, fir))
    constant = jnp.moveaxis(params["synthesis.b4.const"], 0, -1)
    return stylegan2.Generator(constant, convs, to_rgbs)


def forward(params: Params, ws: jax.Array) -> spec.Outputs:
    """Returns the picture of codes.

    Args:
      params: of the network.
      ws: [B, n, 512].
    """
    network = generator(params)
    made = stylegan2.synthesize(network, _codes(network, ws))
    names = []
    for side in sides({key: () for key in params}):
        names += [f"b{side}_conv1"] if side == 4 else [f"b{side}_conv0", f"b{side}_conv1"]
    mid = dict(zip(names, made.convs, strict=True))
    mid |= {f"b{4 << i}_torgb": rgb for i, rgb in enumerate(made.rgbs)}
    return {
        "image": made.image,
        **{f"mid.{name}": layers.channels_first(value) for name, value in mid.items()},
        **{f"mid.{name}_affine": s for name, s in zip(names, made.styles, strict=True)},
    }


def mapping(params: Params, z: jax.Array) -> jax.Array:
    """Returns codes in W of normal noise, [B, 512].

    Args:
      params: of the network.
      z: [B, 512].
    """
    z = inputs.array("z", z, ("B", params["mapping.fc0.weight"].shape[1]))
    dense = [_affine(params, f"mapping.fc{i}") for i in range(num_dense(params))]
    return stylegan2.mapping(dense, z)


def sides(shapes: spec.Shapes) -> list[int]:
    """Returns the sides of a file's blocks, 4, 8, ...; those of 1024 pixels where it has none.

    Args:
      shapes: of the file.
    """
    found = []
    side = stylegan2.FIRST_SIDE
    while f"synthesis.b{side}.conv1.weight" in shapes and side <= stylegan2.LARGEST_SIDE:
        found.append(side)
        side *= 2
    return found or [4 << i for i in range(9)]


def num_dense(shapes: spec.Shapes) -> int:
    """Returns the number of layers of a file's mapping, 8 where it has none.

    Args:
      shapes: of the file, or its parameters.
    """
    count = 0
    while f"mapping.fc{count}.weight" in shapes:
        count += 1
    return count or stylegan2.MAPPING_LAYERS


def layout(shapes: spec.Shapes) -> spec.Shapes:
    """Returns the layout at the file's side, with its channels.

    Args:
      shapes: of the file.
    """
    latent = stylegan2.LATENT
    fir, found = (4, 4), {}
    inside = _width(shapes, "synthesis.b4.conv1", 1, stylegan2.channels(4))
    found["synthesis.b4.const"] = (inside, 4, 4)
    for side in sides(shapes):
        block = f"synthesis.b{side}"
        found[f"{block}.resample_filter"] = fir
        out = _width(shapes, f"{block}.conv1", 0, stylegan2.channels(side))
        for name in ("conv1",) if side == stylegan2.FIRST_SIDE else ("conv0", "conv1"):
            layer = f"{block}.{name}"
            found |= {
                f"{layer}.weight": (out, inside, 3, 3),
                f"{layer}.noise_strength": (),
                f"{layer}.bias": (out,),
                f"{layer}.resample_filter": fir,
                f"{layer}.noise_const": (side, side),
                **spec.dense(f"{layer}.affine", inside, latent),
            }
            inside = out
        found |= spec.conv(f"{block}.torgb", 3, out, 1)
        found |= spec.dense(f"{block}.torgb.affine", out, latent)
    found["mapping.w_avg"] = (latent,)
    for i in range(num_dense(shapes)):
        found |= spec.dense(f"mapping.fc{i}", latent, latent)
    return found


def _width(shapes: spec.Shapes, name: str, axis: int, usual: int) -> int:
    """Channels of a convolution of the file."""
    shape = shapes.get(f"{name}.weight", ())
    return shape[axis] if len(shape) == 4 else usual


def _affine(params: Params, name: str) -> Affine:
    """A dense layer."""
    return Affine(params[f"{name}.weight"], params[f"{name}.bias"])


def _fir(params: Params, name: str) -> jax.Array:
    """The filter of a layer or of a block, which is optional."""
    return jnp.asarray(params.get(f"{name}.resample_filter", stylegan2.USUAL_FIR))


def _codes(network: stylegan2.Generator, ws: jax.Array) -> jax.Array:
    """Checked codes."""
    return inputs.array("ws", ws, ("B", len(network.convs) + 1, stylegan2.LATENT))


def _without_noise(params: Params, _: spec.Outputs, ws: jax.Array) -> jax.Array:
    """The picture with noise_mode="none"."""
    network = generator(params)
    return stylegan2.synthesize(network, _codes(network, ws), noise=False).image


def _mapped(params: Params, _: spec.Outputs, __: jax.Array, z: jax.Array) -> jax.Array:
    """Codes of noise."""
    return mapping(params, z)


def _truncated(params: Params, _: spec.Outputs, __: jax.Array, z: jax.Array) -> jax.Array:
    """Codes of noise, drawn towards the mean."""
    return stylegan2.truncate(mapping(params, z), params["mapping.w_avg"])


SPEC = spec.Spec(
    name="stylegan2_ada",
    task="pictures of faces from latent codes (NVIDIA's layout)",
    inputs={"ws": "[B, n, 512] in W+, n = 18 at 1024 pixels"},
    further={"z": "[B, 512] normal noise"},
    outputs={"image": "[B, 3, S, S] RGB, about -1 to 1"},
    extras={
        "image_no_noise": spec.Extra(_without_noise),
        "mapped_ws": spec.Extra(_mapped, inputs=2),
        f"mapped_ws_psi{stylegan2.TRUNCATION}": spec.Extra(_truncated, inputs=2),
    },
    forward=forward,
    layout=layout,
    optional=("mapping.*", "*.resample_filter"),
    official="ffhq.pkl of https://github.com/NVlabs/stylegan2-ada-pytorch",
    licence="NVIDIA Source Code License: research and evaluation only",
    gradients="to the codes",
)
