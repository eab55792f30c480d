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
from emojax.types import Condition


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
    columns = clip.action_units.places(head.config.action_units)
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


_draw = jax.jit(heads.render_batch)
