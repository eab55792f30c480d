"""Valence and arousal -> the code of an emotion that a face's attention weighs.

EmoTalkingGaussian (arXiv 2502.00654) conditions its emotion branch on e = (valence, arousal) and
leaves the layers open; as for action units, a small perceptron comes first: 2 -> 16 -> 6. It has no
biases: the neutral point has the code 0.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from emojax.encoders import layers

NUM_INPUTS = 2  # valence, arousal
CODE_WIDTH = 6

_HIDDEN = 16


class EmotionEncoder(nn.Module):
    """The code of an emotion, [2] -> [6]."""

    @nn.compact
    def __call__(self, emotion: jax.Array) -> jax.Array:
        """Encodes one point of the disc.

        Args:
          emotion: [2] valence and arousal, -1 to 1.

        Returns:
          [6].

        Raises:
          ValueError: `emotion` is not two numbers.
        """
        check(emotion)
        return layers.Perceptron((NUM_INPUTS, _HIDDEN, CODE_WIDTH), name="perceptron")(emotion)


def check(emotion: jax.Array) -> None:
    """Refuses what is not one point of the disc.

    Args:
      emotion: to look at; only its shape counts.

    Raises:
      ValueError: it is not two numbers.
    """
    if jnp.shape(emotion) != (NUM_INPUTS,):
        hint = "; batch with jax.vmap" if jnp.ndim(emotion) > 1 else ""
        raise ValueError(f"emotion has shape {jnp.shape(emotion)}, expected (2,){hint}")
