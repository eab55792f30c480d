"""A trained head as the function that scenarios ask for: batches of rows -> float pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from emojax import head as heads
from emojax.data.clip import Batch, Clip
from emojax.data.errors import DataError
from emojax.head import Head
from emojax.metrics import scenarios
from emojax.types import Camera, Condition


def drawn_by(head: Head, clip: Clip, *, emotional: bool = True) -> scenarios.Render:
    """Returns what draws rows of a clip with a head, several to a dispatch, compiled once.

    A head with emotions shows those of the batch, and is neutral where it has none.

    Args:
      head: trained on the clip, or one like it.
      clip: that the rows are of.
      emotional: False leaves the emotion's branch out, of a head that has one.

    Raises:
      DataError: the clip's sound features or action units are not those that the head knows.
    """
    return _by_batches(head, clip, _draw, emotional=emotional)


def normals_drawn_by(head: Head, clip: Clip) -> scenarios.Render:
    """Returns what draws the face's normals, as `drawn_by` draws pictures.

    Pictures of normals are float [S, S, 3], x right, y up, z to the viewer, over 0.

    Args:
      head: that has normals.
      clip: that the rows are of.

    Raises:
      DataError: as `drawn_by`, or the head has no normals.
    """
    if not head.config.normals:
        raise DataError(
            expected="a head that has learned normals",
            got="one without",
            fix="Train on a data set with normals.",
        )
    return _by_batches(head, clip, _draw_normals, emotional=True)


def _by_batches(head: Head, clip: Clip, draw: Callable, *, emotional: bool) -> scenarios.Render:
    """What draws rows of a clip by a function of a padded batch."""
    window = clip.audio.values.shape[1:]
    if window != tuple(head.config.window):
        raise DataError(
            expected=f"windows of {head.config.features}, {list(head.config.window)}",
            got=f"windows of {clip.audio.name}, {list(window)}, in {clip.folder}",
            fix="Evaluate on a clip with the sound features that the head was trained on.",
        )
    columns = clip.action_units.places(head.config.action_units)
    focal, principal = jnp.asarray(clip.focal), jnp.asarray(clip.principal)
    feels = emotional and head.config.emotion != "none"

    def render(batches: Iterable[Batch]) -> Iterator[np.ndarray]:
        for some in batches:
            count = len(some.rows)
            # A short last batch repeats its last row: every dispatch has one shape.
            padded = np.minimum(np.arange(scenarios.BATCH), count - 1)
            emotion = None
            if feels:
                known = some.valence_arousal
                known = np.zeros((count, 2), np.float32) if known is None else known
                emotion = known[padded]
            condition = Condition(
                audio=some.audio[padded],
                action_units=some.action_units[padded][:, columns],
                emotion=emotion,
            )
            pose, backdrops = some.world_to_camera[padded], some.backdrops[padded]
            yield from np.asarray(draw(head, condition, pose, backdrops, focal, principal))[:count]

    return render


_draw = jax.jit(heads.render_batch)


@jax.jit
def _draw_normals(
    head: Head,
    condition: Condition,
    world_to_camera: jax.Array,
    backdrops: jax.Array,
    focal: jax.Array,
    principal: jax.Array,
) -> jax.Array:
    """Normals of the face in frames of a clip, [B, S, S, 3]; backdrops give their size."""
    height, width = backdrops.shape[1:3]

    def one(condition: Condition, pose: jax.Array) -> jax.Array:
        camera = Camera(pose, focal, principal, width=width, height=height)
        drawn, _ = heads.draw(head, "face", condition, camera, normals="residuals")
        return drawn.image[..., -3:]

    return jax.vmap(one)(condition, world_to_camera)
