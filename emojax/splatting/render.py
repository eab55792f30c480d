"""Rendering: one pass over Gaussians and one camera, by kernels or in plain JAX.

`splat` takes constrained arrays and any channels; `render` takes a cloud (`types.Gaussians`) and
draws its colour. Both are pure: they can be jitted, differentiated in reverse mode, mapped over any
argument (`vmap` becomes one batched launch whose shared arguments are read in place) and sharded
with `jax.shard_map`. Under plain `jit` with sharded operands XLA gathers a kernel's operands first:
use `shard_map` there.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from emojax import native
from emojax.gaussians import activations, harmonics
from emojax.splatting import constants, project, rasterize, tiles
from emojax.splatting import native as native_splatting
from emojax.types import Camera, Gaussians, Rendering


def splat(
    means: jax.Array,
    quaternions: jax.Array,
    scales: jax.Array,
    opacities: jax.Array,
    features: jax.Array,
    camera: Camera,
    *,
    background: jax.Array | None = None,
    depth: bool = False,
    detach: Sequence[int] = (),
    tap: jax.Array | None = None,
    capacity: int | None = None,
    antialias: bool = False,
    alpha_max: float = constants.ALPHA_MAX,
    near: float = constants.NEAR,
    far: float = constants.FAR,
    dilation: float = constants.DILATION,
    implementation: native.Implementation = "auto",
) -> Rendering:
    """Draws Gaussians with any number of channels in one pass.

    Gaussians with a NaN or Inf in any argument, a zero quaternion, or an opacity below 1/255 are
    not drawn and receive zero gradient; they never disturb others.

    Args:
      means: [N, 3] world frame, metres.
      quaternions: [N, 4] (w, x, y, z), any length.
      scales: [N, 3] standard deviations, metres.
      opacities: [N] in [0, 1]; 0 for slots that are not used.
      features: [N, C] channels: colour, normals, attention, ...
      camera: where from, and the size of the picture.
      background: [C] or [H, W, C], behind everything; None is black.
      depth: also return the depth map.
      detach: channels whose gradient reaches `features` (and the background) alone: not means,
        quaternions, scales, opacities or camera.
      tap: [N, 4] zeros. Their cotangent is the densification statistic: the loss's gradient with
        respect to the screen position (2), and the sum over pixels of its absolute value (2), in
        1 / pixels.
      capacity: None keeps all (tile, Gaussian) pairs, in a bitmap. A number keeps a list of that
        many pairs, less memory for many Gaussians; beyond it whole Gaussians are dropped, farthest
        first, and `overflow` says how many pairs that were.
      antialias: scale opacities of Gaussians smaller than a pixel by the energy that the dilation
        adds (Mip-Splatting).
      alpha_max: cap of one Gaussian's alpha at a pixel.
      near: smallest depth that is drawn, metres.
      far: largest depth that is drawn, metres.
      dilation: added to both screen variances, square pixels.
      implementation: "native" (kernels), "xla" (plain JAX, any dtype and device), or "auto":
        kernels where they exist for the default backend and dtype.

    Returns:
      A Rendering. Differentiable in all arrays, the camera's among them.

    Raises:
      ValueError: an argument has a wrong rank, dtype or leading dimension, or an option is unknown.
      native.NativeError: implementation is "native" and there are no kernels.
    """
    _check(
        means, quaternions, scales, opacities, features, camera, background, detach, tap, capacity
    )
    _check_options(alpha_max=alpha_max, near=near, far=far, dilation=dilation)
    channels = features.shape[1]
    attached = jnp.array(
        [k not in set(detach) for k in range(channels)] + [True] * depth, means.dtype
    )
    options = {
        "depth": depth, "capacity": capacity, "near": near, "far": far, "dilation": dilation,
        "alpha_max": alpha_max, "antialias": antialias,
    }  # fmt: skip
    run = _native if native.wants_kernels(implementation, means.dtype) else _xla
    color, transmittance, radii, num_pairs, overflow = run(
        means, quaternions, scales, opacities, features, camera, attached, tap, **options
    )
    image = color[..., :channels]
    if background is not None:
        kept = transmittance[..., None]
        behind = attached[:channels] * kept + (1 - attached[:channels]) * jax.lax.stop_gradient(
            kept
        )
        image = image + (behind if detach else kept) * background
    return Rendering(
        image=image,
        alpha=1 - transmittance,
        depth=color[..., channels] if depth else None,
        radii=radii,
        num_pairs=num_pairs,
        overflow=overflow,
    )


def render(
    gaussians: Gaussians,
    camera: Camera,
    *,
    extra: jax.Array | None = None,
    active_degree: int | jax.Array | None = None,
    background: jax.Array | None = None,
    **options,
) -> Rendering:
    """Draws a cloud: its colour from spherical harmonics, and any extra channels, in one pass.

    Args:
      gaussians: the cloud; slots that are not alive, or hold a NaN or Inf, are not drawn and get
        zero gradient.
      camera: where from, and the size of the picture.
      extra: [N, E] more channels, after the three of colour; optional.
      active_degree: highest degree of the harmonics that is used; all by default.
      background: [3 + E] or [H, W, 3 + E]; None is black.
      **options: the keyword arguments of `splat`.

    Returns:
      A Rendering whose image has 3 + E channels.

    Raises:
      ValueError: a field of the cloud or `extra` does not fit, or as `splat`.
    """
    _check_cloud(gaussians, extra)
    # A slot with a NaN is parked before activations and harmonics: their derivatives there are NaN.
    finite = [
        jnp.all(jnp.isfinite(x), axis=tuple(range(1, x.ndim)))
        for x in (
            gaussians.means,
            gaussians.quaternions,
            gaussians.scales,
            gaussians.opacities,
            gaussians.harmonics,
        )
    ]
    alive = functools.reduce(jnp.logical_and, finite, gaussians.alive)
    gaussians = activations.park(gaussians.replace(alive=alive))
    shape = activations.activate(gaussians)
    directions = harmonics.view_directions(gaussians.means, camera)
    colors = harmonics.evaluate(gaussians.harmonics, directions, active_degree=active_degree)
    features = colors if extra is None else jnp.concatenate([colors, extra], axis=-1)
    return splat(
        shape.means,
        shape.quaternions,
        shape.scales,
        shape.opacities,
        features,
        camera,
        background=background,
        **options,
    )


def _native(means, quaternions, scales, opacities, features, camera, attached, tap, **options):
    config = native_splatting.Pass(
        width=camera.width,
        height=camera.height,
        use_tap=tap is not None,
        isa=native.isa(),
        **options,
    )
    intrinsics = jnp.concatenate([camera.focal, camera.principal])
    tap = jnp.zeros((0, 4), means.dtype) if tap is None else tap
    return native_splatting.splat(
        config,
        means,
        quaternions,
        scales,
        opacities,
        features,
        camera.world_to_camera,
        intrinsics,
        attached,
        tap,
    )


def _xla(
    means, quaternions, scales, opacities, features, camera, attached, tap, *,
    depth, capacity, near, far, dilation, alpha_max, antialias,
):  # fmt: skip
    usable = jnp.all(jnp.isfinite(features), axis=-1)
    splats = project.project(
        means,
        quaternions,
        scales,
        opacities,
        camera,
        near=near,
        far=far,
        dilation=dilation,
        antialias=antialias,
        usable=usable,
    )
    planes = jnp.where(splats.alive[:, None], features, 0)
    if depth:
        planes = jnp.concatenate([planes, splats.depths[:, None]], axis=-1)
    size = {"width": camera.width, "height": camera.height}
    bins = tiles.bin_splats(splats, **size, capacity=capacity)
    color, transmittance = rasterize.blend(
        splats, planes, bins, **size, alpha_max=alpha_max, attached=attached, tap=tap
    )
    return color, transmittance, project.radii(splats), bins.num_pairs, bins.overflow


def _check(
    means, quaternions, scales, opacities, features, camera, background, detach, tap, capacity
) -> None:
    """Raises ValueError naming the first argument that does not fit, before anything is traced."""
    n = jnp.shape(means)[0] if jnp.ndim(means) else 0
    dtype = jnp.result_type(means)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"means has dtype {dtype}, expected a floating dtype")
    channels = jnp.shape(features)[-1] if jnp.ndim(features) else 0
    expected = {
        "means": (means, (n, 3)),
        "quaternions": (quaternions, (n, 4)),
        "scales": (scales, (n, 3)),
        "opacities": (opacities, (n,)),
        "features": (features, (n, channels)),
        "camera.world_to_camera": (camera.world_to_camera, (4, 4)),
        "camera.focal": (camera.focal, (2,)),
        "camera.principal": (camera.principal, (2,)),
    }
    if tap is not None:
        expected["tap"] = (tap, (n, 4))
    if background is not None:
        full = (camera.height, camera.width, channels)
        shape = (channels,) if jnp.ndim(background) == 1 else full
        expected["background"] = (background, shape)
    for name, (array, shape) in expected.items():
        if jnp.shape(array) != shape:
            hint = "; batch with jax.vmap" if jnp.ndim(array) > len(shape) else ""
            raise ValueError(f"{name} has shape {jnp.shape(array)}, expected {shape}{hint}")
        if jnp.result_type(array) != dtype:
            raise ValueError(
                f"{name} has dtype {jnp.result_type(array)}, expected {dtype} as means has"
            )
    if channels == 0:
        raise ValueError("features has 0 channels, expected at least 1")
    for name, size in (("width", camera.width), ("height", camera.height)):
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"camera.{name} is {size!r}, expected a positive int")
    if bad := [k for k in detach if not 0 <= k < channels]:
        raise ValueError(f"detach names channels {bad}, expected numbers from 0 to {channels - 1}")
    if capacity is not None and not (isinstance(capacity, int) and 0 < capacity < 2**31):
        raise ValueError(f"capacity is {capacity}, expected None or an int from 1 to 2^31 - 1")


def _check_options(*, alpha_max, near, far, dilation) -> None:
    """Raises ValueError naming a number for which the pass is not defined."""
    for name, value, fits, expected in (
        ("alpha_max", alpha_max, 0 < alpha_max < 1, "a number between 0 and 1"),
        ("near", near, 0 <= near < math.inf, "a number of at least 0"),
        ("far", far, near < far, f"a number above near, {near}"),
        ("dilation", dilation, 0 <= dilation < math.inf, "a number of at least 0"),
    ):
        if not fits:
            raise ValueError(f"{name} is {value}, expected {expected}")


def _check_cloud(gaussians: Gaussians, extra: jax.Array | None) -> None:
    """Raises ValueError naming the field of a cloud, or `extra`, that does not fit."""
    n = jnp.shape(gaussians.means)[0] if jnp.ndim(gaussians.means) else 0
    shapes = {
        "means": (n, 3),
        "quaternions": (n, 4),
        "scales": (n, 3),
        "opacities": (n,),
        "alive": (n,),
    }
    for name, shape in shapes.items():
        got = jnp.shape(getattr(gaussians, name))
        if got != shape:
            raise ValueError(f"gaussians.{name} has shape {got}, expected {shape}")
    got = jnp.shape(gaussians.harmonics)
    if len(got) != 3 or got[0] != n or got[2] != 3 or got[1] not in (1, 4, 9, 16):
        raise ValueError(
            f"gaussians.harmonics has shape {got}, expected ({n}, K, 3) with K of 1, 4, 9 or 16"
        )
    if extra is not None:
        if jnp.ndim(extra) != 2 or jnp.shape(extra)[0] != n:
            raise ValueError(f"extra has shape {jnp.shape(extra)}, expected ({n}, channels)")
        if jnp.result_type(extra) != jnp.result_type(gaussians.means):
            raise ValueError(
                f"extra has dtype {jnp.result_type(extra)}, expected "
                f"{jnp.result_type(gaussians.means)} as means has"
            )
