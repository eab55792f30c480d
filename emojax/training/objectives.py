"""What is minimised: the loss of one frame, by terms, and where in the picture it comes from.

One function draws what a stage trains, compares it with its part of the frame and weighs the terms
of the phase. Sources: TalkingGaussian `train_mouth.py`, `train_face.py`, `train_fuse.py`;
EmoTalkingGaussian section S4.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from emojax import head as heads
from emojax import numerics
from emojax.head import Head
from emojax.losses import normals, perceptual, photometric, regularize
from emojax.training import regions, schedules
from emojax.training.recipe import Phase, Stage
from emojax.training.regions import Regions
from emojax.types import Camera, Condition, Motion, Rendering

GREEN, BLACK = (0.0, 1.0, 0.0), (0.0, 0.0, 0.0)
MAX_LEVEL = 255.0  # of uint8 pictures


class Frame(NamedTuple):
    """One frame of the clip, as it is on disk.

    Attributes:
      image: uint8 [S, S, 3].
      labels: uint8 [S, S] of `data.labels.Label`.
      backdrop: uint8 [S, S, 3].
      landmarks: float32 [68, 2] pixels.
      world_to_camera: float32 [4, 4].
      condition: what is said, shown and felt.
      normals: uint8 [S, S, 3] of the face, 0.5 n + 0.5 of x right, y up, z to the viewer, or None.
    """

    image: jax.Array
    labels: jax.Array
    backdrop: jax.Array
    landmarks: jax.Array
    world_to_camera: jax.Array
    condition: Condition
    normals: jax.Array | None = None


class Outcome(NamedTuple):
    """What is told of one step's loss.

    Attributes:
      terms: by name, unweighted, [].
      budget: share of the picture's absolute difference by region, [].
      radii: [N, 2] of the drawn Gaussians; of the face in a fused picture.
    """

    terms: Mapping[str, jax.Array]
    budget: Mapping[str, jax.Array]
    radii: jax.Array


class Picture(NamedTuple):
    """What a stage draws and what it should look like.

    Attributes:
      image: [S, S, 3].
      target: [S, S, 3].
      alpha: [S, S] opacity of the branch, or None for both.
      solid: [S, S] where the branch should be opaque, or None.
      attention: [S, S, 2] to sound and to action units, or None.
      normals: [S, S, 3] of the face, or None.
      rendering: of the branch.
      motion: of the branch, or None.
      cloud_alive: [N] bool.
    """

    image: jax.Array
    target: jax.Array
    alpha: jax.Array | None
    solid: jax.Array | None
    attention: jax.Array | None
    normals: jax.Array | None
    rendering: Rendering
    motion: Motion | None
    cloud_alive: jax.Array


def loss(
    head: Head,
    frame: Frame,
    camera: Camera,
    key: jax.Array,
    *,
    stage: Stage,
    phase: Phase,
    step: jax.Array,
    tap: jax.Array | None = None,
    measure: perceptual.Measure | None = None,
) -> tuple[jax.Array, Outcome]:
    """Returns the loss of one frame, [], and what is told of it.

    Args:
      head: to draw.
      frame: unbatched.
      camera: of the clip; its pose is replaced by the frame's.
      key: consumed.
      stage: static.
      phase: static, one of the stage's.
      step: of the stage.
      tap: [N, 4] zeros for the statistic of density, or None.
      measure: perceptual distance, where a weight asks for one.
    """
    key_background, key_terms = jax.random.split(key)
    picture, masks = draw(
        head, frame, camera, key_background, stage=stage, phase=phase, step=step, tap=tap
    )
    terms = _terms(head, picture, masks, frame, key_terms, step, stage, phase, measure)
    weights = {name: getattr(phase.weights, name) for name in terms}
    total = sum(weights[name] * value for name, value in terms.items())
    return total, Outcome(
        terms=terms,
        budget=_budget(picture, masks),
        radii=picture.rendering.radii,
    )


def draw(
    head: Head,
    frame: Frame,
    camera: Camera,
    key: jax.Array,
    *,
    stage: Stage,
    phase: Phase,
    step: jax.Array,
    tap: jax.Array | None = None,
) -> tuple[Picture, Regions]:
    """Returns what a stage draws of a frame beside what it should look like, and the regions.

    Args:
      head: to draw.
      frame: unbatched.
      camera: of the clip; its pose is replaced by the frame's.
      key: of a random background; consumed.
      stage: static.
      phase: static, one of the stage's.
      step: of the stage.
      tap: [N, 4] zeros for the statistic of density, or None.
    """
    camera = camera.replace(world_to_camera=frame.world_to_camera)
    options = {"active_degree": schedules.active_degree(step, stage, degree=head.config.degree)}
    masks = regions.regions(frame.labels, frame.landmarks)
    truth = frame.image.astype(jnp.float32) / MAX_LEVEL
    if stage.target == "fused":
        return _fused(head, frame, camera, truth, phase, options), masks
    background = _background(phase, key)
    one = _mouth if stage.target == "mouth" else _face
    return one(
        head, frame, camera, truth, masks, stage, phase, step, options, tap, background
    ), masks


def _fill(image: jax.Array, mask: jax.Array, color: jax.Array) -> jax.Array:
    """The image where the mask is 1, the colour elsewhere."""
    return jnp.where(mask[..., None] > 0, image, color)


def condition_of(frame: Frame, phase: Phase) -> Condition | None:
    """Returns what a phase shows of a frame: nothing, or all but its emotion, or all.

    Args:
      frame: unbatched.
      phase: that asks.
    """
    if not phase.moving:
        return None
    return frame.condition if phase.emotional else frame.condition.replace(emotion=None)


def _background(phase: Phase, key: jax.Array) -> jax.Array:
    if phase.background == "random":
        return jax.random.uniform(key, (3,))
    return jnp.array(GREEN if phase.background == "green" else BLACK)


def _mouth(
    head, frame, camera, truth, masks: Regions, stage, phase, step, options, tap, background
) -> Picture:
    """The inside of the mouth; what lies in the lips' square beside it is nobody's concern."""
    drawn, motion = heads.draw(
        head,
        "mouth",
        condition_of(frame, phase),
        camera,
        background=background,
        tap=tap,
        **options,
    )
    beside = (masks.lips > 0) ^ (masks.mouth > 0)
    return Picture(
        image=_fill(drawn.image, ~beside, background),
        target=_fill(truth, masks.mouth, background),
        alpha=drawn.alpha,
        solid=masks.lips,
        attention=None,
        normals=None,
        rendering=drawn,
        motion=motion,
        cloud_alive=head.mouth.alive,
    )


def _face(
    head, frame, camera, truth, masks: Regions, stage, phase, step, options, tap, background
) -> Picture:
    """Face and hair; at most steps without hair, which is large, still and soon learned."""
    attention = phase.weights.attention_lips > 0 or phase.weights.attention_hair > 0
    surfaces = phase.weights.normals > 0 or phase.weights.normals_rough > 0
    drawn, motion = heads.draw(
        head,
        "face",
        condition_of(frame, phase),
        camera,
        background=background,
        attention=attention,
        normals=phase.normals_reach if surfaces else None,
        tap=tap,
        **options,
    )
    mouth = regions.close_gaps(masks.mouth) if phase.close_mouth else masks.mouth
    shown = masks.head * (1 - mouth)
    image = drawn.image[..., :3]
    if phase.moving and stage.hair_every > 1:
        without_hair = ~schedules.counts_hair(step, stage) & (masks.hair > 0)
        image = _fill(image, ~without_hair, background)
        shown = shown * ~without_hair
    return Picture(
        image=image,
        target=_fill(truth, shown, background),
        alpha=drawn.alpha,
        solid=masks.head,
        attention=drawn.image[..., 3:5] if attention else None,
        normals=drawn.image[..., -3:] if surfaces else None,
        rendering=drawn,
        motion=motion,
        cloud_alive=head.face.alive,
    )


def _fused(head, frame, camera, truth, phase, options) -> Picture:
    """The whole frame: face over mouth over backdrop."""
    condition = condition_of(frame, phase)
    face, motion = heads.draw(head, "face", condition, camera, **options)
    mouth, _ = heads.draw(head, "mouth", condition, camera, **options)
    backdrop = frame.backdrop.astype(jnp.float32) / MAX_LEVEL
    return Picture(
        image=heads.combine(face, mouth, backdrop),
        target=truth,
        alpha=None,
        solid=None,
        attention=None,
        normals=None,
        rendering=face,
        motion=motion,
        cloud_alive=head.face.alive,
    )


def _terms(
    head: Head,
    picture: Picture,
    masks: Regions,
    frame: Frame,
    key,
    step,
    stage,
    phase: Phase,
    measure,
) -> dict[str, jax.Array]:
    """The terms that have a weight, unweighted."""
    weights = phase.weights
    makers: dict[str, Any] = {
        "l1": lambda: photometric.l1(picture.image, picture.target),
        "dssim": lambda: photometric.dssim(picture.image, picture.target),
        "lips": lambda: photometric.l1(picture.image, picture.target, mask=masks.lips),
        "motion": lambda: regularize.motion_size(picture.motion, picture.cloud_alive),
        "alpha": lambda: regularize.alpha_against_mask(picture.alpha, picture.solid),
        "attention_lips": lambda: regularize.attention_in_region(
            picture.attention[..., 1], masks.lips
        ),
        "attention_hair": lambda: (
            schedules.counts_hair(step, stage) * _hair_attention(picture, masks)
        ),
        "patches": lambda: _patches(picture, masks, key, stage, phase, measure),
        "lip_patch": lambda: perceptual.crop_distance(
            picture.image,
            picture.target,
            jnp.stack(regions.lip_bounds(frame.landmarks)[:2]),
            side=phase.lip_side,
            measure=measure,
        ),
        "normals": lambda: normals.difference(picture.normals, *_normals(frame, masks)),
        "normals_rough": lambda: normals.roughness(picture.normals, _normals(frame, masks)[1]),
        "normals_size": lambda: normals.residual_size(head.face.normals, picture.cloud_alive),
    }
    return {name: make() for name, make in makers.items() if getattr(weights, name) > 0}


def _normals(frame: Frame, masks: Regions) -> tuple[jax.Array, jax.Array]:
    """Target and mask of the face's normals: skin alone, and where the target is known."""
    target = frame.normals.astype(jnp.float32) / MAX_LEVEL * 2 - 1
    known = jnp.any(frame.normals > 0, axis=-1)
    return numerics.safe_normalize(target), masks.head * (1 - masks.hair) * known


