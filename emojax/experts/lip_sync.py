"""Offset and confidence of lips and sound, as syncnet_python computes them (SyncNetInstance.py).

Features are [T, D], one row a window of five frames. Every frame's features are compared with sound
shifted by -V to V frames, zeros beyond the ends; the mean distance over time has its minimum at the
offset. LSE-D (Sync-E) is that minimum, LSE-C (Sync-C) the median over shifts less the minimum.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from emojax.experts import layers
from emojax.experts.checkpoint.refusal import CheckpointError

MAX_SHIFT = 15  # frames, run_syncnet.py
EPSILON = 1e-6  # added to the difference: torch.nn.functional.pairwise_distance
SMOOTHING = 9  # frames of the median over which confidence is shown


class Sync(NamedTuple):
    """How well lips and sound agree.

    Attributes:
      offset: int [], frames by which the sound has to be moved; positive: the sound is late.
      distance: [] LSE-D, Sync-E: smaller is better.
      confidence: [] LSE-C, Sync-C: larger is better.
      mean_distances: [2 V + 1] by shift.
      framewise: [T] confidence of each frame at the offset, median of nine frames.
    """

    offset: jax.Array
    distance: jax.Array
    confidence: jax.Array
    mean_distances: jax.Array
    framewise: jax.Array


def distances(video: jax.Array, sound: jax.Array, *, max_shift: int = MAX_SHIFT) -> jax.Array:
    """Returns distances [T, 2 V + 1]: entry (i, j) is of frame i and the sound of i + j - V.

    Args:
      video: [T, D].
      sound: [T, D].
      max_shift: V, frames.

    Raises:
      CheckpointError: lengths or widths differ, or there is no frame.
    """
    video, sound = jnp.asarray(video), jnp.asarray(sound)
    if video.ndim != 2 or video.shape != sound.shape or not len(video):
        raise CheckpointError(
            expected="features [T, D] of lips and sound of one length, T >= 1",
            got=f"{list(video.shape)} and {list(sound.shape)}",
            fix="Cut both to the same number of windows.",
        )
    padded = jnp.pad(sound, ((max_shift, max_shift), (0, 0)))
    shifted = jnp.stack([padded[j : j + len(video)] for j in range(2 * max_shift + 1)], axis=1)
    return jnp.sqrt(jnp.sum((video[:, None] - shifted + EPSILON) ** 2, axis=-1))


def evaluate(table: jax.Array) -> Sync:
    """Returns offset, LSE-D and LSE-C.

    Args:
      table: [T, 2 V + 1] of `distances`.
    """
    mean = jnp.mean(table, axis=0)
    best = jnp.argmin(mean)
    middle = (table.shape[1] - 1) // 2
    framewise = jnp.sort(mean)[middle] - table[:, best]
    reach = SMOOTHING // 2
    padded = jnp.pad(framewise, reach)  # as scipy.signal.medfilt: zeros beyond the ends
    views = jnp.stack([padded[i : i + len(framewise)] for i in range(SMOOTHING)])
    return Sync(
        offset=middle - best,
        distance=mean[best],
        confidence=jnp.sort(mean)[middle] - mean[best],
        mean_distances=mean,
        framewise=jnp.median(views, axis=0),
    )


def loss(lip_embedding: jax.Array, audio_embedding: jax.Array) -> jax.Array:
    """Returns the mean squared distance of embeddings of the same windows, [].

    EmoTalkingGaussian, Eq. 9, with a mean over channels: sums would dwarf every other term.

    Args:
      lip_embedding: [B, 1024].
      audio_embedding: [B, 1024].
    """
    return jnp.mean(jnp.square(lip_embedding - audio_embedding))


def cosine(face_embedding: jax.Array, audio_embedding: jax.Array) -> jax.Array:
    """Returns the cosine of embeddings [B, D] `face_embedding` and `audio_embedding`, [B]."""
    return jnp.sum(layers.unit(face_embedding) * layers.unit(audio_embedding), axis=-1)
