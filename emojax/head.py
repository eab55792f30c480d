"""The head: Gaussians, motion networks and their configuration in one pytree.

`render` is the whole method: a pure function of (head, condition, camera, background) that can be
jitted, differentiated, mapped over any argument and sharded. Nothing else decides the picture. The
branches are put together here and nowhere else: training, tests and driving draw through `draw` and
`render`.

Sources: EmoTalkingGaussian (arXiv 2502.00654) Eq. 3, 4, 5, S9, S10; TalkingGaussian (Li et al.
2024) for what the paper leaves open.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

from emojax import gaussians, splatting
from emojax.deformation import apply
from emojax.deformation.emotion import EmotionMotion
from emojax.deformation.face import FaceMotion
from emojax.deformation.mouth import MouthMotion
from emojax.encoders import (
    TALKING_GAUSSIAN_FACE,
    TALKING_GAUSSIAN_MOUTH,
    TriplaneConfig,
    layers,
)
from emojax.splatting import composite
from emojax.types import Camera, Condition, Gaussians, Motion, Rendering, ScaleActivation

Branch = Literal["face", "mouth"]
# How a head takes an emotion: not at all; in a branch of its own that reads a code, or the two
# numbers themselves; or in the face's branch.
EmotionInput = Literal["none", "encoded", "raw", "combined"]
# What the gradient of drawn normals reaches.
NormalsReach = Literal["residuals", "means"]
BRANCHES: tuple[Branch, ...] = ("face", "mouth")
# What TalkingGaussian's face branch hears of OpenFace's units (scene/dataset_readers.py).
ACTION_UNITS = (1, 4, 5, 6, 7, 45)


@dataclasses.dataclass(frozen=True)
class HeadConfig:
    """The shape of a head; static and hashable.

    Attributes:
      features: name of the sound features it hears.
      window: (W, D), steps and width of one window of these.
      audio_gain: of the features on their way into the networks.
      action_units: which units it shows, in the order of `Condition.action_units`.
      degree: of the spherical harmonics.
      scale_activation: of the Gaussians.
      face_points: Gaussians of the face at the start.
      mouth_points: Gaussians inside the mouth at the start.
      face_capacity: slots of the face at the start.
      mouth_capacity: slots of the mouth at the start.
      start_box: half the side of the cube of the starting points, metres.
      face_grid: tri-plane encoder of the face.
      mouth_grid: tri-plane encoder of the mouth.
      emotion: how it takes valence and arousal.
      emotion_grid: tri-plane encoder of the emotion's branch.
      normals: whether the face's Gaussians learn normals.
    """

    features: str = "mel"
    window: tuple[int, int] = (16, 80)
    audio_gain: float = 1.0
    action_units: tuple[int, ...] = ACTION_UNITS
    degree: int = 2
    scale_activation: ScaleActivation = "softplus"
    face_points: int = 2_000
    mouth_points: int = 10_000
    face_capacity: int = 16_384
    mouth_capacity: int = 16_384
    start_box: float = 0.1
    face_grid: TriplaneConfig = TALKING_GAUSSIAN_FACE
    mouth_grid: TriplaneConfig = TALKING_GAUSSIAN_MOUTH
    emotion: EmotionInput = "none"
    emotion_grid: TriplaneConfig = TALKING_GAUSSIAN_FACE
    normals: bool = False

    @property
    def has_emotion_branch(self) -> bool:
        """Whether an emotion has a network of its own."""
        return self.emotion in ("encoded", "raw")

    def motion(self, branch: Branch) -> FaceMotion | MouthMotion:
        """Returns the network that moves a branch.

        Args:
          branch: "face" or "mouth".
        """
        if branch == "face":
            return FaceMotion(triplane=self.face_grid, emotional=self.emotion == "combined")
        return MouthMotion(triplane=self.mouth_grid)

    def emotion_motion(self) -> EmotionMotion:
        """Returns the network of the emotion's branch.

        Raises:
          ValueError: the head has none.
        """
        if not self.has_emotion_branch:
            raise ValueError(
                f"emotion={self.emotion!r} has no branch; 'encoded' and 'raw' have one"
            )
        return EmotionMotion(triplane=self.emotion_grid, reads=self.emotion)

    def example(self) -> Condition:
        """Returns a condition of zeros in the right shapes."""
        return Condition(
            audio=jnp.zeros((8, *self.window)),
            action_units=jnp.zeros(len(self.action_units)),
            emotion=None if self.emotion == "none" else jnp.zeros(2),
        )


@struct.dataclass
class Head:
    """Everything that was learned of one person.

    Attributes:
      face: canonical Gaussians of face and hair.
      mouth: canonical Gaussians of the inside of the mouth.
      face_motion: parameters of the network that moves `face`.
      mouth_motion: parameters of the network that moves `mouth`.
      config: static.
      emotion_motion: parameters of the network with which an emotion moves `face`, or None.
    """

    face: Gaussians
    mouth: Gaussians
    face_motion: Mapping[str, Any]
    mouth_motion: Mapping[str, Any]
    config: HeadConfig = struct.field(pytree_node=False)
    emotion_motion: Mapping[str, Any] | None = None


class HeadRendering(NamedTuple):
    """One frame.

    Attributes:
      image: [H, W, 3] face over mouth over backdrop.
      face_alpha: [H, W] opacity of the face branch.
      mouth_alpha: [H, W] opacity of the mouth branch.
      overflow: [] int32, pairs dropped for want of the splatter's `capacity`; 0 without one.
    """

    image: jax.Array
    face_alpha: jax.Array
    mouth_alpha: jax.Array
    overflow: jax.Array


def init(key: jax.Array, config: HeadConfig) -> Head:
    """Returns a head that knows nothing yet: grey Gaussians in a box, motion near zero.

    Args:
      key: consumed.
      config: static.
    """
    return _init(key, config=config)


@functools.partial(jax.jit, static_argnames="config")
def _init(key: jax.Array, *, config: HeadConfig) -> Head:
    names = ("face", "mouth", "face_motion", "mouth_motion")
    keys = dict(zip(names, jax.random.split(key, 4), strict=True))
    points = {"face": config.face_points, "mouth": config.mouth_points}
    capacity = {"face": config.face_capacity, "mouth": config.mouth_capacity}
    clouds = {
        branch: gaussians.from_box(
            keys[branch],
            num_points=points[branch],
            capacity=capacity[branch],
            half_size=config.start_box,
            degree=config.degree,
            scale_activation=config.scale_activation,
        )
        for branch in BRANCHES
    }
    if config.normals:
        face = clouds["face"]
        clouds["face"] = face.replace(normals=jnp.zeros_like(face.means))
    emotion_motion = None
    if config.has_emotion_branch:
        emotion_motion = layers.start(
            jax.random.fold_in(key, 1),
            config.emotion_motion(),
            clouds["face"].means[:1],
            config.example().emotion,
        )
    return Head(
        **clouds,
        emotion_motion=emotion_motion,
        **{
            f"{branch}_motion": layers.start(
                keys[f"{branch}_motion"],
                config.motion(branch),
                clouds[branch].means[:1],
                config.example(),
            )
            for branch in BRANCHES
        },
        config=config,
    )


def motion(head: Head, branch: Branch, condition: Condition) -> Motion:
    """Returns how a branch's Gaussians move while it speaks, before an emotion (Eq. 3, 4).

    Args:
      head: to ask.
      branch: "face" or "mouth".
      condition: unbatched.
    """
    network = head.config.motion(branch)
    condition = condition.replace(audio=head.config.audio_gain * condition.audio)
    return network.apply(getattr(head, f"{branch}_motion"), getattr(head, branch).means, condition)


def move(head: Head, branch: Branch, condition: Condition) -> Gaussians:
    """Returns the Gaussians of a branch where a condition puts them, world frame.

    Args:
      head: to ask.
      branch: "face" or "mouth".
      condition: unbatched.
    """
    return _feel(head, branch, condition, _speak(head, branch, condition)[0])


def _speak(head: Head, branch: Branch, condition: Condition) -> tuple[Gaussians, Motion]:
    """The moved Gaussians of a branch before an emotion, and their motion."""
    moved = motion(head, branch, condition)
    return apply.move(getattr(head, branch), moved), moved


def _feel(head: Head, branch: Branch, condition: Condition, cloud: Gaussians) -> Gaussians:
    """A moved cloud after the emotion, which moves the face alone (Eq. 5)."""
    config = head.config
    if condition.emotion is None or branch != "face":
        return cloud
    if config.emotion == "none":
        raise ValueError(
            "expected a condition without emotion: this head has no emotion branch; got "
            "condition.emotion. Train one with a recipe whose head has emotion='encoded', or leave "
            "the emotion None"
        )
    if not config.has_emotion_branch:
        return cloud
    felt = config.emotion_motion().apply(head.emotion_motion, cloud.means, condition.emotion)
    return apply.move(cloud, felt)


def draw(
    head: Head,
    branch: Branch,
    condition: Condition | None,
    camera: Camera,
    *,
    background: jax.Array | None = None,
    attention: bool = False,
    normals: NormalsReach | None = None,
    **options,
) -> tuple[Rendering, Motion | None]:
    """Draws one branch.

    Args:
      head: to draw.
      branch: "face" or "mouth".
      condition: unbatched; None draws the canonical Gaussians.
      camera: where from.
      background: [3] or [H, W, 3]; None is black, which gives a premultiplied picture.
      attention: also draw the attention to sound and to action units, as channels 3 and 4 over
        black, whose gradient does not reach the geometry.
      normals: also draw normals of the face as the picture's last three channels over 0 (see
        `gaussians.normals`), and what their gradient reaches: "residuals" alone, or "means" too,
        as EmoTalkingGaussian sec. 3.4.1 has it, which takes a pass of their own.
      **options: of `splatting.render`.

    Returns:
      The rendering, and the motion it was drawn with, before an emotion.
    """
    cloud, moved = getattr(head, branch), None
    if condition is not None:
        cloud, moved = _speak(head, branch, condition)
        cloud = _feel(head, branch, condition, cloud)
    extra = []
    if attention:
        extra += [moved.audio_attention[:, None], moved.expression_attention[:, None]]
    if normals == "residuals":
        extra.append(gaussians.normals.seen(cloud, camera))
    if extra:
        extra = jnp.concatenate(extra, axis=-1)
        options |= {"extra": extra, "detach": tuple(range(3, 3 + extra.shape[-1]))}
        if background is not None:
            black = jnp.zeros((*background.shape[:-1], extra.shape[-1]))
            background = jnp.concatenate([background, black], axis=-1)
    drawn = splatting.render(cloud, camera, background=background, **options)
    if normals == "means":
        surface = _draw_normals(cloud, camera)
        drawn = drawn.replace(image=jnp.concatenate([drawn.image, surface], axis=-1))
    return drawn, moved


def _draw_normals(cloud: Gaussians, camera: Camera) -> jax.Array:
    """Normals over 0, [H, W, 3]; their gradient reaches residuals and means alone."""
    fixed = gaussians.activate(jax.lax.stop_gradient(cloud))
    return splatting.splat(
        cloud.means,
        fixed.quaternions,
        fixed.scales,
        fixed.opacities,
        gaussians.normals.seen(cloud, camera),
        camera,
    ).image


def render(
    head: Head, condition: Condition, camera: Camera, background: jax.Array, **options
) -> HeadRendering:
    """Draws a frame: face over mouth over backdrop (Eq. S9, S10).

    Args:
      head: to draw.
      condition: unbatched; map with `jax.vmap`.
      camera: where from, and the size of the picture.
      background: [H, W, 3] torso and background, or [3] a colour, 0 to 1.
      **options: of `splatting.render`.
    """
    face, _ = draw(head, "face", condition, camera, **options)
    mouth, _ = draw(head, "mouth", condition, camera, **options)
    return HeadRendering(
        image=combine(face, mouth, background),
        face_alpha=face.alpha,
        mouth_alpha=mouth.alpha,
        overflow=face.overflow + mouth.overflow,
    )


def render_batch(
    head: Head,
    condition: Condition,
    world_to_camera: jax.Array,
    backdrops: jax.Array,
    focal: jax.Array,
    principal: jax.Array,
) -> jax.Array:
    """Returns frames of a clip, float [B, S, S, 3], 0 to 1 but for what overshoots.

    Args:
      head: to draw.
      condition: with a leading axis B.
      world_to_camera: [B, 4, 4].
      backdrops: uint8 [B, S, S, 3].
      focal: [] pixels.
      principal: [2] pixels.
    """
    height, width = backdrops.shape[1:3]

    def one(condition: Condition, pose: jax.Array, backdrop: jax.Array) -> jax.Array:
        camera = Camera(pose, focal, principal, width=width, height=height)
        return render(head, condition, camera, backdrop / jnp.float32(255)).image

    return jax.vmap(one)(condition, world_to_camera, backdrops)


def combine(face: Rendering, mouth: Rendering, background: jax.Array) -> jax.Array:
    """Returns face over mouth over backdrop, [H, W, 3] (Eq. S9, S10).

    Args:
      face: drawn over black.
      mouth: drawn over black.
      background: [H, W, 3] or [3].
    """
    return composite.over(
        face.image, face.alpha, composite.over(mouth.image, mouth.alpha, background)
    )
