"""Normals of a face from one picture (Abrevaya et al. 2020, cross-modal deep face normals).

Takes RGB pictures [B, 3, H, W], floats 0 to 1 (bytes are divided by 255), of a face cut out by a
square of 1.2 times the 68 landmarks' box (`crop`); sides are multiples of 32, 256 there. Two
encoders (of pictures, of normals) share a decoder of normals, whose skip connections exist for
pictures only; a second decoder draws the picture again.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from emojax.experts import inputs, layers, resnet, spec
from emojax.experts.checkpoint.refusal import CheckpointError
from emojax.experts.layers import Params

MULTIPLE = 32
SIDE = 256
SQUARE = 1.2  # side of the crop over the longer one of the landmarks' box

# Decoder, from deep to shallow: layer -> (channels that pass the skip connection unchanged, out).
_UP = {
    "conv_up3": (512, 640),
    "conv_up2": (512, 320),
    "conv_up1": (256, 320),
    "conv_up0": (256, 192),
}
_LAST_PASSED = 128
_SKIPS = (256, 128, 64, 64)  # channels of the encoder's maps 3, 2, 1, 0


def crop(image: jax.Array, points: np.ndarray) -> jax.Array:
    """Returns the face as the network takes it, [1, 3, 256, 256], bilinear; gradients flow.

    Args:
      image: [3, H, W] RGB, 0 to 1, or uint8.
      points: [68, 2] landmarks (column, row), pixels; not traced.

    Raises:
      CheckpointError: the square lies outside of the picture, or landmarks are all in one place.
    """
    image = inputs.array("image", image, (3, "H", "W"))
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    side, size = SQUARE * float(np.max(high - low)), np.array(image.shape[:0:-1])
    start = end = np.zeros(2, int)
    if side > 0 and np.isfinite(points).all():
        first = np.round((low + high - side) / 2).astype(int)
        start, end = np.maximum(first, 0), np.minimum(first + round(side), size)
    if (end <= start).any():
        raise CheckpointError(
            expected=f"landmarks of a face in the picture of {size[0]} x {size[1]} pixels",
            got=f"columns {low[0]:g} to {high[0]:g}, rows {low[1]:g} to {high[1]:g}",
            fix="Give landmarks (column, row) in pixels of this picture.",
        )
    inner = layers.floats(image)[:, start[1] : end[1], start[0] : end[0]]
    resized = layers.bilinear(layers.channels_last(inner[None]), (SIDE, SIDE), align_corners=False)
    return layers.channels_first(resized)


def forward(params: Params, image: jax.Array) -> spec.Outputs:
    """Returns normals, raw and of length one, and the picture drawn again.

    Args:
      params: of the network.
      image: [B, 3, H, W] RGB, 0 to 1, or uint8.
    """
    x = _ready(image)
    original = _conv_relu(params, "conv_original_size0", x)
    original = _conv_relu(params, "conv_original_size1", original)
    encoded = _encode(params, "", x)
    skips = [_conv_relu(params, f"layer{i}_1x1", encoded[i], padding=0) for i in range(4)]
    top = _conv_relu(params, "layer4_1x1", encoded[4], padding=0)
    maps = _normals(params, top, [*skips[::-1], original])
    raw = layers.channels_first(maps["out"])

    drawn = encoded[4]
    for name in (*_UP, "conv_original_size2"):
        drawn = _conv_relu(params, f"{name}_2", _double(drawn))
    mid = {
        "layer0_1x1": skips[0],
        "layer4": encoded[4],
        "layer4_1x1": top,
        **{name: maps[name] for name in ("conv_up3", "conv_up0", "conv_original_size2")},
    }
    return {
        "normals_raw": raw,
        "normals_unit": unit(raw),
        "image_branch": layers.channels_first(layers.conv(params, "conv_last_2", drawn)),
        **{f"mid.{name}": layers.channels_first(value) for name, value in mid.items()},
    }


def from_normals(params: Params, normals: jax.Array) -> jax.Array:
    """Returns raw normals from a picture of normals, [B, 3, H, W]: the original's flag 1.

    Args:
      params: of the network.
      normals: [B, 3, H, W], 0 to 1, or uint8.
    """
    top = _encode(params, "_2", _ready(normals))[4]
    top = _conv_relu(params, "layer4_1x1", top, padding=0)
    return layers.channels_first(_normals(params, top, [None] * 5)["out"])


def unit(normals: jax.Array) -> jax.Array:
    """Returns normals of length one; zero where they are zero (the original divides by zero).

    Args:
      normals: [B, 3, H, W].
    """
    return layers.channels_first(layers.unit(layers.channels_last(normals)))


def layout(shapes: spec.Shapes) -> spec.Shapes:
    """Returns the one layout; `shapes` of the file do not matter."""
    del shapes
    found: dict[str, spec.Shape] = {}
    for tag in ("", "_2"):
        found |= spec.conv(f"layer0{tag}.0", 64, 3, 7, bias=False)
        found |= spec.norm(f"layer0{tag}.1", 64)
        inside = 64
        for i, width in enumerate(resnet.WIDTHS, 1):
            # The first stage holds the max pool, so its blocks stand one deeper.
            name = f"layer1{tag}.1" if i == 1 else f"layer{i}{tag}"
            found |= resnet.basic_layout(name, width, inside)
            inside = width
        found |= spec.conv(f"conv_original_size0{tag}.0", 64, 3, 3)
        found |= spec.conv(f"conv_original_size1{tag}.0", 64, 64, 3)
        found |= spec.conv(f"conv_last{tag}", 3, 64, 1)
    for i, width in enumerate((64, *resnet.WIDTHS)):
        out = width if i < 4 else _UP["conv_up3"][0] + _SKIPS[0]
        found |= spec.conv(f"layer{i}_1x1.0", out, width, 1)
    inside, bare = 768, 512
    for (name, (passed, out)), skip in zip(_UP.items(), _SKIPS, strict=True):
        assert passed + skip == inside
        found |= spec.conv(f"{name}.0", out, inside, 3)
        bare_out = {"conv_up3": 512, "conv_up0": 128}.get(name, 256)
        found |= spec.conv(f"{name}_2.0", bare_out, bare, 3)
        inside, bare = out, bare_out
    found |= spec.conv("conv_original_size2.0", 64, inside, 3)
    return found | spec.conv("conv_original_size2_2.0", 64, bare, 3)


def _ready(image: jax.Array) -> jax.Array:
    """A picture with channels last."""
    image = inputs.array("image", image, ("B", 3, "H", "W"), multiple=MULTIPLE)
    return layers.channels_last(layers.floats(image))


def _encode(params: Params, tag: str, x: jax.Array) -> list[jax.Array]:
    """The five maps of an encoder, from shallow to deep."""
    x = layers.conv(params, f"layer0{tag}.0", x, stride=2, padding=3)
    maps = [jax.nn.relu(layers.batch_norm(params, f"layer0{tag}.1", x))]
    pooled = layers.max_pool(maps[0], 3, stride=2, padding=1)
    maps.append(resnet.basic_stage(params, f"layer1{tag}.1", pooled, stride=1))
    for i in (2, 3, 4):
        maps.append(resnet.basic_stage(params, f"layer{i}{tag}", maps[-1], stride=2))
    return maps


def _normals(params: Params, x: jax.Array, skips: list) -> dict[str, jax.Array]:
    """The decoder of normals; a skip that is None is switched off."""
    maps = {}
    stages = [*((name, passed) for name, (passed, _) in _UP.items())]
    stages.append(("conv_original_size2", _LAST_PASSED))
    for (name, passed), skip in zip(stages, skips, strict=True):
        x = _double(x)
        if skip is not None:
            x = jnp.concatenate([x[..., :passed], jnp.maximum(x[..., passed:], skip)], axis=-1)
        x = maps[name] = _conv_relu(params, name, x)
    return {**maps, "out": layers.conv(params, "conv_last", x)}


def _double(x: jax.Array) -> jax.Array:
    """A map at twice the size."""
    return layers.bilinear(x, (2 * x.shape[1], 2 * x.shape[2]), align_corners=True)


def _conv_relu(params: Params, name: str, x: jax.Array, *, padding: int = 1) -> jax.Array:
    """Convolution with bias, ReLU."""
    return jax.nn.relu(layers.conv(params, f"{name}.0", x, padding=padding))


SPEC = spec.Spec(
    name="face_normals",
    task="normals of a face",
    inputs={"image": "[B, 3, H, W] RGB, 0 to 1, or uint8; sides are multiples of 32"},
    outputs={
        "normals_raw": "[B, 3, H, W]",
        "normals_unit": "[B, 3, H, W], length one",
        "image_branch": "[B, 3, H, W], the picture drawn again",
    },
    extras={
        "normal_to_normal_flag1": spec.Extra(lambda params, _, image: from_normals(params, image))
    },
    forward=forward,
    layout=layout,
    # The file holds the encoder of pictures twice.
    ignored=("base_model.*",),
    official="data/model.pth of https://github.com/boukhayma/face_normals",
    licence="CC BY-NC 4.0: no commercial use",
    gradients="to the picture",
)
