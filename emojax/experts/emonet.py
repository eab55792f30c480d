"""EmoNet: landmarks, expression, valence and arousal of a face (Toisoul et al. 2021).

Takes RGB pictures [B, 3, 256, 256], floats 0 to 1 (bytes are divided by 255), of a face filling the
picture. Valence and arousal are unbounded; clamp them for display only. Every normalisation is a
batch normalisation, pooling takes the maximum, and the sum of the heat maps is the attention.
Architecture: face-analysis/emonet, emonet/models/emonet.py.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from emojax.experts import hourglass, inputs, layers, spec
from emojax.experts.layers import Params

CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
FEWER_CLASSES = CLASSES[:5]
NUM_MODULES = 2
HIDDEN = 128
# Share of the picture that EmoStyle's wrapper cuts off at each side (models/emonet.py).
MARGIN = 0.1


def forward(params: Params, image: jax.Array) -> spec.Outputs:
    """Returns heat maps, expression, valence and arousal.

    Args:
      params: of the network.
      image: [B, 3, 256, 256] RGB, 0 to 1, or uint8.
    """
    side = hourglass.SIDE
    image = inputs.array("image", image, ("B", 3, side, side))
    stem = hourglass.stem(params, layers.channels_last(layers.floats(image)), hourglass.maximum)
    maps = hourglass.stack(params, stem["conv4"], hourglass.maximum, NUM_MODULES)
    heatmap = maps["heatmap1"]
    attention = jnp.sum(heatmap, axis=-1, keepdims=True)
    # The trunk's own features are not masked.
    seen = [stem["conv4"], maps["ll0"] * attention, maps["ll1"] * attention]
    mixed = layers.conv(params, "conv1x1_input_emo_2", jnp.concatenate(seen, axis=-1))
    x = mixed
    for i in range(4):
        x = hourglass.maximum(hourglass.block(params, f"emo_net_2.{2 * i}", x))
    hidden = layers.linear(params, "emo_fc_2.0", x.mean((1, 2)))
    hidden = jax.nn.relu(layers.batch_norm(params, "emo_fc_2.1", hidden))
    last = layers.linear(params, "emo_fc_2.3", hidden)
    mid = {
        **stem,
        "m0": maps["m0"],
        "bl0": maps["ll0"],
        "m1": maps["m1"],
        "conv1x1_input_emo_2": mixed,
        "emo_net_2": x,
    }
    return {
        "heatmap": layers.channels_first(heatmap),
        "expression": last[:, :-2],
        "valence": last[:, -2],
        "arousal": last[:, -1],
        **{f"mid.{name}": layers.channels_first(value) for name, value in mid.items()},
    }


def emostyle(params: Params, image: jax.Array) -> jax.Array:
    """Returns (valence, arousal) [B, 2] as EmoStyle measures them, on the picture's middle.

    Args:
      params: of the network.
      image: [B, 3, H, W] RGB, 0 to 1, or uint8, aligned as FFHQ.
    """
    out = forward(params, emostyle_crop(image))
    return jnp.stack([out["valence"], out["arousal"]], axis=-1)


def emostyle_crop(image: jax.Array) -> jax.Array:
    """Returns the middle 80 % of a picture at 256 x 256, by nearest neighbours.

    Args:
      image: [B, 3, H, W].
    """
    image = inputs.array("image", image, ("B", 3, "H", "W"))
    rows, columns = (
        slice(int(MARGIN * length), int((1 - MARGIN) * length)) for length in image.shape[2:]
    )
    inner = layers.channels_last(image[:, :, rows, columns])
    return layers.channels_first(layers.nearest(inner, (hourglass.SIDE, hourglass.SIDE)))


def layout(shapes: spec.Shapes, *, num_classes: int) -> spec.Shapes:
    """Returns the layout for so many classes.

    Args:
      shapes: of the file; they do not matter.
      num_classes: 8 or 5.
    """
    del shapes
    found = dict(hourglass.layout(NUM_MODULES))
    found |= spec.conv("conv1x1_input_emo_2", hourglass.FEATURES, 3 * hourglass.FEATURES, 1)
    for i in range(4):
        found |= hourglass.block_layout(
            f"emo_net_2.{2 * i}", hourglass.FEATURES, hourglass.FEATURES
        )
    found |= spec.dense("emo_fc_2.0", HIDDEN, hourglass.FEATURES) | spec.norm("emo_fc_2.1", HIDDEN)
    return found | spec.dense("emo_fc_2.3", num_classes + 2, HIDDEN)


SPECS = tuple(
    spec.Spec(
        name=f"emonet_{num}",
        task=f"expression ({num} classes), valence, arousal and heat maps of a face",
        inputs={"image": "[B, 3, 256, 256] RGB, 0 to 1, or uint8"},
        outputs={
            "heatmap": "[B, 68, 64, 64], raw",
            "expression": f"[B, {num}] logits: " + ", ".join(CLASSES[:num]),
            "valence": "[B], unbounded",
            "arousal": "[B], unbounded",
        },
        extras={
            "emostyle_variant_va": spec.Extra(lambda params, _, image: emostyle(params, image))
        },
        forward=forward,
        layout=functools.partial(layout, num_classes=num),
        prefixes=("module.",),
        official=f"pretrained/emonet_{num}.pth of https://github.com/face-analysis/emonet",
        licence="CC BY-NC-ND 4.0: no commercial use, no derivatives",
        gradients="to the picture",
    )
    for num in (len(CLASSES), len(FEWER_CLASSES))
)