def _hair_attention(picture: Picture, masks: Regions) -> jax.Array:
    return sum(
        regularize.attention_in_region(picture.attention[..., i], masks.hair) for i in range(2)
    )


def _patches(picture, masks, key, stage, phase, measure) -> jax.Array:
    """LPIPS of patches of one of some sides; a face stage leaves the lips to their own patch."""
    image, target = picture.image, picture.target
    if stage.target == "face":
        blank = jnp.array(BLACK)
        image = _fill(image, 1 - masks.lips, blank)
        target = _fill(target, 1 - masks.lips, blank)
    key_side, key_grid = jax.random.split(key)

    def distance(side: int):
        return lambda: perceptual.patch_distance(
            key_grid, image, target, side=side, measure=measure
        )

    which = jax.random.randint(key_side, (), 0, len(phase.patch_sides))
    return jax.lax.switch(which, [distance(side) for side in phase.patch_sides])


def _budget(picture: Picture, masks: Regions) -> dict[str, jax.Array]:
    """Which share of the absolute difference lies where."""
    difference = jnp.mean(jnp.abs(picture.image - picture.target), axis=-1)
    difference = jax.lax.stop_gradient(difference)
    total = jnp.maximum(jnp.sum(difference), 1e-12)
    face = masks.head * (1 - masks.hair) * (1 - masks.lips)
    parts = {
        "mouth": masks.mouth,
        "lips": masks.lips * (1 - masks.mouth),
        "face": face,
        "hair": masks.hair * (1 - masks.lips),
        "backdrop": masks.backdrop * (1 - masks.lips),
    }
    return {name: jnp.sum(difference * part) / total for name, part in parts.items()}
