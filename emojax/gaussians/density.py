"""Density control: where Gaussians are added, and which are removed.

Contract: array -> array. Shapes never change inside a compiled step (capacity N and the `alive`
mask), nothing is random but the jitter of split children, and what found no free slot is counted.
Every function also returns a `SlotMap`; `reset_moments` (optimizer state) and `remap` (other
attributes per Gaussian) make any array that is indexed by slot follow.

Sources: 3DGS (Kerbl et al. 2023, section 5.2 and algorithm 2) in the form of TalkingGaussian (Li et
al. 2024, `scene/gaussian_model.py`). One round there, every 100 steps, is

    gaussians, slots, info = densify(gaussians, statistics, key, ...)
    statistics = reset_moments(statistics, slots)   # children have not been seen yet
    gaussians, slots, info = prune(gaussians, statistics=statistics, ...)
    statistics = init_statistics(gaussians.capacity)

with the optimizer state taken through `reset_moments` after both. Four departures: a split parent
gives its slot to its first child; candidates compete by gradient when slots run out; Gaussians that
are not finite are pruned; and the radius limit of `prune` works: the 3DGS code, and with it
TalkingGaussian, zeroes all radii between densification and the test, so that its 20 px rule never
fires (`max_radius=None` reproduces that).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from flax import struct

from emojax import geometry
from emojax.gaussians import activations
from emojax.types import Gaussians

# A split replaces one Gaussian by two of 1 / 1.6 the size (3DGS section 5.2, "phi = 1.6").
_SPLIT_SHRINK = 1.6


@struct.dataclass
class DensityStatistics:
    """What was seen of each slot since the last densification.

    Attributes:
      gradient_sum: [N] sum over views of |dL / d(mean in normalised device coordinates)|.
      visible_count: [N] int32, views in which the Gaussian was drawn.
      max_radius: [N] int32, pixels, the largest half extent in any view.
    """

    gradient_sum: jax.Array
    visible_count: jax.Array
    max_radius: jax.Array


@struct.dataclass
class SlotMap:
    """Where the content of each slot came from.

    Attributes:
      origin: [N] int32, the old slot whose content is here now; -1 for an emptied or added slot.
      fresh: [N] bool, the slot does not continue an old Gaussian: its optimizer moments must be 0.
      old_capacity: static, number of slots before; differs from N after `grow` and `compact`.
    """

    origin: jax.Array
    fresh: jax.Array
    old_capacity: int = struct.field(pytree_node=False)


class Info(NamedTuple):
    """Counts of one call, int32 []: alive = alive before + cloned + split - pruned.

    Attributes:
      cloned: Gaussians that got a copy.
      split: Gaussians that were replaced by two.
      unplaced: Gaussians that should have been cloned or split, but found no free slot; `grow`.
      pruned: Gaussians removed.
      nonfinite: those of the pruned that had a NaN or infinite parameter.
      alive: living Gaussians afterwards.
    """

    cloned: jax.Array
    split: jax.Array
    unplaced: jax.Array
    pruned: jax.Array
    nonfinite: jax.Array
    alive: jax.Array


def init_statistics(capacity: int) -> DensityStatistics:
    """Returns statistics of nothing seen yet, for `capacity` slots."""
    return DensityStatistics(
        gradient_sum=jnp.zeros(capacity),
        visible_count=jnp.zeros(capacity, jnp.int32),
        max_radius=jnp.zeros(capacity, jnp.int32),
    )


def accumulate(
    statistics: DensityStatistics,
    tap_gradient: jax.Array,
    radii: jax.Array,
    *,
    width: int,
    height: int,
    absolute: bool = False,
) -> DensityStatistics:
    """Adds one view, or several, to the statistics.

    A view counts where the Gaussian was drawn (radius > 0); a gradient that is not finite counts as
    0. Gradients are those of each view's own loss: multiply by the number of views where the loss
    was their mean.

    Args:
      statistics: of N slots.
      tap_gradient: [..., N, 4] cotangent of the splatter's `tap`, per pixel: the gradient of the
        projected mean (u, v), then the sums of its absolute values over pixels.
      radii: [..., N, 2] half extents in pixels, 0 where not drawn, as in `Rendering.radii`.
      width: of the picture, pixels.
      height: of the picture, pixels.
      absolute: static; use the sums of absolute values (AbsGS, Ye et al. 2024), which need a larger
        threshold, in place of the gradient (3DGS).
    """
    num_slots = statistics.gradient_sum.shape[0]
    chex.assert_shape(tap_gradient, (..., num_slots, 4))
    chex.assert_shape(radii, (*tap_gradient.shape[:-1], 2))
    columns = tap_gradient[..., 2:] if absolute else tap_gradient[..., :2]
    # The picture spans 2 units of normalised device coordinates: du / dx_ndc = width / 2.
    norms = jnp.hypot(columns[..., 0] * (0.5 * width), columns[..., 1] * (0.5 * height))
    extents = jnp.max(radii, axis=-1)
    seen = extents > 0
    views = tuple(range(extents.ndim - 1))
    norms = jnp.where(seen & jnp.isfinite(norms), norms, 0)
    return DensityStatistics(
        gradient_sum=statistics.gradient_sum + jnp.sum(norms, axis=views),
        visible_count=statistics.visible_count + jnp.sum(seen, axis=views, dtype=jnp.int32),
        max_radius=jnp.maximum(statistics.max_radius, jnp.max(extents, axis=views)),
    )


def densify(
    gaussians: Gaussians,
    statistics: DensityStatistics,
    key: jax.Array,
    *,
    gradient_threshold: float | jax.Array,
    extent: float | jax.Array,
    dense_fraction: float | jax.Array = 0.005,
) -> tuple[Gaussians, SlotMap, Info]:
    """Clones small Gaussians, and splits large ones, where the image asks for more.

    With g the mean gradient and s the standard deviations, a living Gaussian with g >=
    `gradient_threshold` is cloned if max(s) <= `dense_fraction` * `extent`: an exact copy, whose
    optimizer moments start at 0. Otherwise it is split: replaced by two with means mu + R N(0,
    diag(s)^2) and scales s / 1.6. Copies made by this call are not split in it.

    Each needs one free slot. Candidates take the lowest free slot in the order of their gradients,
    largest first, ties by slot, until there is none; the others stay and count as `unplaced`. The
    jitter depends on `key` and slot alone, so a larger capacity gives the same children.

    Args:
      gaussians: N slots.
      statistics: of the same slots; values that are not finite count as 0.
      key: consumed.
      gradient_threshold: tau, in normalised device coordinates; TalkingGaussian has 2e-4 for the
        mouth and 5e-4 for the face.
      extent: E, metres, 1.1 times the largest distance of a camera from the mean camera.
      dense_fraction: 0.005 in TalkingGaussian, 0.01 in 3DGS.

    Returns:
      Gaussians, the slot map (both children of a split are fresh), and counts.
    """
    chex.assert_shape(statistics.gradient_sum, (gaussians.capacity,))
    gradients = _mean_gradients(statistics)
    candidates = gaussians.alive & (gradients >= gradient_threshold)
    origin, parents, written = _assign_slots(candidates, gradients, gaussians.alive)
    sizes = jnp.max(activations.activate(gaussians).scales, axis=-1)
    split = parents & ~(sizes <= dense_fraction * extent)
    densified = jax.tree.map(lambda rows: rows[origin], gaussians)
    densified = _scatter_children(densified, split[origin], key)
    num_placed, num_split = jnp.sum(parents, dtype=jnp.int32), jnp.sum(split, dtype=jnp.int32)
    info = _count(
        densified,
        cloned=num_placed - num_split,
        split=num_split,
        unplaced=jnp.sum(candidates, dtype=jnp.int32) - num_placed,
    )
    return densified, SlotMap(origin, written | split, gaussians.capacity), info


def prune(
    gaussians: Gaussians,
    *,
    min_opacity: float | jax.Array,
    max_scale: float | jax.Array | None = None,
    max_radius: float | jax.Array | None = None,
    statistics: DensityStatistics | None = None,
    remove: jax.Array | None = None,
) -> tuple[Gaussians, SlotMap, Info]:
    """Removes Gaussians that are too transparent, too large, not finite, or named by the caller.

    TalkingGaussian, at step `it` of a densification that ends at `until`: min_opacity = 0.05 + 0.25
    it / until, and from step 3,000 on max_scale = 0.1 E. A limit may be traced; infinity switches
    one off without a new compilation.

    Args:
      gaussians: N slots.
      min_opacity: those below it go, 0 to 1.
      max_scale: metres; those with a larger standard deviation go.
      max_radius: pixels; those whose `statistics.max_radius` is larger go (20 in 3DGS).
      statistics: needed by `max_radius` only.
      remove: [N] bool, further ones that go, such as those of the background's colour.

    Returns:
      Gaussians with the removed slots parked (`activations.park`), the slot map (removed slots are
      fresh, of origin -1), and counts.

    Raises:
      ValueError: `max_radius` without `statistics`.
    """
    if max_radius is not None and statistics is None:
        raise ValueError("max_radius: expected `statistics` beside it, got None; pass both")
    finite = _all_finite(gaussians)
    active = activations.activate(gaussians)
    keep = finite & (active.opacities >= min_opacity)
    if max_scale is not None:
        keep &= jnp.max(active.scales, axis=-1) <= max_scale
    if max_radius is not None:
        keep &= statistics.max_radius <= max_radius
    if remove is not None:
        keep &= ~remove
    pruned = gaussians.alive & ~keep
    kept = activations.park(gaussians.replace(alive=gaussians.alive & keep))
    origin = jnp.where(pruned, -1, jnp.arange(gaussians.capacity, dtype=jnp.int32))
    info = _count(
        kept,
        pruned=jnp.sum(pruned, dtype=jnp.int32),
        nonfinite=jnp.sum(gaussians.alive & ~finite, dtype=jnp.int32),
    )
    return kept, SlotMap(origin, pruned, gaussians.capacity), info


def grow(gaussians: Gaussians, *, capacity: int) -> tuple[Gaussians, SlotMap]:
    """Adds empty slots behind the present ones; whatever was compiled compiles anew.

    Args:
      gaussians: any cloud.
      capacity: the new number of slots, not less than the present one.

    Returns:
      Gaussians in the same slots, and the slot map (added slots are fresh, of origin -1).

    Raises:
      ValueError: `capacity` is less than the present one.
    """
    if capacity < gaussians.capacity:
        raise ValueError(
            f"capacity: expected at least the present {gaussians.capacity} slots, got {capacity}; "
            "`compact` makes a cloud smaller"
        )
    slots = jnp.arange(capacity, dtype=jnp.int32)
    return _move(gaussians, jnp.where(slots < gaussians.capacity, slots, -1))


def compact(gaussians: Gaussians, *, capacity: int) -> tuple[Gaussians, SlotMap]:
    """Moves the living Gaussians into the lowest slots, in their order, of a cloud of any size.

    Not to be compiled: it counts the living.

    Args:
      gaussians: any cloud.
      capacity: the new number of slots, not less than the number of living Gaussians.

    Returns:
      Gaussians, and the slot map (free slots are fresh, of origin -1).

    Raises:
      ValueError: `capacity` is too small for the living.
    """
    count = int(gaussians.count())
    if capacity < count:
        raise ValueError(
            f"capacity: expected at least the {count} living Gaussians, got {capacity}; `prune` "
            "removes some"
        )
    living = jnp.nonzero(gaussians.alive)[0].astype(jnp.int32)
    return _move(gaussians, jnp.full(capacity, -1, jnp.int32).at[:count].set(living))


def remap(tree: Any, slots: SlotMap) -> Any:
    """Makes attributes that are kept beside the Gaussians follow: copies inherit, new slots get 0.

    Args:
      tree: any pytree of arrays [old_capacity, ...]; scalars stay as they are.
      slots: from the call that changed the Gaussians.

    Returns:
      The tree, with arrays [N, ...].

    Raises:
      ValueError: an array of `tree` has another leading size.
    """
    return _gather(tree, slots.origin, old_capacity=slots.old_capacity)


def reset_moments(tree: Any, slots: SlotMap) -> Any:
    """Makes an optimizer state follow: like `remap`, but 0 in all fresh slots.

    Args:
      tree: the part of the state that belongs to the cloud, of any optax transform: arrays
        [old_capacity, ...]; scalars, such as Adam's step count, stay as they are.
      slots: from the call that changed the Gaussians.

    Returns:
      The tree, with arrays [N, ...].

    Raises:
      ValueError: an array of `tree` has another leading size.
    """
    origin = jnp.where(slots.fresh, -1, slots.origin)
    return _gather(tree, origin, old_capacity=slots.old_capacity)


def _mean_gradients(statistics: DensityStatistics) -> jax.Array:
    """Returns [N] mean gradients over the views that saw the Gaussian, finite, 0 where none did."""
    means = statistics.gradient_sum / jnp.maximum(statistics.visible_count, 1)
    return jnp.where((statistics.visible_count > 0) & jnp.isfinite(means), means, 0)


def _assign_slots(
    candidates: jax.Array, priorities: jax.Array, alive: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Gives candidates, largest priority first, one free slot each, lowest first.

    Returns:
      [N] int32 origin of each slot's content, [N] bool candidates that got a slot, and [N] bool
      free slots that were given away.
    """
    num_slots = alive.shape[0]
    slots = jnp.arange(num_slots, dtype=jnp.int32)
    ranked = jnp.argsort(jnp.where(candidates, -priorities, jnp.inf), stable=True)
    free = jnp.argsort(alive, stable=True)
    placed = slots < jnp.minimum(jnp.sum(candidates), jnp.sum(~alive))
    # Pairs that are not placed point behind the last slot, where `mode="drop"` discards them.
    parents, targets = jnp.where(placed, ranked, num_slots), jnp.where(placed, free, num_slots)
    none = jnp.zeros(num_slots, bool)
    return (
        slots.at[targets].set(ranked.astype(jnp.int32), mode="drop"),
        none.at[parents].set(True, mode="drop"),
        none.at[targets].set(True, mode="drop"),
    )


