"""The colours of a person: linear reflectances, three numbers each.

Skin, hair and eyes owe theirs to pigment (`Identity.melanin` and its like), which mixes between
colours chosen by eye.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from emojax.puppet.identity import Identity
from emojax.puppet.primitives import mix

# Linear reflectance of skin by melanin: fair, medium, brown, dark; chosen by eye.
_TONES = (
    (0.0, (0.840, 0.610, 0.500)),
    (0.35, (0.660, 0.420, 0.300)),
    (0.7, (0.370, 0.195, 0.120)),
    (1.0, (0.160, 0.085, 0.056)),
)


class Look(NamedTuple):
    """Colours (three numbers each) and amounts of one person's paint."""

    skin: tuple
    lip: tuple
    iris: tuple
    hair: tuple
    brow: tuple
    whisker: tuple
    cloth: tuple
    stripe: tuple
    blood: jax.Array
    freckles: jax.Array
    lashes: jax.Array
    beard: jax.Array


def blend(a: tuple, b: tuple, share: jax.Array) -> tuple:
    """Returns the colour between a and b, three of [...] each, at `share` of the way."""
    return tuple(mix(p, q, share) for p, q in zip(a, b, strict=True))


def look(identity: Identity) -> Look:
    """Returns the colours of a person.

    Args:
      identity: one person.
    """
    i = identity
    tone = _TONES[0][1]
    for (low, _), (high, color) in itertools.pairwise(_TONES):
        tone = blend(tone, color, jnp.clip((i.melanin - low) / (high - low), 0, 1))
    blood = 0.10 + 0.25 * i.ruddiness
    lip = tuple(t * c for t, c in zip(tone, (0.80, 0.44, 0.46), strict=True))
    vivid = tuple(t * c for t, c in zip(tone, (0.74, 0.26, 0.31), strict=True))
    blue = blend((0.18, 0.30, 0.44), (0.17, 0.27, 0.15), i.iris_green)
    brown = blend(
        (0.20, 0.11, 0.045), (0.055, 0.026, 0.014), jnp.clip(2 * i.iris_melanin - 1, 0, 1)
    )
    fair = blend((0.56, 0.38, 0.19), (0.42, 0.13, 0.04), i.hair_redness)
    medium = blend((0.16, 0.085, 0.042), (0.20, 0.06, 0.022), i.hair_redness)
    hair = blend(fair, medium, jnp.clip(2 * i.hair_melanin, 0, 1))
    hair = blend(hair, (0.014, 0.010, 0.008), jnp.clip(2 * i.hair_melanin - 1, 0, 1))
    gray = blend(hair, (0.50, 0.49, 0.48), i.hair_gray)
    brow = tuple(0.75 * h * (1 - 0.5 * h) for h in blend(hair, gray, jnp.float32(0.3)))
    wheel = tuple(
        0.5 + 0.5 * jnp.cos(2 * jnp.pi * (i.cloth_hue - shift)) for shift in (0.0, 1 / 3, 2 / 3)
    )
    level = 0.035 + 0.60 * i.cloth_light * i.cloth_light
    cloth = tuple(level * mix(1.0, 0.15 + 1.5 * w, 0.75 * i.cloth_chroma) for w in wheel)
    stripe = tuple(mix(c, 0.55 - 0.8 * c, i.pattern) for c in cloth)
    return Look(
        skin=tone,
        lip=blend(lip, vivid, i.lip_redness),
        iris=blend(blue, brown, jnp.clip(2 * i.iris_melanin, 0, 1)),
        hair=gray,
        brow=brow,
        whisker=tuple(0.8 * h * (1 - 0.4 * h) for h in gray),
        cloth=cloth,
        stripe=stripe,
        blood=blood,
        freckles=i.freckles,
        lashes=0.45 + 0.5 * i.lashes,
        beard=i.beard,
    )
