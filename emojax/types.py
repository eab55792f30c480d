"""The nouns of emojax: what every other module takes and returns.

Conventions, held everywhere:

* World frame: right-handed, head-fixed, metres.
* Camera frame (OpenCV): x right, y down, +z forward; `world_to_camera` maps world points to it.
* Image frame: pixel (u, v) = (column, row); the centre of the first pixel is (0.5, 0.5).
* Quaternions are (w, x, y, z) and need not be normalised.
* Arrays of pictures are [height, width, channels], linear floats, 0 to 1 for colour.
* N counts all slots of a cloud, alive or not; shapes never change inside a compiled step.
"""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from flax import struct

ScaleActivation = Literal["softplus", "exp"]


@struct.dataclass
class Gaussians:
    """A cloud of 3D Gaussians in raw (unconstrained) parameters, with a fixed number of slots.

    Raw parameters become constrained ones in `gaussians.activations`. Slots that are not alive are
    never drawn, whatever their values, and receive zero gradient.

    Attributes:
      means: [N, 3] centres, world frame, metres.
      quaternions: [N, 4] rotations (w, x, y, z), any non-zero length.
      scales: [N, 3] raw standard deviations along the rotated axes.
      opacities: [N] logits.
      harmonics: [N, (degree + 1)^2, 3] spherical-harmonics coefficients of RGB.
      alive: [N] bool, the slots in use.
      normals: [N, 3] what is added to each one's geometric normal, world frame (see
        `gaussians.normals`); None where surfaces are not asked for.
      scale_activation: static; "softplus" (TalkingGaussian) or "exp" (3DGS), raw -> metres.
    """

    means: jax.Array
    quaternions: jax.Array
    scales: jax.Array
    opacities: jax.Array
    harmonics: jax.Array
    alive: jax.Array
    normals: jax.Array | None = None
    scale_activation: ScaleActivation = struct.field(pytree_node=False, default="softplus")

    @property
    def capacity(self) -> int:
        """Number of slots N, alive or not."""
        return self.means.shape[-2]

    @property
    def degree(self) -> int:
        """Degree of the spherical harmonics that fit into `harmonics`."""
        return round(self.harmonics.shape[-2] ** 0.5) - 1

    def count(self) -> jax.Array:
        """Returns the number of alive slots, int32 []."""
        return jnp.sum(self.alive, axis=-1, dtype=jnp.int32)


@struct.dataclass
class Camera:
    """A pinhole camera; every array may carry gradients.

    Attributes:
      world_to_camera: [4, 4] rigid transform, last row (0, 0, 0, 1); OpenCV axes.
      focal: [2] focal lengths (fx, fy), pixels.
      principal: [2] principal point (cx, cy), pixels, first pixel's centre at (0.5, 0.5).
      width: static, pixels.
      height: static, pixels.
    """

    world_to_camera: jax.Array
    focal: jax.Array
    principal: jax.Array
    width: int = struct.field(pytree_node=False)
    height: int = struct.field(pytree_node=False)


@struct.dataclass
class Rendering:
    """What one splatting pass returns.

    Attributes:
      image: [H, W, C] the C feature channels, composited over the background.
      alpha: [H, W] accumulated opacity, 0 to 1 (Eq. 2 of EmoTalkingGaussian, arXiv 2502.00654).
      depth: [H, W] sum of weight times camera-space z (metres), *not* divided by alpha; None
        unless asked for.
      radii: [N, 2] int32, half extents (x, y) in pixels of the region where alpha reaches 1/255; 0
        for a dead Gaussian; one that is dropped for want of `capacity` keeps them.
      num_pairs: [] int32, (tile, Gaussian) pairs of this image, counted before any dropping.
      overflow: [] int32, pairs beyond `capacity`; 0 when nothing was dropped.
    """

    image: jax.Array
    alpha: jax.Array
    depth: jax.Array | None
    radii: jax.Array
    num_pairs: jax.Array
    overflow: jax.Array


@struct.dataclass
class Condition:
    """What a head says and shows in one frame.

    Attributes:
      audio: [8, W, D] windows t - 4 ... t + 3 of sound features around frame t; each has W steps of
        D numbers.
      action_units: [A] intensities 0 to 5 in the order of `HeadConfig.action_units`.
      emotion: [2] valence and arousal on the unit disc, (0, 0) neutral; None draws a head without
        its emotion branch.
    """

    audio: jax.Array
    action_units: jax.Array
    emotion: jax.Array | None = None


@struct.dataclass
class Motion:
    """What a branch adds to its Gaussians in one frame, in raw (unconstrained) parameters.

    Attributes:
      means: [N, 3] metres.
      quaternions: [N, 4], or None where rotations stay.
      scales: [N, 3], or None where sizes stay.
      audio_attention: [N] length of the attention to the sound, or None.
      expression_attention: [N] length of the attention to the action units, or None.
    """

    means: jax.Array
    quaternions: jax.Array | None = None
    scales: jax.Array | None = None
    audio_attention: jax.Array | None = None
    expression_attention: jax.Array | None = None