def _scatter_children(gaussians: Gaussians, is_child: jax.Array, key: jax.Array) -> Gaussians:
    """Jitters and shrinks the [N] slots that hold a copy of a split parent."""
    active = activations.activate(gaussians)
    # One key per slot: the children do not depend on how many slots there are behind them.
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(gaussians.capacity))
    noise = jax.vmap(lambda k: jax.random.normal(k, (3,), gaussians.means.dtype))(keys)
    rotations = geometry.quaternion_to_matrix(active.quaternions)
    offsets = jnp.einsum("nij,nj->ni", rotations, active.scales * noise, precision="highest")
    shrunk = activations.raw_scales(
        active.scales / _SPLIT_SHRINK, activation=gaussians.scale_activation
    )
    return gaussians.replace(
        means=jnp.where(is_child[:, None], gaussians.means + offsets, gaussians.means),
        scales=jnp.where(is_child[:, None], shrunk, gaussians.scales),
    )


def _all_finite(gaussians: Gaussians) -> jax.Array:
    """Returns [N] bool, every parameter of the Gaussian is finite."""
    rows = [
        jnp.isfinite(leaf).reshape(gaussians.capacity, -1) for leaf in jax.tree.leaves(gaussians)
    ]
    return jnp.all(jnp.concatenate(rows, axis=1), axis=1)


