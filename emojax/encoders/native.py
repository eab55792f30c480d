"""The tri-plane encoder by compiled kernels: one call forward, one call backward.

The same function of the same arguments as `triplane._encode_xla`, held equal to it by
tests/encoders/native_test.py. This module owns shapes and the derivative's wiring, nothing else;
the arithmetic is in kernels/triplane/. float32 and float64.

Reverse mode only (`jax.grad`, `jax.vjp`): a custom derivative of foreign code has no forward mode.
Nothing is kept between the two calls but their arguments: finding a cell again is cheaper than
reading its address from memory.
"""

from __future__ import annotations

import dataclasses
import functools

import jax
import numpy as np

from emojax import native


@dataclasses.dataclass(frozen=True)
class Grid:
    """What is static about an encoder; see `triplane.TriplaneConfig` for the meaning of each.

    Attributes:
      scales: [L] cells between the ends of the unit interval.
      offsets: [L + 1] first entry of each level, then the entries of a plane.
      bound: metres.
      smoothstep: bool.
      isa: which library of kernels.
      deterministic: whether a GPU's sums are the same bits in every run.
    """

    scales: tuple[float, ...]
    offsets: tuple[int, ...]
    bound: float
    smoothstep: bool
    isa: str
    deterministic: bool = dataclasses.field(default_factory=native.wants_determinism)

    def attributes(self) -> dict[str, np.generic | np.ndarray]:
        """Returns the kernels' attributes."""
        return {
            "scales": np.array(self.scales, np.float32),
            "offsets": np.array(self.offsets, np.int32),
            "bound": np.float64(self.bound),
            "smoothstep": np.bool_(self.smoothstep),
        }


def encode(grid: Grid, tables: jax.Array, points: jax.Array) -> jax.Array:
    """Looks points up in the three planes.

    Args:
      grid: static settings.
      tables: [3, E, F].
      points: [N, 3] metres.

    Returns:
      [N, 3 L F].
    """
    return _encode(grid, *native.match_varying([tables, points]))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _encode(grid, tables, points):
    columns = tables.shape[0] * len(grid.scales) * tables.shape[2]
    result = jax.ShapeDtypeStruct((points.shape[0], columns), points.dtype)
    (features,) = native.call(
        "triplane_forward", [result], tables, points, isa_name=grid.isa, **grid.attributes()
    )
    return features


def _encode_forward(grid, tables, points):
    # JAX knows while tracing whether a gradient is asked for: None among the residuals, whose
    # structure is static, says that it is not.
    wanted = tuple(() if x.perturbed else None for x in (tables, points))
    tables, points = tables.value, points.value
    return _encode(grid, tables, points), (tables, points, wanted)


def _encode_backward(grid, residuals, cotangent):
    tables, points, wanted = residuals
    results = [
        jax.ShapeDtypeStruct((0, *x.shape[1:]) if want is None else x.shape, x.dtype)
        for x, want in zip((tables, points), wanted, strict=True)
    ]
    attributes = grid.attributes()
    if native.is_device(grid.isa):
        attributes["deterministic"] = np.bool_(grid.deterministic)
        # ScratchWords of kernels/triplane/triplane_cuda.cu: one integer of 64 bits an entry.
        is_fixed = grid.deterministic and wanted[0] is not None
        words = 2 * (1 + tables.size) if is_fixed else 0
        results.append(jax.ShapeDtypeStruct((words,), np.int32))
    gradients = native.call(
        "triplane_backward",
        results,
        tables,
        points,
        cotangent,
        isa_name=grid.isa,
        **attributes,
    )[:2]
    return tuple(
        None if want is None else gradient for gradient, want in zip(gradients, wanted, strict=True)
    )


_encode.defvjp(_encode_forward, _encode_backward, symbolic_zeros=True)
