"""How the inside of a mouth moves: a position and the sound -> a translation.

With H the tri-plane encoding of a Gaussian's canonical mean and a the code of the sound,

    d_mean = scale * M(H, a),    M: 36 + 32 -> 32 -> 32 -> 3,

TalkingGaussian, Li et al. 2024, sec. 3.3, with the numbers of its code. Only means move; teeth and
tongue keep their shape. Expression does not reach the mouth.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from emojax import native
from emojax.encoders import audio_net, layers, triplane
from emojax.types import Condition, Motion

# Metres for one unit of the network's output: a mouth opens along y.
MEANS_SCALE = (2e-3, 1e-2, 2e-3)

_HIDDEN = 32


class MouthMotion(nn.Module):
    """The motion network of the inside of the mouth.

    Attributes:
      triplane: shape of the encoder of positions.
      audio_width: numbers of the code of the sound.
      implementation: of the encoder, see `triplane.encode`.
    """

    triplane: triplane.TriplaneConfig = triplane.TALKING_GAUSSIAN_MOUTH
    audio_width: int = 32
    implementation: native.Implementation = "auto"

    @nn.compact
    def __call__(self, means: jax.Array, condition: Condition) -> Motion:
        """Returns what one frame adds to the Gaussians; batch over conditions with jax.vmap.

        Args:
          means: [N, 3] canonical centres, metres.
          condition: what is said; `action_units` are not read.

        Returns:
          Motion with `means` alone.

        Raises:
          ValueError: an array has a wrong shape.
        """
        tables = self.param("tables", triplane.init, self.triplane)
        code = audio_net.AudioEncoder(self.audio_width, name="audio")(condition.audio)
        num_features = self.triplane.num_outputs
        motion = layers.Perceptron(
            (num_features + self.audio_width, _HIDDEN, _HIDDEN, 3), name="motion"
        )
        features = triplane.encode(tables, means, self.triplane, implementation=self.implementation)
        # (H, a) W = H W_H + a W_a: the second is one row for all points, and the first is shared by
        # all conditions of a batch.
        first, second, last = motion.kernels
        x = nn.relu(features @ first[:num_features] + code @ first[num_features:])
        x = nn.relu(x @ second) @ last
        return Motion(means=x * jnp.array(MEANS_SCALE, x.dtype))
