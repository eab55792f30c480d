"""EasyPortrait's face parser with teeth (Kapitanov et al. 2023): ResNet-50-v1c, FPN, 8 classes.

Takes whole RGB pictures [B, 3, H, W], floats 0 to 255 as mmsegmentation has them, or uint8, at
their own size (512 x 512 in TalkingGaussian's data sets); mean and deviation are part of `forward`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emojax.experts import inputs, layers, resnet, spec
from emojax.experts.layers import Params

CLASSES = (
    "background", "skin", "left brow", "right brow", "left eye", "right eye", "lips", "teeth",
)  # fmt: skip
TEETH = CLASSES.index("teeth")
MEAN = (143.55267075, 132.96705975, 126.94924335)
DEVIATION = (60.2625333, 60.32740275, 59.30988645)
MIN_SIDE = 32
FEATURES, HEAD = 256, 128

_STEM = {0: (32, 3, 2), 3: (32, 32, 1), 6: (64, 32, 1)}  # place -> (out, in, stride)
_NUM_LEVELS = 4


def normalize(image: jax.Array) -> jax.Array:
    """Returns a picture as the network takes it; gradients flow.

    Args:
      image: [B, 3, H, W] RGB, 0 to 255.
    """
    mean, deviation = (jnp.array(values)[:, None, None] for values in (MEAN, DEVIATION))
    return (layers.floats(image, scale=1.0) - mean) / deviation


def forward(params: Params, image: jax.Array) -> spec.Outputs:
    """Returns logits, probabilities and labels.

    Args:
      params: of the network.
      image: [B, 3, H, W] RGB, 0 to 255.
    """
    image = inputs.array("image", image, ("B", 3, "H", "W"))
    inputs.at_least("image", image.shape[2:], MIN_SIDE)
    x = layers.channels_last(normalize(image))
    for place, (*_, stride) in _STEM.items():
        x = layers.conv(params, f"backbone.stem.{place}", x, stride=stride, padding=1)
        x = jax.nn.relu(layers.batch_norm(params, f"backbone.stem.{place + 1}", x))
    mid = {"stem": x}
    x = layers.max_pool(x, 3, stride=2, padding=1)
    levels = []
    for i, depth in enumerate(resnet.DEPTH_50):
        x = resnet.bottleneck_stage(
            params, f"backbone.layer{i + 1}", x, depth=depth, stride=1 if i == 0 else 2
        )
        levels.append(x)

    laterals = [
        layers.conv(params, f"neck.lateral_convs.{i}.conv", level) for i, level in enumerate(levels)
    ]
    mid |= {"layer1": levels[0], "layer4": levels[3], "lateral0": laterals[0]}
    summed = laterals[-1:]
    for lateral in laterals[-2::-1]:
        summed.insert(0, lateral + layers.nearest(summed[0], lateral.shape[1:3]))

    total = None
    for i, level in enumerate(summed):
        out = layers.conv(params, f"neck.fpn_convs.{i}.conv", level, padding=1)
        for j in range(max(1, i)):
            name = f"decode_head.scale_heads.{i}.{2 * j}"
            out = layers.conv(params, f"{name}.conv", out, padding=1)
            out = jax.nn.relu(layers.batch_norm(params, f"{name}.bn", out))
            if i > 0:
                size = (2 * out.shape[1], 2 * out.shape[2])
                out = layers.bilinear(out, size, align_corners=False)
        mid[f"scale_head_{i}"] = out
        if total is None:
            total = out
        elif out.shape == total.shape:
            total = total + out
        else:
            total = total + layers.bilinear(out, total.shape[1:3], align_corners=False)
    mid["conv_seg"] = layers.conv(params, "decode_head.conv_seg", total)
    logits = layers.channels_first(
        layers.bilinear(mid["conv_seg"], image.shape[2:], align_corners=False)
    )
    return {
        "logits": logits,
        "probabilities": jax.nn.softmax(logits, axis=1),
        "labels": jnp.argmax(logits, axis=1).astype(jnp.uint8),
        **{f"mid.{name}": layers.channels_first(value) for name, value in mid.items()},
    }


def layout(shapes: spec.Shapes) -> spec.Shapes:
    """Returns the one layout; `shapes` of the file do not matter."""
    del shapes
    found: dict[str, spec.Shape] = {}
    for place, (out, inside, _) in _STEM.items():
        found |= spec.conv(f"backbone.stem.{place}", out, inside, 3, bias=False)
        found |= spec.norm(f"backbone.stem.{place + 1}", out)
    found |= resnet.layout_50("backbone.")
    for i, width in enumerate(resnet.WIDTHS):
        name = f"neck.lateral_convs.{i}.conv"
        found |= spec.conv(name, FEATURES, resnet.EXPANSION * width, 1)
        found |= spec.conv(f"neck.fpn_convs.{i}.conv", FEATURES, FEATURES, 3)
    found |= spec.conv("decode_head.conv_seg", len(CLASSES), HEAD, 1)
    for i in range(_NUM_LEVELS):
        for j in range(max(1, i)):
            name = f"decode_head.scale_heads.{i}.{2 * j}"
            found |= spec.conv(f"{name}.conv", HEAD, FEATURES if j == 0 else HEAD, 3, bias=False)
            found |= spec.norm(f"{name}.bn", HEAD)
    return found


SPEC = spec.Spec(
    name="easyportrait_fpn",
    task="8 regions of a face, teeth among them",
    inputs={"image": "[B, 3, H, W] RGB, 0 to 255, or uint8"},
    outputs={
        "logits": "[B, 8, H, W]",
        "probabilities": "[B, 8, H, W]",
        "labels": "[B, H, W] uint8: " + ", ".join(CLASSES),
    },
    forward=forward,
    layout=layout,
    prefixes=("module.",),
    ignored=("auxiliary_head.*",),
    official="fpn-fp-512.pth of https://github.com/hukenovs/easyportrait",
    licence="see https://github.com/hukenovs/easyportrait before passing weights on",
    gradients="from logits to the picture",
)
