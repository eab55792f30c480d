"""The tri-plane encoder: three 2D multiresolution grids of features, read at the points' shadows.

A point is projected onto the planes xy, yz and xz. On each plane it is looked up in L grids of
different resolution, bilinearly, and all features are concatenated: by plane, then level, then
feature. Coarse grids are stored node by node; a grid with more nodes than its table has entries
shares them through a hash.

Conventions, those of torch-ngp's grid encoder with align_corners off (which ER-NeRF and
TalkingGaussian use), so that official weights can be loaded:

* unit coordinates t = (p + bound) / (2 bound); where either of a plane's two lies outside [0, 1],
  or is NaN, that plane's features are 0 and carry no gradient;
* level l has the float32 scale s_l = base 2^(l S) - 1, S = log2(growth), and R_l = ceil(s_l) + 1
  cells;
* the point lies at u = s_l t + 0.5 in units of cells: cell floor(u), bilinear weights u - floor(u);
* node (i, j) is entry i + j (R_l + 1) of its level, or (i xor 2654435761 j) mod length where those
  would be too many (in uint32, which wraps around).

Sources: Instant NGP, Mueller et al. 2022, sec. 3; ER-NeRF, Li et al. 2023; TalkingGaussian, Li et
al. 2024. `_encode_xla` is the definition; kernels/triplane/ is the fast form, held equal to it by
tests/encoders/native_test.py.

N counts points, L levels, F features of a level, E entries of a plane.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from emojax import native
from emojax.encoders import native as native_encoders

# The planes, in the order of tables and features: names of the official parameters, coordinates.
PLANES = {"xy": (0, 1), "yz": (1, 2), "xz": (0, 2)}

HASH_PRIME = 2654435761  # Instant NGP, Eq. 4; the first coordinate's factor is 1
INITIAL_RANGE = 1e-4  # tables start as U(-1e-4, 1e-4): Instant NGP, sec. 4


class Level(NamedTuple):
    """One grid of each plane.

    Attributes:
      scale: cells between the two ends of the unit interval, a float32 value.
      resolution: R, cells along one axis.
      offset: first entry of the level in its plane's table.
      length: number of entries.
      is_hashed: whether nodes share entries.
    """

    scale: float
    resolution: int
    offset: int
    length: int
    is_hashed: bool


@dataclasses.dataclass(frozen=True)
class TriplaneConfig:
    """The shape of a tri-plane encoder; static and hashable.

    Attributes:
      num_levels: L.
      num_features: F, features of one level.
      base_resolution: cells of level 0.
      finest_resolution: cells of the last level; need not be whole, and may be smaller than
        `base_resolution` (levels then get coarser).
      log2_table_size: a level has at most 2^this entries.
      bound: half the side of the encoded cube around the origin, metres.
      smoothstep: interpolate with 3f^2 - 2f^3 instead of f, for continuous derivatives.
    """

    num_levels: int
    num_features: int
    base_resolution: int
    finest_resolution: float
    log2_table_size: int
    bound: float
    smoothstep: bool = False

    def __post_init__(self):
        for name in ("num_levels", "num_features", "base_resolution", "log2_table_size"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}, expected a positive int")
        if not 1 <= self.finest_resolution < math.inf:
            raise ValueError(f"finest_resolution is {self.finest_resolution}, expected at least 1")
        if not 0 < self.bound < math.inf:
            raise ValueError(f"bound is {self.bound}, expected a positive number of metres")
        if (numbers := self.num_entries * self.num_features) >= 2**31:
            raise ValueError(f"a plane has {numbers} numbers, expected fewer than 2^31")

    @property
    def growth(self) -> float:
        """Ratio of the resolutions of neighbouring levels."""
        if self.num_levels == 1:
            return 1.0
        ratio = self.finest_resolution / self.base_resolution
        return 2 ** (math.log2(ratio) / (self.num_levels - 1))

    @functools.cached_property
    def levels(self) -> tuple[Level, ...]:
        """All levels, coarsest first unless `growth` is below 1."""
        levels, offset = [], 0
        for i in range(self.num_levels):
            # Two formulas for one resolution, as in the source: its Python sizes tables in float64,
            # its kernel places nodes in float32. They can differ by one where the resolution is
            # whole, and the level is then hashed.
            nodes = (math.ceil(self.base_resolution * self.growth**i) + 1) ** 2
            length = -(-min(2**self.log2_table_size, nodes) // 8) * 8
            exponent = np.float32(i) * np.float32(math.log2(self.growth))
            power = np.float32(2.0 ** float(exponent))
            scale = float(power * np.float32(self.base_resolution) - np.float32(1))
            resolution = math.ceil(scale) + 1
            levels.append(Level(scale, resolution, offset, length, (resolution + 1) ** 2 > length))
            offset += length
        return tuple(levels)

    @property
    def num_entries(self) -> int:
        """E, the entries of one plane."""
        return self.levels[-1].offset + self.levels[-1].length

    @property
    def offsets(self) -> tuple[int, ...]:
        """First entries of all levels, then E."""
        return (*(level.offset for level in self.levels), self.num_entries)

    @property
    def num_outputs(self) -> int:
        """Features of one point, 3 L F."""
        return len(PLANES) * self.num_levels * self.num_features


# TalkingGaussian multiplies the finest resolution by its bound of 0.15: its grids are coarse, never
# hashed, and those of the mouth get coarser from 64 cells to 58.
TALKING_GAUSSIAN_FACE = TriplaneConfig(
    num_levels=12,
    num_features=1,
    base_resolution=16,
    finest_resolution=256 * 0.15,
    log2_table_size=17,
    bound=0.15,
)
TALKING_GAUSSIAN_MOUTH = dataclasses.replace(
    TALKING_GAUSSIAN_FACE, base_resolution=64, finest_resolution=384 * 0.15
)
ER_NERF = TriplaneConfig(
    num_levels=12,
    num_features=1,
    base_resolution=64,
    finest_resolution=512,
    log2_table_size=14,
    bound=1.0,
)


def init(key: jax.Array, config: TriplaneConfig, *, dtype: Any = jnp.float32) -> jax.Array:
    """Returns new tables [3, E, F], uniform in +-1e-4.

    Args:
      key: consumed.
      config: static; decides the number of entries E and of features F.
      dtype: floating.
    """
    shape = (len(PLANES), config.num_entries, config.num_features)
    return jax.random.uniform(key, shape, dtype, -INITIAL_RANGE, INITIAL_RANGE)


def encode(
    tables: jax.Array,
    points: jax.Array,
    config: TriplaneConfig,
    *,
    implementation: native.Implementation = "auto",
) -> jax.Array:
    """Looks points up in the three planes.

    Args:
      tables: [3, E, F] of the planes xy, yz and xz.
      points: [N, 3] metres.
      config: static.
      implementation: "native" (kernels, reverse mode only), "xla" (plain JAX, any dtype and
        device), or "auto": kernels where they exist for the default backend and dtype.

    Returns:
      [N, 3 L F] by plane, then level, then feature. Differentiable in both arrays; at a cell's
      border the derivative by the point is that of the cell above.

    Raises:
      ValueError: an argument has a wrong rank, dtype or size, or the implementation is unknown.
      native.NativeError: implementation is "native" and there are no kernels.
    """
    _check(tables, points, config)
    tables, points = jnp.asarray(tables), jnp.asarray(points)
    if native.wants_kernels(implementation, tables.dtype):
        grid = native_encoders.Grid(
            scales=tuple(level.scale for level in config.levels),
            offsets=config.offsets,
            bound=config.bound,
            smoothstep=config.smoothstep,
            isa=native.isa(),
        )
        return native_encoders.encode(grid, tables, points)
    return _encode_xla(tables, points, config)


def from_official(
    state: Mapping[str, Any], config: TriplaneConfig, *, prefix: str = ""
) -> jax.Array:
    """Returns the tables of a TalkingGaussian or ER-NeRF checkpoint.

    Args:
      state: parameters by name, numpy arrays or CPU tensors, among them encoder_P.embeddings [E, F]
        and encoder_P.offsets [L + 1] for P one of xy, yz, xz.
      config: what they must fit.
      prefix: of these names, up to "encoder".

    Returns:
      [3, E, F] in the dtype of the checkpoint.

    Raises:
      ValueError: a parameter is missing or does not fit `config`.
    """
    tables = []
    for plane in PLANES:
        found = {}
        for kind in ("embeddings", "offsets"):
            name = f"{prefix}encoder_{plane}.{kind}"
            if name not in state:
                raise ValueError(f"{name} is missing, found {sorted(state)}")
            found[kind] = np.asarray(state[name])
        shape = (config.num_entries, config.num_features)
        if found["embeddings"].shape != shape:
            raise ValueError(
                f"{prefix}encoder_{plane}.embeddings has shape {found['embeddings'].shape}, "
                f"expected {shape}"
            )
        if tuple(found["offsets"].tolist()) != config.offsets:
            raise ValueError(
                f"{prefix}encoder_{plane}.offsets is {found['offsets'].tolist()}, "
                f"expected {list(config.offsets)}"
            )
        tables.append(found["embeddings"])
    return jnp.stack(tables)


def to_official(
    tables: jax.Array, config: TriplaneConfig, *, prefix: str = ""
) -> dict[str, np.ndarray]:
    """Returns tables as parameters of an official checkpoint: the inverse of `from_official`."""
    _check_tables(tables, config)
    state = {}
    for plane, table in zip(PLANES, np.asarray(tables), strict=True):
        state[f"{prefix}encoder_{plane}.embeddings"] = table
        state[f"{prefix}encoder_{plane}.offsets"] = np.array(config.offsets, np.int32)
    return state


def _encode_xla(tables: jax.Array, points: jax.Array, config: TriplaneConfig) -> jax.Array:
    # Half precision would not even hit the right cell.
    points = points.astype(jnp.promote_types(points.dtype, jnp.float32))
    inside = jnp.abs(points) <= config.bound  # false for NaN
    unit = jnp.where(inside, (points + config.bound) / (2 * config.bound), 0)
    outputs = []
    for table, axes in zip(tables, PLANES.values(), strict=True):
        used = inside[:, axes].all(axis=-1, keepdims=True)
        outputs.append(jnp.where(used, _interpolate(table, unit[:, axes], config), 0))
    return jnp.concatenate(outputs, axis=-1)


def _interpolate(table: jax.Array, unit: jax.Array, config: TriplaneConfig) -> jax.Array:
    """Features [N, L F] of one plane's table [E, F] at unit coordinates [N, 2]."""
    scale, resolution, offset, length, is_hashed = (
        np.array(column)[:, None] for column in zip(*config.levels, strict=True)
    )
    u = unit * scale[..., None].astype(unit.dtype) + 0.5  # [L, N, 2]
    cell = jnp.floor(u)
    f = u - cell
    if config.smoothstep:
        f = f * f * (3 - 2 * f)
    fx, fy = jnp.moveaxis(f.astype(table.dtype), -1, 0)
    x, y = jnp.moveaxis(cell.astype(jnp.uint32), -1, 0)

    def node(x, y):
        entry = x + y * (resolution + 1).astype(np.uint32)
        if is_hashed.any():
            shared = (x ^ (y * np.uint32(HASH_PRIME))) % length.astype(np.uint32)
            entry = jnp.where(is_hashed, shared, entry)
        return table[entry + offset.astype(np.uint32)]  # [L, N, F]

    def between(low, high, f):
        return low + f[..., None] * (high - low)

    lower = between(node(x, y), node(x + 1, y), fx)
    upper = between(node(x, y + 1), node(x + 1, y + 1), fx)
    features = between(lower, upper, fy)
    return jnp.swapaxes(features, 0, 1).reshape(unit.shape[0], config.num_outputs // len(PLANES))


def _check(tables, points, config: TriplaneConfig) -> None:
    """Raises ValueError naming the first argument that does not fit, before anything is traced."""
    _check_tables(tables, config)
    n = jnp.shape(points)[0] if jnp.ndim(points) else 0
    _check_shape("points", points, (n, 3))
    if jnp.result_type(points) != jnp.result_type(tables):
        raise ValueError(
            f"points has dtype {jnp.result_type(points)}, expected {jnp.result_type(tables)} "
            "as tables has"
        )


def _check_tables(tables, config: TriplaneConfig) -> None:
    _check_shape("tables", tables, (len(PLANES), config.num_entries, config.num_features))
    if not jnp.issubdtype(jnp.result_type(tables), jnp.floating):
        raise ValueError(f"tables has dtype {jnp.result_type(tables)}, expected a floating dtype")


def _check_shape(name: str, array, shape: tuple[int, ...]) -> None:
    if jnp.shape(array) != shape:
        hint = "; batch with jax.vmap" if jnp.ndim(array) > len(shape) else ""
        raise ValueError(f"{name} has shape {jnp.shape(array)}, expected {shape}{hint}")
