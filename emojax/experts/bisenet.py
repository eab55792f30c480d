"""BiSeNet: a face's 19 regions (Yu et al. 2018; zllrunning/face-parsing.PyTorch, CelebAMask-HQ).

Takes RGB pictures [B, 3, H, W], floats 0 to 1 (bytes are divided by 255); ImageNet's mean and
deviation are part of `forward`. Trained at 512 x 512 (`preprocess`); any size from 32 works.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emojax.experts import inputs, layers, resnet, spec
from emojax.experts.layers import Params

CLASSES = (
    "background", "skin", "left brow", "right brow", "left eye", "right eye", "glasses",
    "left ear", "right ear", "earring", "nose", "mouth", "upper lip", "lower lip", "neck",
    "necklace", "cloth", "hair", "hat",
)  # fmt: skip
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE, MIN_SIDE = 512, 32
FEATURES = 128

# Heads: name -> (channels inside, hidden).
_HEADS = {"conv_out": (256, 256), "conv_out16": (FEATURES, 64), "conv_out32": (FEATURES, 64)}


def preprocess(image: jax.Array) -> jax.Array:
    """Returns a picture at the size of the training, [B, 3, 512, 512], 0 to 1; gradients flow.

    Args:
      image: [B, 3, H, W] RGB, 0 to 1, or uint8.
    """
    image = inputs.array("image", image, ("B", 3, "H", "W"))
    resized = layers.smoothed(layers.channels_last(layers.floats(image)), (SIDE, SIDE))
    return layers.channels_first(resized)


def normalize(image: jax.Array) -> jax.Array:
    """Returns a picture as the network takes it.

    Args:
      image: [B, 3, H, W] RGB, 0 to 1, or uint8.
    """
    mean, deviation = (jnp.array(values)[:, None, None] for values in (MEAN, DEVIATION))
    return (layers.floats(image) - mean) / deviation


def forward(params: Params, image: jax.Array) -> spec.Outputs:
    """Returns logits of three heads, and the parsing by the first.

    Args:
      params: of the network.
      image: [B, 3, H, W] RGB, 0 to 1, or uint8.
    """
    image = inputs.array("image", image, ("B", 3, "H", "W"))
    inputs.at_least("image", image.shape[2:], MIN_SIDE)
    first = layers.conv(
        params, "cp.resnet.conv1", layers.channels_last(normalize(image)), stride=2, padding=3
    )
    x = jax.nn.relu(layers.batch_norm(params, "cp.resnet.bn1", first))
    x = layers.max_pool(x, 3, stride=2, padding=1)
    x = resnet.basic_stage(params, "cp.resnet.layer1", x, stride=1)
    feat8 = resnet.basic_stage(params, "cp.resnet.layer2", x, stride=2)
    feat16 = resnet.basic_stage(params, "cp.resnet.layer3", feat8, stride=2)
    feat32 = resnet.basic_stage(params, "cp.resnet.layer4", feat16, stride=2)

    whole = _cbr(params, "cp.conv_avg", feat32.mean((1, 2), keepdims=True))
    low = _refine(params, "cp.arm32", feat32) + whole
    low = _cbr(params, "cp.conv_head32", layers.nearest(low, feat16.shape[1:3]), padding=1)
    arm16 = _refine(params, "cp.arm16", feat16)
    high = layers.nearest(arm16 + low, feat8.shape[1:3])
    high = _cbr(params, "cp.conv_head16", high, padding=1)

    fused = _cbr(params, "ffm.convblk", jnp.concatenate([feat8, high], axis=-1))
    attention = jax.nn.relu(layers.conv(params, "ffm.conv1", fused.mean((1, 2), keepdims=True)))
    fused = fused * jax.nn.sigmoid(layers.conv(params, "ffm.conv2", attention)) + fused

    maps = {}
    for head, source in zip(_HEADS, (fused, high, low), strict=True):
        hidden = _cbr(params, f"{head}.conv", source, padding=1)
        maps[head] = layers.conv(params, f"{head}.conv_out", hidden)
    logits = {
        name: layers.channels_first(
            layers.bilinear(maps[head], image.shape[2:], align_corners=True)
        )
        for name, head in zip(("logits", "logits16", "logits32"), _HEADS, strict=True)
    }
    mid = {
        "resnet_conv1": first,
        "feat8": feat8,
        "feat32": feat32,
        "conv_avg": whole,
        "arm16": arm16,
        "ffm": fused,
        "conv_out_low": maps["conv_out"],
    }
    return {
        **logits,
        "parsing": jnp.argmax(logits["logits"], axis=1).astype(jnp.uint8),
        **{f"mid.{name}": layers.channels_first(value) for name, value in mid.items()},
    }


def layout(shapes: spec.Shapes) -> spec.Shapes:
    """Returns the one layout; `shapes` of the file do not matter."""
    del shapes
    found: dict[str, spec.Shape] = {}
    found |= spec.conv("cp.resnet.conv1", 64, 3, 7, bias=False) | spec.norm("cp.resnet.bn1", 64)
    inside = 64
    for i, width in enumerate(resnet.WIDTHS, 1):
        found |= resnet.basic_layout(f"cp.resnet.layer{i}", width, inside)
        inside = width
    for name, channels in (("cp.arm16", 256), ("cp.arm32", 512)):
        found |= _cbr_layout(f"{name}.conv", FEATURES, channels, 3)
        found |= spec.conv(f"{name}.conv_atten", FEATURES, FEATURES, 1, bias=False)
        found |= spec.norm(f"{name}.bn_atten", FEATURES)
    found |= _cbr_layout("cp.conv_head32", FEATURES, FEATURES, 3)
    found |= _cbr_layout("cp.conv_head16", FEATURES, FEATURES, 3)
    found |= _cbr_layout("cp.conv_avg", FEATURES, 512, 1)
    found |= _cbr_layout("ffm.convblk", 256, 256, 1)
    found |= spec.conv("ffm.conv1", 64, 256, 1, bias=False)
    found |= spec.conv("ffm.conv2", 256, 64, 1, bias=False)
    for head, (channels, hidden) in _HEADS.items():
        found |= _cbr_layout(f"{head}.conv", hidden, channels, 3)
        found |= spec.conv(f"{head}.conv_out", len(CLASSES), hidden, 1, bias=False)
    return found


def _cbr(params: Params, name: str, x: jax.Array, *, padding: int = 0) -> jax.Array:
    """Convolution, batch normalisation, ReLU."""
    out = layers.conv(params, f"{name}.conv", x, padding=padding)
    return jax.nn.relu(layers.batch_norm(params, f"{name}.bn", out))


def _cbr_layout(name: str, out: int, inside: int, kernel: int) -> spec.Shapes:
    """The layout of `_cbr`."""
    return {
        **spec.conv(f"{name}.conv", out, inside, kernel, bias=False),
        **spec.norm(f"{name}.bn", out),
    }


def _refine(params: Params, name: str, x: jax.Array) -> jax.Array:
    """Features weighted by attention to the whole map."""
    features = _cbr(params, f"{name}.conv", x, padding=1)
    whole = layers.conv(params, f"{name}.conv_atten", features.mean((1, 2), keepdims=True))
    return features * jax.nn.sigmoid(layers.batch_norm(params, f"{name}.bn_atten", whole))


SPEC = spec.Spec(
    name="bisenet",
    task="19 regions of a face and what surrounds it",
    inputs={"image": "[B, 3, H, W] RGB, 0 to 1, or uint8; trained at 512 x 512"},
    outputs={
        "logits": "[B, 19, H, W]",
        "logits16": "[B, 19, H, W] of the auxiliary head at 1/8",
        "logits32": "[B, 19, H, W] of the auxiliary head at 1/16",
        "parsing": "[B, H, W] uint8: " + ", ".join(CLASSES),
    },
    forward=forward,
    layout=layout,
    prefixes=("module.",),
    official="79999_iter.pth of https://github.com/YudongGuo/AD-NeRF (data_util/face_parsing)",
    licence="MIT (repository); CelebAMask-HQ, its training data, is for research only",
    gradients="from logits to the picture",
)