def _move(gaussians: Gaussians, origin: jax.Array) -> tuple[Gaussians, SlotMap]:
    """Gathers slots; those of origin -1 are parked."""
    moved = _gather(gaussians, origin, old_capacity=gaussians.capacity)
    return activations.park(moved), SlotMap(origin, origin < 0, gaussians.capacity)


def _gather(tree: Any, origin: jax.Array, *, old_capacity: int) -> Any:
    """Returns the tree with rows origin[i] of each array in row i, and 0 where origin[i] < 0."""

    def rows(path: jax.tree_util.KeyPath, leaf: jax.Array) -> jax.Array:
        if jnp.ndim(leaf) == 0:
            return leaf
        if leaf.shape[0] != old_capacity:
            raise ValueError(
                f"{jax.tree_util.keystr(path)}: expected leading size {old_capacity}, the slots of "
                f"the cloud, got shape {leaf.shape}; pass only what is kept per Gaussian"
            )
        # One zero row behind the last one serves all empty slots, also of a cloud without slots.
        padded = jnp.concatenate([leaf, jnp.zeros((1, *leaf.shape[1:]), leaf.dtype)])
        return padded[jnp.where(origin < 0, old_capacity, origin)]

    return jax.tree_util.tree_map_with_path(rows, tree)


def _count(gaussians: Gaussians, **counts: jax.Array) -> Info:
    """Returns Info with the given counts, the number of the living, and 0 elsewhere."""
    zeros = Info(*[jnp.int32(0)] * len(Info._fields))
    return zeros._replace(alive=gaussians.count(), **counts)
