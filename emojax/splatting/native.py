"""Splatting by compiled kernels: one call forward, one call backward.

The same function of the same arguments as project + bin + blend in plain JAX, held equal to them by
tests/splatting/native_test.py. This module owns shapes and the derivative's wiring, nothing else;
the arithmetic is in kernels/splat/. float32 and float64.

Kernels of a GPU ("cuda", or the same code "emulated") take memory for their work from XLA, as one
more result of a static size, and keep other things between the passes than a CPU's do; what the
user sees is the same.

Reverse mode only (`jax.grad`, `jax.vjp`): a custom derivative of foreign code has no forward mode.
"""

from __future__ import annotations

import dataclasses
import functools
import os

import jax
import jax.numpy as jnp
import numpy as np

from emojax import native
from emojax.splatting import tiles

_CHUNK = 512  # kChunk of kernels/splat/splat_cpu.h and splat_cuda.cuh
_RECORD = 11  # kRecord of splat_cpu.h
_DEVICE_RECORD = 8  # kRecord of splat_cuda.cuh
_BACKWARD = ("pixel", "splat")  # Variant of splat_unblend.cuh


def _backward_variant() -> int:
    """Which form of the GPU's way back is traced; a setting of measurements."""
    name = os.environ.get("EMOJAX_SPLAT_BACKWARD", _BACKWARD[0])
    if name not in _BACKWARD:
        raise ValueError(f"EMOJAX_SPLAT_BACKWARD is {name!r}, expected one of {_BACKWARD}")
    return _BACKWARD.index(name)


@dataclasses.dataclass(frozen=True)
class Pass:
    """What is static about one splatting pass; see `render.splat` for the meaning of each."""

    width: int
    height: int
    depth: bool
    capacity: int | None
    near: float
    far: float
    dilation: float
    alpha_max: float
    antialias: bool
    use_tap: bool
    isa: str
    deterministic: bool = dataclasses.field(default_factory=native.wants_determinism)
    variant: int = dataclasses.field(default_factory=_backward_variant)

    def attributes(self) -> dict[str, np.generic]:
        """Returns the kernels' attributes."""
        return {
            "capacity": np.int64(self.capacity or 0),
            "depth": np.bool_(self.depth),
            "near_plane": np.float64(self.near),
            "far_plane": np.float64(self.far),
            "dilation": np.float64(self.dilation),
            "alpha_max": np.float64(self.alpha_max),
            "antialias": np.bool_(self.antialias),
        }

    def bins_length(self, num_gaussians: int) -> int:
        """Returns the length of the saved pairs, `BinsLength()` of the kernels."""
        columns, rows = tiles.tile_grid(self.width, self.height)
        if self.capacity:
            return columns * rows + 1 + self.capacity
        return columns * rows * -(-num_gaussians // _CHUNK) * (_CHUNK // 32)


def splat(
    config: Pass,
    means: jax.Array,
    quaternions: jax.Array,
    scales: jax.Array,
    opacities: jax.Array,
    features: jax.Array,
    world_to_camera: jax.Array,
    intrinsics: jax.Array,
    attached: jax.Array,
    tap: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]:
    """Projects, bins and blends.

    Args:
      config: static settings.
      means: [N, 3].
      quaternions: [N, 4].
      scales: [N, 3].
      opacities: [N].
      features: [N, C].
      world_to_camera: [4, 4].
      intrinsics: [4] fx, fy, cx, cy.
      attached: [C + depth] 0 or 1, not differentiable.
      tap: [N, 4] zeros with `config.use_tap`, else [0, 4].

    Returns:
      color [H, W, C + depth], transmittance [H, W], radii [N, 2], num_pairs [], overflow [].
    """
    operands = native.match_varying(
        [
            means,
            quaternions,
            scales,
            opacities,
            features,
            world_to_camera,
            intrinsics,
            attached,
            tap,
        ]
    )
    return _splat(config, *operands)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _splat(config, *operands):
    return tuple(_call_forward(config, *operands, keep=False)[:5])


def _call_forward(config, *operands, keep):
    """Five results, and what the backward pass needs: empty unless kept, where that saves work."""
    *inputs, _, _ = operands
    if native.is_device(config.isa):
        return _call_device_forward(config, *inputs)
    n, channels = inputs[4].shape
    dtype = inputs[0].dtype
    picture = (config.height, config.width)
    results = [
        jax.ShapeDtypeStruct((*picture, channels + config.depth), dtype),
        jax.ShapeDtypeStruct(picture, dtype),
        jax.ShapeDtypeStruct((n, 2), jnp.int32),
        jax.ShapeDtypeStruct((), jnp.int32),
        jax.ShapeDtypeStruct((), jnp.int32),
        jax.ShapeDtypeStruct((n if keep else 0, _RECORD), dtype),
        jax.ShapeDtypeStruct((n if keep else 0,), jnp.int32),
        jax.ShapeDtypeStruct((config.bins_length(n) if keep else 0,), jnp.int32),
    ]
    return native.call(
        "splat_forward",
        results,
        *inputs,
        isa_name=config.isa,
        keep=np.bool_(keep),
        **config.attributes(),
    )


def _call_device_forward(config, *inputs):
    """Five results, and what the backward pass needs."""
    n, channels = inputs[4].shape
    dtype = inputs[0].dtype
    picture = (config.height, config.width)
    words = native.number(
        config.isa,
        "emojax_splat_forward_scratch",
        *(n, config.width, config.height, config.capacity or 0, dtype.itemsize),
    )
    results = [
        jax.ShapeDtypeStruct((*picture, channels + config.depth), dtype),
        jax.ShapeDtypeStruct(picture, dtype),
        jax.ShapeDtypeStruct((n, 2), jnp.int32),
        jax.ShapeDtypeStruct((), jnp.int32),
        jax.ShapeDtypeStruct((), jnp.int32),
        jax.ShapeDtypeStruct((n, _DEVICE_RECORD), dtype),
        jax.ShapeDtypeStruct((config.bins_length(n),), jnp.int32),
        jax.ShapeDtypeStruct(picture, jnp.int32),
        jax.ShapeDtypeStruct((words,), jnp.int32),
    ]
    *outputs, _ = native.call(
        "splat_forward", results, *inputs, isa_name=config.isa, **config.attributes()
    )
    return [*outputs, outputs[1]]


def _splat_forward(config, *operands):
    outputs = _call_forward(config, *operands, keep=True)
    return tuple(outputs[:5]), (operands, outputs[5:])


def _splat_backward(config, residuals, cotangents):
    operands, saved = residuals
    *inputs, attached, tap = operands
    d_color, d_transmittance = cotangents[:2]
    results = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in (*inputs, tap)]
    attributes = {"tap": np.bool_(config.use_tap), **config.attributes()}
    if native.is_device(config.isa):
        attributes |= {
            "deterministic": np.bool_(config.deterministic),
            "variant": np.int64(config.variant),
        }
        words = native.number(
            config.isa,
            "emojax_splat_backward_scratch",
            *(inputs[0].shape[0], attached.shape[0], config.use_tap, config.deterministic),
            inputs[0].dtype.itemsize,
        )
        results.append(jax.ShapeDtypeStruct((words,), jnp.int32))
    d_inputs = native.call(
        "splat_backward",
        results,
        *inputs,
        *saved,
        d_color,
        d_transmittance,
        attached,
        isa_name=config.isa,
        **attributes,
    )
    *d_inputs, d_tap = d_inputs[: len(inputs) + 1]
    return (*d_inputs, jnp.zeros_like(attached), d_tap)


_splat.defvjp(_splat_forward, _splat_backward)
