"""Landmarks from heat maps, and the square that a face is cut out by, as face-alignment does.

Points are (column, row). An integer peak at (c, r), numbered from 0, with equal neighbours decodes
to (c + 0.5, r + 0.5): pixel centres are at halves. A crop is a square of 200 `scale` pixels around
`center`, its corners truncated to whole pixels, zeros outside of the picture, resized to 256.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from emojax.experts import inputs
from emojax.experts.checkpoint.refusal import CheckpointError

REFERENCE = 200.0  # pixels of a crop's side at scale 1
DETECTOR_REFERENCE = 195.0  # width plus height of a detector's box at scale 1 (S3FD)
LIFT = 0.12  # share of the box by which its centre is moved up
PIXELS = 4  # of the crop, to a pixel of a heat map
SIDE = 256


def decode(maps: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the peaks [B, K, 2] in heat-map pixels, a quarter towards the higher neighbour.

    Args:
      maps: [B, K, H, W].

    Returns:
      The points and the values of the peaks [B, K]. Among equal peaks the first counts.
    """
    maps = inputs.array("heatmaps", maps, ("B", "K", "H", "W"))
    column, row, scores = _peaks(maps)
    height, width = maps.shape[2:]

    def at(columns, rows):
        """Values beside the peaks, clamped to the map."""
        place = jnp.clip(rows, 0, height - 1) * width + jnp.clip(columns, 0, width - 1)
        flat = maps.reshape(*maps.shape[:2], -1)
        return jnp.take_along_axis(flat, place[..., None], axis=-1)[..., 0]

    inside = (column > 0) & (column < width - 1) & (row > 0) & (row < height - 1)
    right = jnp.sign(at(column + 1, row) - at(column - 1, row))
    below = jnp.sign(at(column, row + 1) - at(column, row - 1))
    shift = 0.25 * jnp.where(inside[..., None], jnp.stack([right, below], axis=-1), 0)
    return jnp.stack([column, row], axis=-1) + 0.5 + shift, scores


def emostyle_decode(maps: jax.Array) -> jax.Array:
    """Returns peaks as EmoStyle takes them: whole heat-map pixels times 4, 0 where not positive.

    Args:
      maps: [B, K, H, W].
    """
    column, row, scores = _peaks(inputs.array("heatmaps", maps, ("B", "K", "H", "W")))
    points = jnp.stack([column, row], axis=-1).astype(jnp.float32) * PIXELS
    return jnp.where(scores[..., None] > 0, points, 0)


def soft_decode(maps: jax.Array, *, sharpness: float = 10.0) -> jax.Array:
    """Returns weighted mean places [B, K, 2] in heat-map pixels, through which gradients flow.

    Args:
      maps: [B, K, H, W].
      sharpness: of the softmax; the higher, the nearer to `decode` and the smaller the gradients.
    """
    maps = inputs.array("heatmaps", maps, ("B", "K", "H", "W"))
    height, width = maps.shape[2:]
    weights = jax.nn.softmax(sharpness * maps.reshape(*maps.shape[:2], -1), axis=-1)
    rows, columns = jnp.divmod(jnp.arange(height * width), width)
    places = jnp.stack([columns, rows], axis=-1) + 0.5
    return jnp.einsum("bkn,nc->bkc", weights, places, precision=jax.lax.Precision.HIGHEST)


def to_image(
    points: jax.Array, center: jax.Array, scale: jax.Array, *, size: int = SIDE // PIXELS
) -> jax.Array:
    """Returns points of heat maps in the picture, truncated to whole pixels as the original.

    Args:
      points: [..., 2] in heat-map pixels.
      center: [2] of the crop.
      scale: [] of the crop.
      size: of the heat maps.
    """
    return jnp.trunc(_to_image(points, center, scale, size))


