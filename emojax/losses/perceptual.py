"""Perceptual distance of pictures in patches and crops, whatever network measures it.

The measure is a function (image, target) [B, S, S, C] -> [B], say `experts.lpips.distance` with its
parameters. Patches break up a picture so that small parts weigh as much as large ones
(TalkingGaussian train_face.py, train_mouth.py, train_fuse.py).

TalkingGaussian draws the side of the patches anew in every step: 2 randint(16, 21) and
2 randint(32, 48). Shapes never change inside a compiled step, so here sides come from short lists,
and the grid is shifted at random: every pixel is seen, and the patches' edges fall everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

Measure = Callable[[jax.Array, jax.Array], jax.Array]

# Of 32, 34, ... 40 (mouth, fuse) and 64, 66, ... 94 (face): the ends and the middle.
SMALL_SIDES = (32, 36, 40)
LARGE_SIDES = (64, 80, 94)


def patches(key: jax.Array, image: jax.Array, side: int) -> jax.Array:
    """Returns non-overlapping patches of a picture; the grid is shifted at random.

    Args:
      key: consumed; the same key cuts pictures of the same size at the same places.
      image: [H, W, C].
      side: S of the patches, pixels, at most H and W; static.

    Returns:
      [(H // S) (W // S), S, S, C], row by row; the remainder is dropped.

    Raises:
      ValueError: the picture is smaller than a patch.
    """
    height, width, channels = image.shape
    rows, columns = height // side, width // side
    if not rows or not columns:
        raise ValueError(f"a picture of {height} x {width} has no patch of side {side}")
    spare = jnp.array([height - rows * side, width - columns * side])
    top, left = jax.random.randint(key, (2,), 0, spare + 1)
    covered = jax.lax.dynamic_slice(image, (top, left, 0), (rows * side, columns * side, channels))
    grid = covered.reshape(rows, side, columns, side, channels)
    return jnp.swapaxes(grid, 1, 2).reshape(-1, side, side, channels)


def patch_distance(
    key: jax.Array, image: jax.Array, target: jax.Array, *, side: int, measure: Measure
) -> jax.Array:
    """Returns the mean distance of patches, [].

    Args:
      key: consumed.
      image: [H, W, C].
      target: [H, W, C].
      side: of the patches, pixels; static.
      measure: of batches of pictures.
    """
    return jnp.mean(measure(patches(key, image, side), patches(key, target, side)))


def crop(image: jax.Array, center: jax.Array, side: int) -> jax.Array:
    """Returns a square around a place, moved inside where it would cross the border.

    Args:
      image: [H, W, C].
      center: [2] (column, row) in pixels; may be traced.
      side: S, pixels, at most H and W; static.

    Returns:
      [S, S, C].
    """
    column, row = jnp.round(center - side / 2).astype(jnp.int32)
    # A negative start would count from the end; one too large is moved back.
    start = (jnp.maximum(row, 0), jnp.maximum(column, 0), 0)
    return jax.lax.dynamic_slice(image, start, (side, side, image.shape[-1]))


def crop_distance(
    image: jax.Array, target: jax.Array, center: jax.Array, *, side: int, measure: Measure
) -> jax.Array:
    """Returns the distance of one square of two pictures, [].

    Args:
      image: [H, W, C].
      target: [H, W, C].
      center: [2] (column, row) in pixels, of the lips say.
      side: of the square, pixels; static.
      measure: of batches of pictures.
    """
    pair = (crop(picture, center, side)[None] for picture in (image, target))
    return measure(*pair)[0]
