"""What an actor wears and muscles do not move: hair, and the body in its clothes.

Lengths are head heights; frames are those of `emojax.puppet.rig`.
"""

from __future__ import annotations

import jax.numpy as jnp

from emojax.puppet.controls import Controls
from emojax.puppet.identity import Identity
from emojax.puppet.primitives import Ball, Rod, mix
from emojax.puppet.rig import METERS, Body, Hair, head_to_world


def hair(identity: Identity) -> Hair:
    """Returns hairline, volume and length of the hair.

    Args:
      identity: one person.
    """
    i = identity
    f = jnp.float32
    long = jnp.clip(5 * i.hair_length, 0, 1)
    radius = mix(f(0.20), 0.362 + 0.03 * i.hair_volume + 0.02 * i.hair_curl, long)
    bald = jnp.clip(20 * (i.hairline - 0.9), 0, 1)
    return Hair(
        front=0.30 + 0.05 * i.hairline + 0.22 * bald - 0.115 * i.fringe + 0.01 * i.skull_height,
        thickness=mix(
            0.014 + 0.060 * i.hair_volume + 0.05 * i.hair_curl * i.hair_volume, f(0.006), bald
        ),
        sides=mix(
            f(0.45), f(1.0), jnp.maximum(long, jnp.maximum(i.hair_curl, 1 - 2 * i.hair_volume))
        ),
        parting=jnp.clip(0.75 - 2 * i.hair_curl - 2 * i.fringe, 0, 0.5),
        fall=Rod(
            f(0.0),
            f(0.10),
            f(-0.13),
            f(0.0),
            -0.15 - 0.50 * i.hair_length,
            f(-0.15),
            radius,
            radius * 0.86,
        ),
        curl=i.hair_curl,
        recede=jnp.clip(2 * i.hairline, 0, 1),
        beard=i.beard,
    )


def body(identity: Identity, controls: Controls) -> Body:
    """Returns neck and shoulders, and the transform to where they are still.

    Args:
      identity: one person.
      controls: of one instant.
    """
    i = identity
    f = jnp.float32
    pose = head_to_world(controls)
    turn, shift = pose[:3, :3], pose[:3, 3] / METERS
    radius = 0.192 * (1 + 0.16 * i.neck_width)
    foot = jnp.matmul(turn.T, jnp.array([0.0, -0.80, -0.17]) - shift, precision="highest")
    broad = 1 + 0.09 * i.shoulder_width
    return Body(
        rotation=tuple(turn[j, k] for j in range(3) for k in range(3)),
        shift=tuple(shift[j] for j in range(3)),
        neck=Rod(f(0.0), f(-0.25), f(-0.11), foot[0], foot[1], foot[2], radius, radius * 1.12),
        trapezius=Rod(
            f(0.06), f(-0.60), f(-0.20), 0.74 * broad, f(-0.88), f(-0.20), f(0.12), f(0.16)
        ),
        chest=Ball(f(0.0), f(-1.24), f(-0.15), 0.66 * broad, f(0.50), f(0.29)),
        arm=Rod(
            0.74 * broad, f(-0.92), f(-0.20), 0.84 * broad, f(-1.60), f(-0.12), f(0.15), f(0.13)
        ),
        neckline=i.neckline,
    )
