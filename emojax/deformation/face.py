"""How a face moves: a position, the sound and the expression -> changes of mean, rotation and size.

With H the tri-plane encoding of a Gaussian's canonical mean, a the code of the sound and u that of
the action units,

    V_a = A(H),  V_u = relu(U(H))                  A: 36 -> 32 -> 32,  U: 36 -> 16 -> 6
    d = M(H, V_a * a, V_u * u)                     M: 36 + 32 + 6 -> 64 -> 64 -> 10

With `emotional`, a third code e of valence and arousal is weighed and joined in the same way: the
"combined face branch" that EmoTalkingGaussian (arXiv 2502.00654, sec. 4.4) compares itself with.

TalkingGaussian, Li et al. 2024, sec. 3.2 and 3.3, with the numbers of its code. Of d, the first 3
are the translation in units of 1e-2 m; 4 for the quaternion and 3 for the raw scales are taken as
they are. The original has one more for the opacity, which it predicts and never uses.

The products are done in another order than this says: A's last layer has no non-linearity, so that
(V_a * a) W_a = relu(H A_1) (A_2 diag(a) W_a). All that depends on the condition before M's first
ReLU is then in one small matrix, and the points' inputs to it are shared by a batch of conditions.
tests/deformation/official_test.py holds it equal to the equations above.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from emojax import native, numerics
from emojax.encoders import audio_net, emotion_net, expression_net, layers, triplane
from emojax.types import Condition, Motion

MEANS_SCALE = 1e-2  # metres for one unit of the network's output

_AUDIO_ATTENTION_HIDDEN = 32
_EXPRESSION_ATTENTION_HIDDEN = 16
_HIDDEN = 64
_OUTPUTS = (3, 4, 3)  # means, quaternions, scales


class FaceMotion(nn.Module):
    """The motion network of a face.

    Attributes:
      triplane: shape of the encoder of positions.
      audio_width: numbers of the code of the sound.
      emotional: whether `condition.emotion` moves it too; None counts as neutral.
      implementation: of the encoder, see `triplane.encode`.
    """

    triplane: triplane.TriplaneConfig = triplane.TALKING_GAUSSIAN_FACE
    audio_width: int = 32
    emotional: bool = False
    implementation: native.Implementation = "auto"

    @nn.compact
    def __call__(self, means: jax.Array, condition: Condition) -> Motion:
        """Returns what one frame adds to the Gaussians; batch over conditions with jax.vmap.

        Args:
          means: [N, 3] canonical centres, metres. Outside of the encoder's cube nothing moves.
          condition: what is said and shown.

        Returns:
          Motion with all fields. The two attentions do not depend on `condition`, and cost nothing
          in a compiled function that does not use them.

        Raises:
          ValueError: an array has a wrong shape.
        """
        tables = self.param("tables", triplane.init, self.triplane)
        sound = audio_net.AudioEncoder(self.audio_width, name="audio")(condition.audio)
        expression = expression_net.ExpressionEncoder(name="expression")(condition.action_units)
        num_features, num_units = self.triplane.num_outputs, expression.shape[0]
        audio_attention = layers.Perceptron(
            (num_features, _AUDIO_ATTENTION_HIDDEN, self.audio_width), name="audio_attention"
        )
        expression_attention = layers.Perceptron(
            (num_features, _EXPRESSION_ATTENTION_HIDDEN, num_units), name="expression_attention"
        )
        emotion = self._emotion(condition) if self.emotional else jnp.zeros(0, expression.dtype)
        num_inputs = num_features + self.audio_width + num_units + emotion.shape[0]
        motion = layers.Perceptron((num_inputs, _HIDDEN, _HIDDEN, sum(_OUTPUTS)), name="motion")
        features = triplane.encode(tables, means, self.triplane, implementation=self.implementation)

        sound_hidden = nn.relu(features @ audio_attention.kernels[0])
        heard = sound_hidden @ audio_attention.kernels[1]  # V_a [N, 32]
        shown = nn.relu(expression_attention(features))  # V_u [N, A]
        others, codes = [shown], [expression]
        if self.emotional:
            emotion_attention = layers.Perceptron(
                (num_features, _EXPRESSION_ATTENTION_HIDDEN, emotion.shape[0]),
                name="emotion_attention",
            )
            others.append(nn.relu(emotion_attention(features)))
            codes.append(emotion)

        first, second, last = motion.kernels
        by_position, by_sound, by_others = jnp.split(
            first, (num_features, num_features + self.audio_width)
        )
        weights = jnp.concatenate(
            [
                by_position,
                audio_attention.kernels[1] @ (sound[:, None] * by_sound),
                jnp.concatenate(codes)[:, None] * by_others,
            ]
        )
        x = nn.relu(jnp.concatenate([features, sound_hidden, *others], axis=-1) @ weights)
        x = nn.relu(x @ second) @ last
        translation, rotation, scaling = jnp.split(x, (3, 7), axis=-1)
        return Motion(
            means=MEANS_SCALE * translation,
            quaternions=rotation,
            scales=scaling,
            audio_attention=_length(heard),
            expression_attention=_length(shown),
        )

    def _emotion(self, condition: Condition) -> jax.Array:
        """The code of valence and arousal, [6]."""
        emotion = condition.emotion
        if emotion is None:
            emotion = jnp.zeros(emotion_net.NUM_INPUTS)
        return emotion_net.EmotionEncoder(name="emotion")(emotion)


def _length(x: jax.Array) -> jax.Array:
    """Euclidean length along the last axis; 0 with zero gradient where x = 0."""
    return numerics.safe_sqrt(jnp.sum(x * x, axis=-1))
