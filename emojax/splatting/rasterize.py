"""Front-to-back blending of splats, in plain JAX: the definition that every kernel is held to.

`blend_one` is the method: one splat over a block of pixels, EmoTalkingGaussian Eq. 1 and 2 (3DGS
Eq. 2). Everything around it is bookkeeping: lists of tiles, loops whose length depends on the data,
and a derivative of such loops that keeps only the state at the start of each chunk and
differentiates one chunk at a time. The arithmetic itself is differentiated by JAX, so this module
knows no gradient formula; the kernels do (kernels/splat/splat_cpu.h), and tests compare the two.

Exact for any dtype on any device; written to be read. P counts the pixels of a tile, K the
channels.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from emojax import native
from emojax.splatting import constants, tiles
from emojax.splatting.project import Splats

# Splats differentiated at once, and tiles worked on at once: bounds of memory, not of accuracy.
_CHUNK = 32
_TILES_AT_ONCE = 16


class Pixels(NamedTuple):
    """State of a block of pixels between two splats.

    Attributes:
      color: [P, K] sum of weight times features so far.
      transmittance: [P] what is left for splats behind, 1 to 0.
      stopped: [P] bool, no splat behind counts any more.
    """

    color: jax.Array
    transmittance: jax.Array
    stopped: jax.Array


class Splat(NamedTuple):
    """One splat, ready to be blended.

    Attributes:
      mean: [2] pixels.
      conic: [3] (a, b, c).
      opacity: [].
      features: [K].
      attached: [K] 0 or 1; a channel with 0 sends gradient to the features alone.
      tap: [4] zeros, whose cotangent is the densification statistic.
      used: [] bool, false for the padding of a list.
    """

    mean: jax.Array
    conic: jax.Array
    opacity: jax.Array
    features: jax.Array
    attached: jax.Array
    tap: jax.Array
    used: jax.Array


def blend_one(state: Pixels, splat: Splat, centers: jax.Array, *, alpha_max: float) -> Pixels:
    """Blends one splat behind what is already there.

    Args:
      state: of P pixels.
      splat: the next one in depth order.
      centers: [P, 2] pixel centres (u, v).
      alpha_max: cap of alpha.

    Returns:
      The state behind the splat.
    """
    mean = _tap(jnp.broadcast_to(splat.mean, centers.shape), splat.tap)
    du, dv = jnp.moveaxis(mean - centers, -1, 0)
    a, b, c = splat.conic
    # Positive but for rounding at needles; clamped so that no hole opens at their ridge.
    sigma = jnp.maximum(0.5 * (a * du * du + c * dv * dv) + b * du * dv, 0)
    alpha = jnp.minimum(alpha_max, splat.opacity * jnp.exp(-sigma))
    seen = splat.used & (alpha >= constants.ALPHA_MIN) & ~state.stopped
    stops = seen & (state.transmittance * (1 - alpha) <= constants.TRANSMITTANCE_MIN)
    alpha = jnp.where(seen & ~stops, alpha, 0)
    weight = alpha * state.transmittance
    # A detached channel sees the same weights as constants.
    weights = weight[:, None] * splat.attached + jax.lax.stop_gradient(weight)[:, None] * (
        1 - splat.attached
    )
    return Pixels(
        state.color + weights * splat.features,
        state.transmittance * (1 - alpha),
        state.stopped | stops,
    )


@jax.custom_vjp
def _tap(means: jax.Array, tap: jax.Array) -> jax.Array:
    """Returns `means`, [P, 2]; the cotangent of `tap`, [4], is that of the mean, summed over
    pixels, and the sum of its absolute values (AbsGS, Ye et al. 2024).
    """
    del tap
    return means


def _tap_forward(means, tap):
    return _tap(means, tap), None


def _tap_backward(_, cotangent):
    return cotangent, jnp.concatenate([cotangent.sum(0), jnp.abs(cotangent).sum(0)])


_tap.defvjp(_tap_forward, _tap_backward)


def blend(
    splats: Splats,
    features: jax.Array,
    bins: tiles.Bins,
    *,
    width: int,
    height: int,
    alpha_max: float = constants.ALPHA_MAX,
    attached: jax.Array | None = None,
    tap: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Blends binned splats into a picture without background.

    Args:
      splats: N projected Gaussians.
      features: [N, K] any channels.
      bins: the pairs, of `tiles.bin_splats`.
      width: pixels.
      height: pixels.
      alpha_max: cap of one splat's alpha.
      attached: [K] 0 or 1; channels with 0 send no gradient to means, conics and opacities.
      tap: [N, 4] zeros; their cotangent is (gradient of the 2D mean, sum over pixels of its
        absolute value), in 1 / pixels.

    Returns:
      color [H, W, K] and transmittance [H, W].
    """
    n, k = features.shape
    dtype = features.dtype
    if n == 0:
        return jnp.zeros((height, width, k), dtype), jnp.ones((height, width), dtype)
    attached = jnp.ones(k, dtype) if attached is None else attached
    tap = jnp.zeros((n, 4), dtype) if tap is None else tap
    columns, rows = tiles.tile_grid(width, height)
    operands = Splat(
        splats.means[bins.order],
        splats.conics[bins.order],
        splats.opacities[bins.order],
        features[bins.order],
        jnp.broadcast_to(attached, (n, k)),
        tap[bins.order],
        splats.alive[bins.order],
    )
    # All of one kind inside `shard_map`, before the custom derivative, so that cotangents are too.
    leaves = jax.tree.leaves(operands)
    *leaves, bitmap, numbers = native.match_varying(
        [*leaves, bins.bitmap, jnp.arange(columns * rows)]
    )
    operands = jax.tree.unflatten(jax.tree.structure(operands), leaves)
    color, transmittance = jax.lax.map(
        lambda tile: _blend_tile(columns, alpha_max, operands, *tile),
        (bitmap, numbers),
        batch_size=_TILES_AT_ONCE,
    )
    size = constants.TILE_SIZE

    def assemble(blocks):
        grid = blocks.reshape(rows, columns, size, size, *blocks.shape[2:])
        picture = jnp.swapaxes(grid, 1, 2).reshape(rows * size, columns * size, *blocks.shape[2:])
        return picture[:height, :width]

    return assemble(color), assemble(transmittance)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _blend_tile(columns: int, alpha_max: float, operands: Splat, words: jax.Array, tile: jax.Array):
    """One tile: color [P, K] and transmittance [P]."""
    state, _, _ = _run_tile(columns, alpha_max, operands, words, tile, keep=False)
    return state.color, state.transmittance


