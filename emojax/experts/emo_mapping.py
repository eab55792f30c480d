"""EmoStyle's mapping: how a face's latent code moves for a wanted emotion (Azari & Lim 2024).

An emotion (valence, arousal) of [-1, 1]^2 is brought to 64 features (EmoTalkingGaussian calls this
the up-sampling module); perceptrons, one for each of the 18 styles (EmoExtract), give the
displacement of the code. In W, not W+, there is one perceptron. Which it is, the file says.
"""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp

from emojax.experts import inputs, layers, spec
from emojax.experts.layers import Params

NUM_STYLES = 18
LATENT = 512
FEATURES = 64
EMOTION_HIDDEN = 32
WIDTHS = (LATENT + FEATURES, 2048, 1024, 512, LATENT)
SLOPE = 0.2
_W_KEY = "latent_net.0.weight"  # in W+ this is a perceptron, not a layer


def features(params: Params, valence_arousal: jax.Array) -> jax.Array:
    """Returns the features of emotions, [B, 64].

    Args:
      params: of the network.
      valence_arousal: [B, 2], -1 to 1.
    """
    hidden = layers.linear(params, "emotion_enc.0", valence_arousal)
    return layers.linear(params, "emotion_enc.2", jax.nn.leaky_relu(hidden, SLOPE))


def forward(params: Params, latent: jax.Array, valence_arousal: jax.Array) -> spec.Outputs:
    """Returns the displacement of codes, and the displaced codes.

    Args:
      params: of the network.
      latent: [B, 18, 512] in W+; [B, 512] in W.
      valence_arousal: [B, 2], -1 to 1.
    """
    if _W_KEY in params:
        latent = inputs.array("latent", latent, ("B", LATENT))
        names, delta = [""], "delta_w_variant"
    else:
        names = [f"{i}." for i in range(_num_styles({key: () for key in params}))]
        latent = inputs.array("latent", latent, ("B", len(names), LATENT))
        delta = "delta_wplus"
    valence_arousal = inputs.array("valence_arousal", valence_arousal, (len(latent), 2))
    emotion = features(params, layers.floats(valence_arousal))
    styles = layers.floats(latent).reshape(len(latent), len(names), LATENT)
    moved = []
    for i, name in enumerate(names):
        x = jnp.concatenate([styles[:, i], emotion], axis=-1)
        for place in (0, 2, 4, 6):
            x = layers.linear(params, f"latent_net.{name}{place}", x)
            if place < 6:
                x = jax.nn.leaky_relu(x, SLOPE)
        moved.append(x)
    displacement = jnp.stack(moved, axis=1).reshape(latent.shape)
    return {
        delta: displacement,
        "edited_latent": latent + displacement,
        "mid.emotion_features": emotion,
    }


def layout(shapes: spec.Shapes) -> spec.Shapes:
    """Returns the layout in W or in W+, with as many styles as the file has.

    Args:
      shapes: of the file.
    """
    found: dict[str, spec.Shape] = {}
    found |= spec.dense("emotion_enc.0", EMOTION_HIDDEN, 2)
    found |= spec.dense("emotion_enc.2", FEATURES, EMOTION_HIDDEN)
    names = [""] if _W_KEY in shapes else [f"{i}." for i in range(_num_styles(shapes))]
    for name in names:
        for place, (inside, out) in enumerate(itertools.pairwise(WIDTHS)):
            found |= spec.dense(f"latent_net.{name}{2 * place}", out, inside)
    return found


def _num_styles(shapes: spec.Shapes) -> int:
    """Styles of a W+ file: two less than a picture's side has twice powers of two."""
    places = [key.split(".")[1] for key in shapes if key.startswith("latent_net.")]
    numbers = [int(place) for place in places if place.isdecimal() and len(place) < 3]
    return max(numbers, default=NUM_STYLES - 1) + 1


SPEC = spec.Spec(
    name="emo_mapping",
    task="displacement of a StyleGAN2 code for a wanted emotion",
    inputs={
        "latent": "[B, 18, 512] in W+; [B, 512] where the file is of the W variant",
        "valence_arousal": "[B, 2], -1 to 1",
    },
    outputs={
        "delta_wplus": "[B, 18, 512] (files in W+)",
        "delta_w_variant": "[B, 512] (files in W)",
        "edited_latent": "latent + displacement",
    },
    forward=forward,
    layout=layout,
    official="emo_mapping_wplus_2.pt of https://github.com/bihamta/emostyle",
    licence="MIT (repository); depends on StyleGAN2 (NVIDIA) and EmoNet (CC BY-NC-ND)",
    gradients="to code and emotion",
)
