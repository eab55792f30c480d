"""FAN: heat maps of 68 landmarks of a face, 2DFAN-4 (Bulat & Tzimiropoulos 2017; face-alignment).

Takes RGB pictures [B, 3, 256, 256], floats 0 to 1 (bytes are divided by 255), of a face cut out by
`face_crop`; gives heat maps of four hourglasses, the last one being the result. `heatmaps` turns
them into points.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from emojax.experts import heatmaps, hourglass, inputs, layers, spec
from emojax.experts.layers import Params

NUM_MODULES = 4
# Landmark that each of the 68 becomes in a mirror (face-alignment's matched parts).
_PAIRS = (
    *((i, 16 - i) for i in range(8)),
    *((17 + i, 26 - i) for i in range(5)),
    (31, 35), (32, 34),
    (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46),
    (48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67),
)  # fmt: skip


def _mirrored() -> tuple[int, ...]:
    """The landmark at each place of a mirrored face."""
    order = list(range(hourglass.NUM_POINTS))
    for left, right in _PAIRS:
        order[left], order[right] = right, left
    return tuple(order)


MIRRORED = _mirrored()


def forward(params: Params, image: jax.Array) -> spec.Outputs:
    """Returns the heat maps of all stacks and the landmarks of the last.

    Args:
      params: of the network.
      image: [B, 3, 256, 256] RGB, 0 to 1, or uint8.
    """
    side = hourglass.SIDE
    image = inputs.array("image", image, ("B", 3, side, side))
    stem = hourglass.stem(params, layers.channels_last(layers.floats(image)), hourglass.mean)
    maps = hourglass.stack(params, stem["conv4"], hourglass.mean, NUM_MODULES)
    found = {f"heatmap{i}": layers.channels_first(maps[f"heatmap{i}"]) for i in range(NUM_MODULES)}
    points, scores = heatmaps.decode(found["heatmap3"])
    mid = {**stem, "m0": maps["m0"], "bl0": maps["ll0"], "m3": maps["m3"]}
    return {
        **found,
        "landmarks_hm_units": points,
        "scores": scores,
        **{f"mid.{name}": layers.channels_first(value) for name, value in mid.items()},
    }


def flip_test(params: Params, image: jax.Array) -> jax.Array:
    """Returns the heat maps of a picture plus those of its mirror image, mirrored back (their sum).

    Args:
      params: of the network.
      image: [B, 3, 256, 256] RGB, 0 to 1, or uint8.
    """
    return _summed(params, forward(params, image), image)


def layout(shapes: spec.Shapes) -> spec.Shapes:
    """Returns the one layout; `shapes` of the file do not matter."""
    del shapes
    return hourglass.layout(NUM_MODULES)


def _summed(params: Params, found: spec.Outputs, image: jax.Array) -> jax.Array:
    """The heat maps that were found, and those of the mirror image, which is run after them."""
    mirror = forward(params, jnp.asarray(image)[..., ::-1])["heatmap3"]
    return found["heatmap3"] + mirror[:, np.array(MIRRORED), :, ::-1]


def _in_image(
    _: Params, found: spec.Outputs, image: jax.Array, center: jax.Array, scale: jax.Array
) -> jax.Array:
    """Landmarks in the picture that the crop was cut from."""
    size = image.shape[-1] // heatmaps.PIXELS
    return heatmaps.to_image(found["landmarks_hm_units"], center, scale, size=size)


def _flipped_points(params: Params, found: spec.Outputs, image: jax.Array) -> jax.Array:
    """Landmarks of the flip test."""
    return heatmaps.decode(_summed(params, found, image))[0]


def _emostyle(_: Params, found: spec.Outputs, __: jax.Array) -> jax.Array:
    """Landmarks as EmoStyle decodes them."""
    return heatmaps.emostyle_decode(found["heatmap3"])


SPEC = spec.Spec(
    name="fan",
    task="heat maps of 68 landmarks of a face",
    inputs={"image": "[B, 3, 256, 256] RGB, 0 to 1, or uint8"},
    further={"center": "[2] (column, row) of the crop", "scale": "[] of the crop"},
    outputs={
        **{f"heatmap{i}": "[B, 68, 64, 64]" for i in range(NUM_MODULES)},
        "landmarks_hm_units": "[B, 68, 2] (column, row) in heat-map pixels; no gradient",
        "scores": "[B, 68] maxima",
    },
    extras={
        "landmarks_image": spec.Extra(_in_image, inputs=3),
        "heatmap3_flip_summed": spec.Extra(_summed),
        "landmarks_flip_hm_units": spec.Extra(_flipped_points),
        "emostyle_decode_net": spec.Extra(_emostyle),
    },
    forward=forward,
    layout=layout,
    prefixes=("module.",),
    official="2DFAN4-11f355bf06.pth.tar of https://github.com/1adrianb/face-alignment",
    licence="BSD-3-Clause (code); not stated apart for the weights",
    gradients="from heat maps to the picture; decoded landmarks have none",
)
