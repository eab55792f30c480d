"""A trained head as the function that scenarios ask for: batches of rows -> float pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from emojax import head as heads
from emojax.data.clip import Batch, Clip
from emojax.data.errors import DataError
from emojax.head import Head
from emojax.metrics import scenarios
from emojax.types import Camera, Condition


def drawn_by(head: Head, clip: Clip) -> scenarios.Render:
    """Returns what draws rows of a clip with a head, several to a dispatch, compiled once.

    Args:
      head: trained on the clip, or one like it.
      clip: that the rows are of.

    Raises:
      DataError: the clip's sound features or action units are not those that the head knows.
    """
    window = clip.audio.values.shape[1:]
    if window != tuple(head.config.window):
        raise DataError(
            expected=f"windows of {head.config.features}, {list(head.config.window)}",
            got=f"windows of {clip.audio.name}, {list(window)}, in {clip.folder}",
            fix="Evaluate on a clip with the sound features that the head was trained on.",
        )
    for number in head.config.action_units:
        clip.action_units.column(number)  # refuses a unit that the clip lacks
    columns = [clip.action_units.numbers.index(number) for number in head.config.action_units]
    focal, principal = jnp.asarray(clip.focal), jnp.asarray(clip.principal)

    def render(batches: Iterable[Batch]) -> Iterator[np.ndarray]:
        for some in batches:
            count = len(some.rows)
            # A short last batch repeats its last row: every dispatch has one shape.
            padded = np.minimum(np.arange(scenarios.BATCH), count - 1)
            condition = Condition(
                audio=some.audio[padded], action_units=some.action_units[padded][:, columns]
            )
            pose, backdrops = some.world_to_camera[padded], some.backdrops[padded]
            yield from np.asarray(_draw(head, condition, pose, backdrops, focal, principal))[:count]

    return render


@jax.jit
def _draw(
    head: Head,
    condition: Condition,
    world_to_camera: jax.Array,
    backdrops: jax.Array,
    focal: jax.Array,
    principal: jax.Array,
) -> jax.Array:
    """Pictures of a batch, float [B, S, S, 3]."""
    height, width = backdrops.shape[1:3]

    def one(condition: Condition, pose: jax.Array, backdrop: jax.Array) -> jax.Array:
        camera = Camera(pose, focal, principal, width=width, height=height)
        return heads.render(head, condition, camera, backdrop / jnp.float32(255)).image

    return jax.vmap(one)(condition, world_to_camera, backdrops)