def box_to_crop(box: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns center [2] and scale [] of the crop for a detector's box.

    Args:
      box: [4] left, top, right, bottom.
    """
    low, high = box[:2], box[2:4]
    center = high - (high - low) / 2 - jnp.array([0.0, LIFT]) * (high - low)
    return center, jnp.sum(high - low) / DETECTOR_REFERENCE


def face_crop(image: jax.Array, center: jax.Array, scale: jax.Array) -> jax.Array:
    """Returns the crop [256, 256, C], bilinear; gradients flow to the picture.

    Bytes give rounded bytes (cv2's fixed point may differ by one), floats give floats.

    Args:
      image: [H, W, C].
      center: [2] (column, row).
      scale: [].

    Raises:
      CheckpointError: the crop lies outside of the picture, or has no area (where known).
    """
    image = inputs.array("image", image, ("H", "W", "C"))
    _refuse_outside(image.shape, center, scale)
    low, high = crop_corners(center, scale)
    weights, places = [], []
    for axis in (1, 0):  # rows, then columns
        length = (high - low)[axis]
        place = (jnp.arange(SIDE) + 0.5) * (length / SIDE) - 0.5
        place = jnp.clip(place, 0, length - 1)
        first = jnp.floor(place).astype(jnp.int32)
        second = jnp.minimum(first + 1, length - 1)
        weights.append(jnp.stack([1 - (place - first), place - first]))
        places.append(jnp.stack([first, second]) + low[axis])
    pixels = _sample(image.astype(jnp.float32), *places)  # [2, 256, 2, 256, C]
    out = jnp.einsum("ai,bj,aibjc->ijc", *weights, pixels, precision=jax.lax.Precision.HIGHEST)
    if jnp.issubdtype(image.dtype, jnp.floating):
        return out
    return jnp.floor(out + 0.5).astype(image.dtype)


def crop_corners(center: jax.Array, scale: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the crop's upper left and lower right corner, int32 [2] each.

    Args:
      center: [2] (column, row).
      scale: [].
    """
    low, high = (
        jnp.trunc(_to_image(jnp.full(2, corner), center, scale, SIDE)).astype(jnp.int32)
        for corner in (1.0, float(SIDE))
    )
    return low, high


def _to_image(points: jax.Array, center: jax.Array, scale: jax.Array, size: int) -> jax.Array:
    """The inverse of the original's map of a square of `size` pixels."""
    side = REFERENCE * jnp.asarray(scale)
    return (jnp.asarray(points) / size - 0.5) * side + jnp.asarray(center)


def _peaks(maps: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Column, row and value of each map's maximum."""
    flat = maps.reshape(*maps.shape[:2], -1)
    row, column = jnp.divmod(jnp.argmax(flat, axis=-1), maps.shape[-1])
    return column, row, jnp.max(flat, axis=-1)


def _sample(image: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Pixels at rows [a, i] and columns [b, j], [a, i, b, j, C]; zeros outside."""
    height, width = image.shape[:2]
    inside = ((rows >= 0) & (rows < height))[:, :, None, None] & (
        (columns >= 0) & (columns < width)
    )
    found = image[jnp.clip(rows, 0, height - 1)[:, :, None, None], jnp.clip(columns, 0, width - 1)]
    return jnp.where(inside[..., None], found, 0)


def _refuse_outside(shape: tuple[int, ...], center: jax.Array, scale: jax.Array) -> None:
    """Refuses, outside of traces, a crop that does not meet the picture."""
    if isinstance(center, jax.core.Tracer) or isinstance(scale, jax.core.Tracer):
        return
    low, high = (np.asarray(corner) for corner in crop_corners(center, scale))
    size = np.array(shape[1::-1])
    if not (np.isfinite(np.asarray(center)).all() and np.isfinite(float(scale))):
        got = f"center {np.asarray(center)}, scale {scale}"
    elif (high - low < 1).any() or (high <= 0).any() or (low >= size).any():
        got = f"columns {low[0]} to {high[0]}, rows {low[1]} to {high[1]}"
    else:
        return
    raise CheckpointError(
        expected=f"a crop that meets the picture of {size[0]} x {size[1]} pixels",
        got=got,
        fix="Give the centre (column, row) in pixels of this picture and a positive scale.",
    )
