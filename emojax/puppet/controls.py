"""What the actor does at one instant: muscles of the face, gaze and pose of the head.

Intensities of action units are those of OpenFace, 0 to 5; everything else is 0 to 1, radians or
metres. `Controls` is a pytree whose leading axes are free: [T] of them are a performance.

Action units are those of FACS (Ekman, Friesen 1978): 1 inner brow raiser, 2 outer brow raiser, 4
brow lowerer, 5 upper lid raiser, 6 cheek raiser, 7 lid tightener, 9 nose wrinkler, 10 upper lip
raiser, 12 lip corner puller, 14 dimpler, 15 lip corner depressor, 17 chin raiser, 20 lip stretcher,
23 lip tightener, 25 lips part, 26 jaw drop, 45 blink.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import struct

# OpenFace's units (Baltrusaitis et al. 2018) in the order of its columns.
ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
MAX_INTENSITY = 5.0


@struct.dataclass
class Controls:
    """What the actor does; leading axes are free.

    Attributes:
      action_units: float32 [17] intensities 0 to 5 in the order of `ACTION_UNITS`; 45 at 5 is shut.
      pucker: [] 0 to 1, lips rounded and pushed forward.
      press: [] 0 to 1, lips pressed together: at 1 they are shut, whatever else opens them.
      bite: [] 0 to 1, lower lip against the upper teeth (f, v).
      tongue: [] 0 to 1, tip of the tongue up behind the upper teeth.
      gaze: [2] radians, to the image right and up, relative to the head.
      rotation: [3] radians, pitch (nose down positive), yaw (nose to the image right), roll
        (head's top to the image left) about the neck joint; applied roll first, yaw last.
      translation: [3] metres, world axes (x to the image right, y up, z out of the face).
    """

    action_units: jax.Array
    pucker: jax.Array
    press: jax.Array
    bite: jax.Array
    tongue: jax.Array
    gaze: jax.Array
    rotation: jax.Array
    translation: jax.Array

    @staticmethod
    def neutral() -> Controls:
        """Returns the actor at rest: lips and jaw shut, eyes open, head straight."""
        zero = jnp.zeros((), jnp.float32)
        return Controls(
            action_units=jnp.zeros(len(ACTION_UNITS), jnp.float32),
            pucker=zero,
            press=zero,
            bite=zero,
            tongue=zero,
            gaze=jnp.zeros(2, jnp.float32),
            rotation=jnp.zeros(3, jnp.float32),
            translation=jnp.zeros(3, jnp.float32),
        )


def unit(number: int) -> int:
    """Returns the index of action unit `number` in `Controls.action_units`."""
    return ACTION_UNITS.index(number)
