"""How an emotion moves a face that already speaks: position and (valence, arousal) -> changes.

With H the tri-plane encoding of a Gaussian's mean *after* the face's motion and e the emotion,

    V = relu(U(H))                                 U: 36 -> 16 -> 6
    d = M(H, V * E(e))                             E: 2 -> 16 -> 6,  M: 36 + 6 -> 64 -> 64 -> 10

EmoTalkingGaussian (arXiv 2502.00654) Eq. 5. The paper leaves the sizes open; they are the face's.
M's last layer starts at zero, so that training begins with the head as it is (ours). With `raw` the
attention has two numbers and weighs valence and arousal themselves, as Eq. 5 reads literally.

What is added is for means, quaternions and raw scales, in the face's units.
"""

from __future__ import annotations

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from emojax import native
from emojax.deformation.face import MEANS_SCALE
from emojax.encoders import emotion_net, layers, triplane
from emojax.types import Motion

EmotionInput = Literal["encoded", "raw"]

_ATTENTION_HIDDEN = 16
_HIDDEN = 64
_OUTPUTS = (3, 4, 3)  # means, quaternions, scales


class EmotionMotion(nn.Module):
    """The motion network of an emotion.

    Attributes:
      triplane: shape of the encoder of positions.
      reads: "encoded" passes valence and arousal through a small perceptron, "raw" does not.
      implementation: of the encoder, see `triplane.encode`.
    """

    triplane: triplane.TriplaneConfig = triplane.TALKING_GAUSSIAN_FACE
    reads: EmotionInput = "encoded"
    implementation: native.Implementation = "auto"

    @nn.compact
    def __call__(self, means: jax.Array, emotion: jax.Array) -> Motion:
        """Returns what an emotion adds to the Gaussians; batch over emotions with jax.vmap.

        Args:
          means: [N, 3] centres as the face's motion has put them, metres.
          emotion: [2] valence and arousal.

        Returns:
          Motion of means, quaternions and scales.

        Raises:
          ValueError: an array has a wrong shape.
        """
        emotion_net.check(emotion)
        tables = self.param("tables", triplane.init, self.triplane)
        code = emotion
        if self.reads == "encoded":
            code = emotion_net.EmotionEncoder(name="emotion")(emotion)
        num_features, width = self.triplane.num_outputs, code.shape[0]
        attention = layers.Perceptron((num_features, _ATTENTION_HIDDEN, width), name="attention")
        motion = layers.Perceptron(
            (num_features + width, _HIDDEN, _HIDDEN, sum(_OUTPUTS)),
            starts_at_zero=True,
            name="motion",
        )
        features = triplane.encode(tables, means, self.triplane, implementation=self.implementation)
        weighed = nn.relu(attention(features)) * code
        change = motion(jnp.concatenate([features, weighed], axis=-1))
        translation, rotation, scaling = jnp.split(change, (3, 7), axis=-1)
        return Motion(means=MEANS_SCALE * translation, quaternions=rotation, scales=scaling)