def _blend_tile_forward(columns, alpha_max, operands, words, tile):
    out = _blend_tile(columns, alpha_max, operands, words, tile)
    return out, (operands, words, tile)


def _blend_tile_backward(columns, alpha_max, residuals, cotangents):
    operands, words, tile = residuals
    _, starts, num_chunks = _run_tile(columns, alpha_max, operands, words, tile, keep=True)
    indices, count = _list(words, operands.used.shape[0])
    centers = _centers(columns, tile, cotangents[0].dtype)

    def step(carry):
        chunk, d_state, d_operands = carry
        chunk = chunk - 1
        taken, slots = _take(operands, indices, count, chunk)
        start = jax.tree.map(lambda x: x[chunk], starts)

        def replay(color, transmittance, splats):
            state = Pixels(color, transmittance, start.stopped)
            splats = splats._replace(used=taken.used)
            end = _blend_chunk(state, splats, centers, alpha_max)
            return end.color, end.transmittance

        _, pull = jax.vjp(replay, start.color, start.transmittance, taken._replace(used=None))
        *d_state, d_taken = pull(d_state)
        d_operands = jax.tree.map(lambda sums, d: sums.at[slots].add(d), d_operands, d_taken)
        return chunk, tuple(d_state), d_operands

    zeros = jax.tree.map(jnp.zeros_like, operands._replace(used=None))
    _, _, d_operands = jax.lax.while_loop(
        lambda carry: carry[0] > 0, step, (num_chunks, cotangents, zeros)
    )
    return d_operands, None, None


_blend_tile.defvjp(_blend_tile_forward, _blend_tile_backward)


def _run_tile(columns, alpha_max, operands, words, tile, *, keep):
    """Blends a tile's list chunk by chunk until it ends or every pixel has stopped.

    Returns the last state, the state at the start of each chunk (with `keep`), and how many chunks
    were run.
    """
    n, k = operands.features.shape
    dtype = operands.features.dtype
    pixels = constants.TILE_SIZE**2
    indices, count = _list(words, n)
    centers = _centers(columns, tile, dtype)
    like = [*jax.tree.leaves(operands), words, tile]
    first = Pixels(
        *native.match_varying(
            [jnp.zeros((pixels, k), dtype), jnp.ones(pixels, dtype), jnp.zeros(pixels, bool)],
            like=like,
        )
    )
    length = -(-n // _CHUNK) if keep else 0
    starts = jax.tree.map(lambda x: jnp.broadcast_to(x, (length, *x.shape)), first)

    def more(carry):
        chunk, state, _ = carry
        return (chunk * _CHUNK < count) & ~jnp.all(state.stopped)

    def step(carry):
        chunk, state, starts = carry
        if keep:
            starts = jax.tree.map(lambda all, x: all.at[chunk].set(x), starts, state)
        taken, _ = _take(operands, indices, count, chunk)
        return chunk + 1, _blend_chunk(state, taken, centers, alpha_max), starts

    (zero,) = native.match_varying([jnp.zeros_like(count)], like=like)
    num_chunks, state, starts = jax.lax.while_loop(more, step, (zero, first, starts))
    return state, starts, num_chunks


def _blend_chunk(state: Pixels, splats: Splat, centers: jax.Array, alpha_max: float) -> Pixels:
    def step(state, splat):
        return blend_one(state, splat, centers, alpha_max=alpha_max), None

    return jax.lax.scan(step, state, splats)[0]


def _list(words: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
    """The set bits of a bitmap row, ascending: indices [N padded to chunks], and how many."""
    bits = tiles.unpack(words, n)
    count = jnp.sum(bits, dtype=jnp.int32)
    places = jnp.where(bits, jnp.cumsum(bits) - 1, n + _CHUNK)
    indices = jnp.zeros(n + -n % _CHUNK, jnp.int32)
    return indices.at[places].set(jnp.arange(n, dtype=jnp.int32), mode="drop"), count


def _take(operands: Splat, indices: jax.Array, count: jax.Array, chunk: jax.Array):
    """The splats of one chunk of a list and their places; padding is marked as not used."""
    slots = jax.lax.dynamic_slice(indices, (chunk * _CHUNK,), (_CHUNK,))
    inside = chunk * _CHUNK + jnp.arange(_CHUNK) < count
    taken = jax.tree.map(lambda x: x[slots], operands)
    return taken._replace(used=taken.used & inside), slots


def _centers(columns: int, tile: jax.Array, dtype) -> jax.Array:
    """[P, 2] pixel centres of a tile."""
    size = constants.TILE_SIZE
    v, u = jnp.divmod(jnp.arange(size * size), size)
    corner = jnp.stack([tile % columns, tile // columns]) * size
    return (corner + jnp.stack([u, v], axis=-1)).astype(dtype) + 0.5
