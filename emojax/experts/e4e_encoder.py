"""e4e: the StyleGAN2 code of a picture (Tov et al. 2021), an IR-SE-50 with a head for each style.

Takes RGB pictures [B, 3, 256, 256], -1 to 1 (bytes are divided by 127.5, less 1), aligned as FFHQ;
`preprocess` resizes others.
Codes are those before the mean code is added; "wplus" has it where the file has `latent_avg`. Files
of the W encoder have one code for all styles. Which it is, the file says.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from emojax.experts import inputs, layers, spec, stylegan2
from emojax.experts.layers import Params

SIDE = 256
LATENT = stylegan2.LATENT
# Stages of IR-50: (channels, blocks); the first block of each halves the map.
_STAGES = ((64, 3), (128, 4), (256, 14), (512, 3))
_TAPS = (6, 20, 23)  # last blocks of the stages from 128 channels on
_REDUCTION = 16  # of squeeze and excitation
# The first three styles see the deepest map, those up to the seventh the middle one.
_COARSE, _MIDDLE = 3, 7
_NUM_CONVS = (4, 5, 6)  # of a style's head, from 16, 32 and 64 pixels to one
_SLOPE = 0.01  # PyTorch's default, not StyleGAN2's
_W_KEY = "encoder.linear.weight"


def preprocess(image: jax.Array) -> jax.Array:
    """Returns a picture at the encoder's size, [B, 3, 256, 256], -1 to 1; gradients flow.

    EmoStyle rounds it to bytes before it resizes: codes of generated pictures differ by that.

    Args:
      image: [B, 3, H, W] RGB, -1 to 1, or uint8, aligned as FFHQ.
    """
    image = inputs.array("image", image, ("B", 3, "H", "W"))
    image = layers.channels_last(layers.floats(image, scale=127.5, offset=-1.0))
    return layers.channels_first(layers.smoothed(image, (SIDE, SIDE)))


def forward(params: Params, image: jax.Array) -> spec.Outputs:
    """Returns the codes of pictures.

    Args:
      params: of the network.
      image: [B, 3, 256, 256] RGB, -1 to 1, or uint8.
    """
    image = inputs.array("image", image, ("B", 3, SIDE, SIDE))
    x = layers.channels_last(layers.floats(image, scale=127.5, offset=-1.0))
    x = layers.conv(params, "encoder.input_layer.0", x, padding=1)
    x = layers.batch_norm(params, "encoder.input_layer.1", x)
    x = layers.prelu(params, "encoder.input_layer.2", x)
    mid = {"input_layer": x}
    for i, (_, _, stride) in enumerate(_blocks()):
        x = _block(params, f"encoder.body.{i}", x, stride)
        if i in _TAPS:
            mid[f"body_{i}"] = x
    if _W_KEY in params:
        code = _scaled(params, "encoder.linear", x.mean((1, 2)))
        count = stylegan2.num_styles(stylegan2.LARGEST_SIDE)
        codes = jnp.repeat(code[:, None], count, axis=1)
        heads = {}
    else:
        fine, middle, coarse = (mid[f"body_{i}"] for i in _TAPS)
        mid["latlayer1"] = layers.conv(params, "encoder.latlayer1", middle)
        middle = _onto(coarse, mid["latlayer1"])
        fine = _onto(middle, layers.conv(params, "encoder.latlayer2", fine))
        found = []
        for i in range(_num_styles({key: () for key in params})):
            features = coarse if i < _COARSE else middle if i < _MIDDLE else fine
            found.append(_head(params, f"encoder.styles.{i}", features))
        heads = {f"mid.style_{i}": code for i, code in enumerate(found)}
        codes = jnp.stack([found[0], *(found[0] + delta for delta in found[1:])], axis=1)
    moved = {"wplus": codes + params["latent_avg"]} if "latent_avg" in params else {}
    return {
        "codes": codes,
        **moved,
        **heads,
        **{f"mid.{name}": layers.channels_first(value) for name, value in mid.items()},
    }


def layout(shapes: spec.Shapes) -> spec.Shapes:
    """Returns the layout of the W+ or of the W encoder.

    Args:
      shapes: of the file.
    """
    name = "encoder.input_layer"
    found: dict[str, spec.Shape] = {}
    found |= spec.conv(f"{name}.0", 64, 3, 3, bias=False) | spec.norm(f"{name}.1", 64)
    found[f"{name}.2.weight"] = (64,)
    for i, (inside, out, _) in enumerate(_blocks()):
        found |= _block_layout(f"encoder.body.{i}", inside, out)
    count = stylegan2.num_styles(stylegan2.LARGEST_SIDE)
    if _W_KEY in shapes:
        found |= spec.dense("encoder.linear", LATENT, LATENT)
    else:
        count = _num_styles(shapes)
        for i in range(count):
            style = f"encoder.styles.{i}"
            for j in range(_NUM_CONVS[(i >= _COARSE) + (i >= _MIDDLE)]):
                found |= spec.conv(f"{style}.convs.{2 * j}", LATENT, LATENT, 3)
            found |= spec.dense(f"{style}.linear", LATENT, LATENT)
        found |= spec.conv("encoder.latlayer1", LATENT, 256, 1)
        found |= spec.conv("encoder.latlayer2", LATENT, 128, 1)
    return found | {"latent_avg": (count, LATENT)}


def _blocks() -> list[tuple[int, int, int]]:
    """Channels inside and outside, and stride, of each block."""
    blocks, inside = [], 64
    for out, depth in _STAGES:
        blocks += [(inside, out, 2), *[(out, out, 1)] * (depth - 1)]
        inside = out
    return blocks


def _num_styles(shapes: spec.Shapes) -> int:
    """Heads of a file, 18 where it has none."""
    count = 0
    while f"encoder.styles.{count}.linear.weight" in shapes:
        count += 1
    return count or stylegan2.num_styles(stylegan2.LARGEST_SIDE)


def _block(params: Params, name: str, x: jax.Array, stride: int) -> jax.Array:
    """A pre-normalised residual block with squeeze and excitation."""
    aside = x[:, ::stride, ::stride]
    if f"{name}.shortcut_layer.0.weight" in params:
        aside = layers.conv(params, f"{name}.shortcut_layer.0", x, stride=stride)
        aside = layers.batch_norm(params, f"{name}.shortcut_layer.1", aside)
    layer = f"{name}.res_layer"
    out = layers.conv(params, f"{layer}.1", layers.batch_norm(params, f"{layer}.0", x), padding=1)
    out = layers.prelu(params, f"{layer}.2", out)
    out = layers.conv(params, f"{layer}.3", out, stride=stride, padding=1)
    out = layers.batch_norm(params, f"{layer}.4", out)
    whole = layers.conv(params, f"{layer}.5.fc1", out.mean((1, 2), keepdims=True))
    return out * jax.nn.sigmoid(layers.conv(params, f"{layer}.5.fc2", jax.nn.relu(whole))) + aside


def _block_layout(name: str, inside: int, out: int) -> spec.Shapes:
    """The layout of `_block`."""
    found: dict[str, spec.Shape] = {}
    if inside != out:
        found |= spec.conv(f"{name}.shortcut_layer.0", out, inside, 1, bias=False)
        found |= spec.norm(f"{name}.shortcut_layer.1", out)
    layer = f"{name}.res_layer"
    found |= spec.norm(f"{layer}.0", inside)
    found |= spec.conv(f"{layer}.1", out, inside, 3, bias=False)
    found[f"{layer}.2.weight"] = (out,)
    found |= spec.conv(f"{layer}.3", out, out, 3, bias=False)
    found |= spec.norm(f"{layer}.4", out)
    found |= spec.conv(f"{layer}.5.fc1", out // _REDUCTION, out, 1, bias=False)
    return found | spec.conv(f"{layer}.5.fc2", out, out // _REDUCTION, 1, bias=False)


def _head(params: Params, name: str, x: jax.Array) -> jax.Array:
    """The code that a style's head reads off a map."""
    place = 0
    while f"{name}.convs.{place}.weight" in params:
        x = layers.conv(params, f"{name}.convs.{place}", x, stride=2, padding=1)
        x = jax.nn.leaky_relu(x, _SLOPE)
        place += 2
    return _scaled(params, f"{name}.linear", x.reshape(len(x), LATENT))


def _scaled(params: Params, name: str, x: jax.Array) -> jax.Array:
    """A dense layer whose weights are scaled at run time."""
    weight = params[f"{name}.weight"]
    scale = 1 / math.sqrt(weight.shape[1])
    return layers.product("bi,oi->bo", x, weight) * scale + params[f"{name}.bias"]


def _onto(deep: jax.Array, shallow: jax.Array) -> jax.Array:
    """A deep map at the size of a shallow one, added to it."""
    return layers.bilinear(deep, shallow.shape[1:3], align_corners=True) + shallow


SPEC = spec.Spec(
    name="e4e_encoder",
    task="the StyleGAN2 code of a face",
    inputs={"image": "[B, 3, 256, 256] RGB, -1 to 1, or uint8, aligned as FFHQ"},
    outputs={
        "codes": "[B, 18, 512] before the mean code is added",
        "wplus": "[B, 18, 512] with it; absent where the file has no latent_avg",
    },
    forward=forward,
    layout=layout,
    optional=("latent_avg",),
    ignored=("decoder.*",),
    official="e4e_ffhq_encode.pt of https://github.com/omertov/encoder4editing",
    licence="MIT (repository); FFHQ, its training data, is not for commercial use",
    gradients="to the picture",
)
