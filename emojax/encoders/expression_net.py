"""Intensities of facial action units -> the code that a face's attention weighs.

All units but the last pass through a small perceptron, which may mix them; the last is AU45, the
blink. It must stay a number that one can turn by hand, so it passes as it is, held to [0, 2].

Source: TalkingGaussian, Li et al. 2024 (its layers and limits; its units are 1, 4, 5, 6, 7, 45, as
OpenFace estimates them, intensities from 0 to 5).
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from emojax.encoders import layers

MAX_BLINK = 2.0  # AU45 at which an eye is shut; estimates beyond it are noise

_HIDDEN = 16


class ExpressionEncoder(nn.Module):
    """The code of an expression, [A] -> [A]; the last entry is the blink itself."""

    @nn.compact
    def __call__(self, action_units: jax.Array) -> jax.Array:
        """Encodes the intensities of one frame.

        Args:
          action_units: [A] 0 to 5, AU45 last, A at least 2.

        Returns:
          [A].

        Raises:
          ValueError: `action_units` is no vector of two or more numbers.
        """
        if jnp.ndim(action_units) != 1 or action_units.shape[0] < 2:
            hint = "; batch with jax.vmap" if jnp.ndim(action_units) > 1 else ""
            raise ValueError(
                f"action_units has shape {jnp.shape(action_units)}, expected (A,) with A at least "
                f"2{hint}"
            )
        mixed, blink = action_units[:-1], action_units[-1:]
        widths = (mixed.shape[0], _HIDDEN, mixed.shape[0])
        mixed = layers.Perceptron(widths, name="perceptron")(mixed)
        return jnp.concatenate([mixed, jnp.clip(blink, 0, MAX_BLINK)])
