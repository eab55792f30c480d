"""Which Gaussian touches which tile, nearest first.

The picture is cut into tiles of TILE_SIZE x TILE_SIZE pixels, row by row. A pair (tile, Gaussian)
exists when alpha can reach ALPHA_MIN at some pixel centre of the tile: the least exponent over the
rectangle of pixel centres is found exactly (StopThePop, Radl et al. 2024, sec. 4), so a tile that
only the bounding box meets is not listed.

The pairs are kept as a bitmap [tiles, N / 32] over Gaussians in depth order: its shape is static,
it cannot overflow, and no pairs are sorted. The fast twin is `ForEachTile` in
kernels/splat/splat_cpu.h.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from emojax import native
from emojax.splatting import constants
from emojax.splatting.project import Splats

_TILES_AT_ONCE = 64


class Bins(NamedTuple):
    """The pairs of one image.

    Attributes:
      order: [N] int32, the Gaussians by depth, equal depths by index; dead ones last.
      bitmap: [tiles, ceil(N / 32)] uint32; bit i % 32 of word i // 32 belongs to order[i].
      num_pairs: [] int32, before any dropping.
      overflow: [] int32, max(0, num_pairs - capacity).
    """

    order: jax.Array
    bitmap: jax.Array
    num_pairs: jax.Array
    overflow: jax.Array


def tile_grid(width: int, height: int) -> tuple[int, int]:
    """Returns how many tiles a picture has, (columns, rows)."""
    return -(-width // constants.TILE_SIZE), -(-height // constants.TILE_SIZE)


def bin_splats(splats: Splats, *, width: int, height: int, capacity: int | None = None) -> Bins:
    """Lists the pairs of an image.

    Args:
      splats: N projected Gaussians.
      width: of the picture, pixels.
      height: of the picture, pixels.
      capacity: most pairs to keep; beyond it whole Gaussians are dropped, farthest first. None
        keeps all.

    Returns:
      Bins; nothing in it is differentiable.
    """
    splats = jax.lax.stop_gradient(splats)
    order = jnp.argsort(jnp.where(splats.alive, splats.depths, jnp.inf), stable=True)
    columns, rows = tile_grid(width, height)
    sorted_splats = jax.tree.map(lambda x: x[order], splats)

    def hits(tile: jax.Array) -> jax.Array:
        return _hits(sorted_splats, tile % columns, tile // columns, width=width, height=height)

    tiles = jnp.arange(columns * rows)
    bitmap = jax.lax.map(lambda tile: _pack(hits(tile)), tiles, batch_size=_TILES_AT_ONCE)
    # Pairs of each Gaussian: the same bits, summed over tiles.
    (zeros,) = native.match_varying([jnp.zeros_like(order, jnp.int32)], like=[bitmap])
    counts = jax.lax.fori_loop(
        0,
        columns * rows,
        lambda tile, sums: sums + unpack(bitmap[tile], order.shape[0]).astype(jnp.int32),
        zeros,
    )
    num_pairs = jnp.sum(counts, dtype=jnp.int32)
    overflow = jnp.zeros_like(num_pairs)
    if capacity is not None:
        kept = jnp.cumsum(counts) <= capacity
        bitmap = bitmap & _pack(kept)
        overflow = jnp.maximum(num_pairs - capacity, 0)
    return Bins(order.astype(jnp.int32), bitmap, num_pairs, overflow)


def unpack(words: jax.Array, num_bits: int) -> jax.Array:
    """Returns the bits of packed words, [..., ceil(num_bits / 32)] -> [..., num_bits] bool."""
    bits = words[..., None] >> jnp.arange(32, dtype=jnp.uint32) & 1
    return bits.reshape(*words.shape[:-1], -1)[..., :num_bits].astype(bool)


def _pack(bits: jax.Array) -> jax.Array:
    """[N] bool -> [ceil(N / 32)] uint32."""
    padded = jnp.pad(bits, (0, -bits.shape[0] % 32)).reshape(-1, 32).astype(jnp.uint32)
    return jnp.sum(padded << jnp.arange(32, dtype=jnp.uint32), axis=-1, dtype=jnp.uint32)


def _hits(splats: Splats, column: jax.Array, row: jax.Array, *, width: int, height: int):
    """Which splats reach ALPHA_MIN somewhere in one tile: [N] bool."""
    last = constants.TILE_SIZE - 1
    dtype = splats.means.dtype
    u, v = splats.means[:, 0], splats.means[:, 1]
    a, b, c = jnp.moveaxis(splats.conics, -1, 0)
    u0 = column.astype(dtype) * constants.TILE_SIZE + 0.5
    v0 = row.astype(dtype) * constants.TILE_SIZE + 0.5
    u1, v1 = jnp.minimum(u0 + last, width - 0.5), jnp.minimum(v0 + last, height - 0.5)

    def exponent(du, dv):
        return a * du * du + 2 * b * du * dv + c * dv * dv

    # The nearest point of a convex function's rectangle lies on an edge that faces the mean: fix
    # that coordinate and minimise over the other.
    du, dv = jnp.where(u < u0, u0, u1) - u, jnp.where(v < v0, v0, v1) - v
    beside = exponent(du, jnp.clip(-b * du / c, v0 - v, v1 - v))
    above = exponent(jnp.clip(-b * dv / a, u0 - u, u1 - u), dv)
    outside_u, outside_v = (u < u0) | (u > u1), (v < v0) | (v > v1)
    least = jnp.minimum(jnp.where(outside_u, beside, jnp.inf), jnp.where(outside_v, above, jnp.inf))
    least = jnp.where(outside_u | outside_v, least, 0)
    reach = 2 * jnp.log(jnp.maximum(splats.opacities, constants.ALPHA_MIN) / constants.ALPHA_MIN)
    # Columns and rows of pixel centres inside of the bounding box; a dot may fall between them.
    wide = splats.extents * constants.EXTENT_SLACK
    size = jnp.array([width, height], dtype)
    first = jnp.maximum(jnp.ceil(splats.means - 0.5 - wide), 0)
    final = jnp.minimum(jnp.floor(splats.means - 0.5 + wide), size - 1)
    start = jnp.stack([u0, v0]) - 0.5
    in_box = jnp.all((first <= final) & (first <= start + last) & (final >= start), axis=-1)
    return splats.alive & in_box & (least <= reach + constants.TILE_SLACK)
