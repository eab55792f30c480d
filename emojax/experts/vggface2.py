"""VGGFace2's ResNet-50: who is it (Cao et al. 2018), as EmoStyle uses it (models/vggface2.py).

Takes RGB pictures [B, 3, H, W], floats 0 to 1 (bytes are divided by 255), aligned as FFHQ;
cropping, resizing by nearest neighbours and subtraction of means are part of `forward`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emojax.experts import inputs, layers, resnet, spec
from emojax.experts.layers import Params

MARGIN = 0.1  # cut off at each side
RESIZED, SIDE = 256, 224
MEANS = (91.4953, 103.8827, 131.0912)  # BGR, 0 to 255
NUM_PEOPLE = 8631
FEATURES = 2048


def preprocess(image: jax.Array) -> jax.Array:
    """Returns a picture as the network takes it, [B, 3, 224, 224]; gradients flow.

    Args:
      image: [B, 3, H, W] RGB, 0 to 1, or uint8.
    """
    image = inputs.array("image", image, ("B", 3, "H", "W"))
    rows, columns = (
        slice(int(MARGIN * length), int((1 - MARGIN) * length)) for length in image.shape[2:]
    )
    inner = layers.channels_last(layers.floats(image)[:, :, rows, columns] * 255)
    cut = slice((RESIZED - SIDE) // 2, (RESIZED + SIDE) // 2)
    resized = layers.nearest(inner, (RESIZED, RESIZED))[:, cut, cut, ::-1]
    return layers.channels_first(resized - jnp.array(MEANS))


def forward(params: Params, image: jax.Array) -> spec.Outputs:
    """Returns the embedding, and logits where the file has the classifier.

    Args:
      params: of the network.
      image: [B, 3, H, W] RGB, 0 to 1, or uint8.
    """
    ready = preprocess(image)
    first = layers.conv(params, "conv1", layers.channels_last(ready), stride=2, padding=3)
    x = jax.nn.relu(layers.batch_norm(params, "bn1", first))
    mid = {"conv1": first, "maxpool": layers.max_pool(x, 3, stride=2, ceil=True)}
    x = mid["maxpool"]
    for i, depth in enumerate(resnet.DEPTH_50, 1):
        x = mid[f"layer{i}"] = resnet.bottleneck_stage(
            params, f"layer{i}", x, depth=depth, stride=1 if i == 1 else 2, stride_first=True
        )
    features = x.mean((1, 2))
    logits = {}
    if "fc.weight" in params:
        logits["logits_8631"] = layers.linear(params, "fc", features)
    return {
        "embedding": layers.unit(features),
        **logits,
        "mid.preprocessed": ready,
        **{f"mid.{name}": layers.channels_first(value) for name, value in mid.items()},
    }


def layout(shapes: spec.Shapes) -> spec.Shapes:
    """Returns the one layout; `shapes` of the file do not matter."""
    del shapes
    return {
        **spec.conv("conv1", 64, 3, 7, bias=False),
        **spec.norm("bn1", 64),
        **resnet.layout_50(""),
        **spec.dense("fc", NUM_PEOPLE, FEATURES),
    }


SPEC = spec.Spec(
    name="vggface2",
    task="an embedding of a face's identity",
    inputs={"image": "[B, 3, H, W] RGB, 0 to 1, or uint8, aligned as FFHQ"},
    outputs={
        "embedding": "[B, 2048], length one",
        "logits_8631": "[B, 8631] of people; absent where the file has no fc.*",
    },
    forward=forward,
    layout=layout,
    optional=("fc.*",),
    official="resnet50_ft_weight.pkl of https://github.com/cydonia999/VGGFace2-pytorch",
    licence="not stated for the weights; treat as research use",
    gradients="to the picture, through nearest neighbours",
)
