"""The sound around a frame -> one code: a network per window, then attention over eight windows.

Input is [8, W, D]: the windows of the frames t - 4 ... t + 3, each with W steps of D sound features
(see `data.audio_features`). A window of up to 16 steps is halved four times, which leaves one step;
HuBERT's windows of two steps become one at once and stay so.

Sources: AD-NeRF, Guo et al. 2021, sec. 3.2 (the attention over windows); sizes are those of ER-NeRF
and TalkingGaussian, so that their weights fit (`deformation.official`).
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from emojax.encoders import layers

NUM_WINDOWS = 8
MAX_STEPS = 16  # of a window: what four halvings bring down to one

LEAK = 0.02  # slope of LeakyReLU below 0

_NET_CHANNELS = (32, 32, 64, 64)
_ATTENTION_CHANNELS = (16, 8, 4, 2, 1)


class AudioNet(nn.Module):
    """The code of one window, [..., W, D] -> [..., width].

    Attributes:
      width: numbers of the code.
    """

    width: int = 32

    @nn.compact
    def __call__(self, windows: jax.Array) -> jax.Array:
        """Encodes every window by itself.

        Args:
          windows: [..., W, D] sound features, 1 to 16 steps.

        Returns:
          [..., width].

        Raises:
          ValueError: a window has no steps or more than 16.
        """
        steps = windows.shape[-2]
        if not 1 <= steps <= MAX_STEPS:
            raise ValueError(
                f"a window of sound has {steps} steps, expected 1 to {MAX_STEPS}: audio is "
                f"[..., W, D], got shape {windows.shape}"
            )
        x = windows
        for i, channels in enumerate(_NET_CHANNELS):
            x = layers.convolution(x.shape[-1], channels, stride=2, name=f"conv_{i}")(x)
            x = nn.leaky_relu(x, LEAK)
        x = x.squeeze(-2)
        x = nn.leaky_relu(layers.dense(x.shape[-1], x.shape[-1], name="dense_0")(x), LEAK)
        return layers.dense(x.shape[-1], self.width, name="dense_1")(x)


class AudioAttention(nn.Module):
    """One code for the codes of eight neighbouring windows, [8, C] -> [C]: their weighted mean."""

    @nn.compact
    def __call__(self, codes: jax.Array) -> jax.Array:
        """Weighs the windows by what all of them hold.

        Args:
          codes: [8, C], of the windows t - 4 ... t + 3.

        Returns:
          [C], a convex combination of the rows.
        """
        x = codes
        for i, channels in enumerate(_ATTENTION_CHANNELS):
            x = layers.convolution(x.shape[-1], channels, stride=1, name=f"conv_{i}")(x)
            x = nn.leaky_relu(x, LEAK)
        logits = layers.dense(NUM_WINDOWS, NUM_WINDOWS, name="dense")(x.squeeze(-1))
        return jax.nn.softmax(logits) @ codes


class AudioEncoder(nn.Module):
    """The code of the sound around a frame, [8, W, D] -> [width].

    Attributes:
      width: numbers of the code.
    """

    width: int = 32

    @nn.compact
    def __call__(self, audio: jax.Array) -> jax.Array:
        """Encodes one frame's windows; batch with jax.vmap.

        Args:
          audio: [8, W, D] sound features, 1 to 16 steps.

        Returns:
          [width].

        Raises:
          ValueError: `audio` has another shape.
        """
        if jnp.ndim(audio) != 3 or audio.shape[0] != NUM_WINDOWS:
            hint = "; batch with jax.vmap" if jnp.ndim(audio) > 3 else ""
            raise ValueError(
                f"audio has shape {jnp.shape(audio)}, expected ({NUM_WINDOWS}, W, D){hint}"
            )
        return AudioAttention(name="attention")(AudioNet(self.width, name="net")(audio))
