"""Where in a frame what is learned: masks from the label picture and the landmarks.

[H, W] float32, 0 or 1. Source: TalkingGaussian scene/dataset_readers.py (method in
`data/labels.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from emojax.data import face68
from emojax.data.labels import Label


class Regions(NamedTuple):
    """Masks of one frame.

    Attributes:
      head: face and hair, without the inside of the mouth.
      hair: hair.
      mouth: inside of the mouth, teeth included.
      lips: the square around the outer lips.
      backdrop: everything that is neither head nor inside of the mouth.
    """

    head: jax.Array
    hair: jax.Array
    mouth: jax.Array
    lips: jax.Array
    backdrop: jax.Array


def regions(labels: jax.Array, landmarks: jax.Array) -> Regions:
    """Returns the masks of a frame.

    Args:
      labels: uint8 [H, W] of `data.labels.Label`.
      landmarks: [68, 2] pixels, pixel centres at whole numbers.
    """

    def shows(kinds: Sequence[Label]) -> jax.Array:
        return sum((labels == kind).astype(jnp.float32) for kind in kinds)

    head, mouth = shows((Label.FACE, Label.HAIR)), shows((Label.MOUTH, Label.TEETH))
    return Regions(
        head=head,
        hair=shows((Label.HAIR,)),
        mouth=mouth,
        lips=lip_square(landmarks, labels.shape),
        backdrop=1 - head - mouth,
    )


def lip_bounds(landmarks: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns centre (x, y) and half side of the square around the outer lips, whole pixels.

    Args:
      landmarks: [68, 2] pixels.
    """
    outer = jnp.floor(landmarks[jnp.array(face68.OUTER_LIP)])
    low, high = outer.min(axis=0), outer.max(axis=0)
    half = jnp.max(high - low) // 2
    center = (low + high) // 2
    return center[0], center[1], half


def lip_square(landmarks: jax.Array, shape: tuple[int, int]) -> jax.Array:
    """Returns the mask of the square around the outer lips, [H, W]; it may reach over the border.

    Args:
      landmarks: [68, 2] pixels.
      shape: (H, W).
    """
    x, y, half = lip_bounds(landmarks)
    rows, columns = jnp.arange(shape[0])[:, None], jnp.arange(shape[1])[None]
    inside = (rows >= y - half) & (rows < y + half) & (columns >= x - half) & (columns < x + half)
    return inside.astype(jnp.float32)


def close_gaps(mask: jax.Array) -> jax.Array:
    """Returns the mask after a 3 x 3 dilation and erosion, [H, W].

    Args:
      mask: 0 or 1.
    """
    return -_largest(-_largest(mask))


def _largest(values: jax.Array) -> jax.Array:
    """The largest value of each 3 x 3 neighbourhood."""
    return jax.lax.reduce_window(values, -jnp.inf, jax.lax.max, (3, 3), (1, 1), "SAME")
