"""Compositing of premultiplied pictures: the one place where a picture is put over another.

TalkingGaussian `synthesize_fuse.py` and EmoTalkingGaussian Eq. S9, S10: mouth over backdrop, face
over that. A picture is premultiplied when it was drawn over black.
"""

from __future__ import annotations

import jax


def over(image: jax.Array, alpha: jax.Array, behind: jax.Array) -> jax.Array:
    """Puts a picture over another: C + (1 - A) B.

    Args:
      image: [..., H, W, C] premultiplied by its opacity, that is, drawn over black.
      alpha: [..., H, W] opacity of `image`, 0 to 1.
      behind: [..., H, W, C].

    Returns:
      [..., H, W, C].
    """
    return image + (1 - alpha)[..., None] * behind
