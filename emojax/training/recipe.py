"""The recipe of a head: stages as values.

A stage trains one picture (inside of the mouth, face, or both fused over the backdrop) through
phases that differ in what trains, what moves and which terms count. All numbers that the loop uses
stand here, by name; `experiments/configs/` has the recipes themselves.

Steps count from 0 within a stage. Sources: TalkingGaussian (Li et al. 2024) `train_mouth.py`,
`train_face.py`, `train_fuse.py`; EmoTalkingGaussian (arXiv 2502.00654) section S4.3.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from emojax.head import BRANCHES, HeadConfig, NormalsReach

CLOUD = ("means", "quaternions", "scales", "opacities", "harmonics")
# What is kept for each Gaussian of a cloud, where it has normals.
SLOTTED = (*CLOUD, "normals")
# All that makes a head speak: the clouds' fields and the motion networks.
SPEAKING = tuple(f"{branch}.{name}" for branch in BRANCHES for name in (*CLOUD, "motion"))
# Whatever can train.
TRAINABLE = (*SPEAKING, "face.normals", "emotion.motion")
MEASURES = ("mouth_unit", "mouth_opening", "blink")  # of `curriculum.measure`


@dataclasses.dataclass(frozen=True)
class Weights:
    """Factors of the loss terms; a term of weight 0 is not computed.

    Attributes:
      l1: mean absolute difference of the picture.
      dssim: 1 - SSIM of the picture.
      lips: mean absolute difference within the lips' rectangle.
      motion: mean size of the offsets.
      alpha: opacity outside of the region, transparency inside.
      attention_lips: attention to action units within the lips' rectangle.
      attention_hair: attention to sound and to action units on the hair.
      patches: LPIPS of patches.
      lip_patch: LPIPS of the lips' rectangle.
      normals: mean absolute difference of the face's normals.
      normals_rough: total variation of these.
      normals_size: mean length of the normals' residuals.
    """

    l1: float = 1.0
    dssim: float = 0.2
    lips: float = 0.0
    motion: float = 0.0
    alpha: float = 0.0
    attention_lips: float = 0.0
    attention_hair: float = 0.0
    patches: float = 0.0
    lip_patch: float = 0.0
    normals: float = 0.0
    normals_rough: float = 0.0
    normals_size: float = 0.0


@dataclasses.dataclass(frozen=True)
class Phase:
    """A part of a stage that is compiled as one program.

    Attributes:
      name: for reports.
      until: first step that is not of this phase.
      trains: of `TRAINABLE`.
      weights: of the loss.
      moving: whether the networks move the Gaussians.
      emotional: whether the frame's emotion moves them, too.
      background: behind a single branch while it trains; "random" is another colour at each step.
      patch_sides: sides of LPIPS patches in pixels, drawn anew at every step; quantised, because
        each is a program of its own.
      lip_side: side of the lips' LPIPS patch, pixels; fixed, where TalkingGaussian takes the lips'
        own square.
      close_mouth: close gaps of the mouth's mask by 3 x 3 dilation and erosion.
      normals_reach: what the gradient of the terms on normals reaches.
    """

    name: str
    until: int
    trains: tuple[str, ...]
    weights: Weights
    moving: bool = True
    emotional: bool = False
    background: Literal["green", "black", "random"] = "green"
    patch_sides: tuple[int, ...] = ()
    lip_side: int = 0
    close_mouth: bool = False
    normals_reach: NormalsReach = "residuals"


@dataclasses.dataclass(frozen=True)
class Rates:
    """Learning rates.

    Attributes:
      means: at the start and after `means_steps`, times the cameras' extent; log-linear between.
      means_steps: steps.
      quaternions: of raw rotations.
      scales: of raw sizes.
      opacities: of logits.
      harmonics: of the constant coefficient.
      harmonics_rest: of the others.
      normals: of the residuals of normals (where GaussianShader's rates begin, in effect).
      grids: of tri-plane tables (AdamW).
      networks: of the motion networks' layers (AdamW).
      audio_attention: of the attention over sound windows (AdamW).
      grids_decay: weight decay of the tables.
      attention_decay: weight decay of the attention over sound windows.
      halving_steps: the networks' rates halve in this many steps, and then jump to
      tenth_steps: 0.1^(step / tenth_steps); None goes on halving.
    """

    means: tuple[float, float] = (1.6e-4, 1.6e-6)
    means_steps: int = 45_000
    quaternions: float = 1e-3
    scales: float = 3e-3
    opacities: float = 0.05
    harmonics: float = 2.5e-3
    harmonics_rest: float = 2.5e-3 / 20
    normals: float = 1.6e-2
    grids: float = 5e-3
    networks: float = 5e-4
    audio_attention: float = 2.5e-3
    grids_decay: float = 0.01
    attention_decay: float = 1e-4
    halving_steps: int = 40_000
    tenth_steps: int | None = 50_000


@dataclasses.dataclass(frozen=True)
class Density:
    """When Gaussians are added and removed.

    Attributes:
      every: steps between rounds.
      start: no round before this step.
      until: no cloning, splitting and pruning by opacity from this step on.
      gradient_threshold: of the mean gradient in normalised device coordinates.
      dense_fraction: of the extent; larger Gaussians are split, smaller ones cloned.
      min_opacity: pruned below, at step 0 and at `until`; linear between.
      limits_from: first step of the size limits.
      max_scale: of the extent; larger Gaussians go.
      max_radius: pixels; larger ones go; None for no limit.
      background: largest distance from the background's green of a Gaussian that goes with it, 0
        to 1 in every channel; 0 keeps all.
      background_until: first step without this.
      max_capacity: slots up to which a cloud may grow.
    """

    every: int = 100
    start: int = 500
    until: int = 45_000
    gradient_threshold: float = 2e-4
    dense_fraction: float = 0.005
    min_opacity: tuple[float, float] = (0.05, 0.30)
    limits_from: int = 3_000
    max_scale: float = 0.1
    max_radius: float | None = None
    background: float = 30 / 255
    background_until: int = 50_000
    max_capacity: int = 131_072


@dataclasses.dataclass(frozen=True)
class Window:
    """Some steps take only frames of which a measure lies in a window that slides.

    Attributes:
      measure: of `MEASURES`.
      first: first step.
      last: first step without it.
      every: takes effect at each step that this divides.
      span: steps over which the bounds slide.
      lower: lower bound at step 0 and at `span`.
      upper: upper bound at step 0 and at `span`.
    """

    measure: str
    first: int
    last: int
    every: int
    span: int
    lower: tuple[float, float]
    upper: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Stage:
    """What trains between two checkpoints of a run.

    Attributes:
      name: of the checkpoint's folder.
      target: "mouth", "face", or "fused" for both over the backdrop.
      phases: in order.
      rates: of learning.
      density: None keeps the Gaussians as they are.
      windows: the curriculum.
      degree_every: steps between degrees of the spherical harmonics, from degree 0 up; 0 has all
        degrees from the start.
      min_mouth_pixels: frames that show less of the inside of the mouth are not drawn.
      hair_every: hair counts at each step that this divides, and not otherwise, in
      hair_steps: these steps (first, last).
      emotional_share: share of the steps that take an emotional picture of the clip in place of a
        frame.
    """

    name: str
    target: Literal["mouth", "face", "fused"]
    phases: tuple[Phase, ...]
    rates: Rates
    density: Density | None = None
    windows: tuple[Window, ...] = ()
    degree_every: int = 1_000
    min_mouth_pixels: int = 0
    hair_every: int = 1
    hair_steps: tuple[int, int] = (0, 0)
    emotional_share: float = 0.0

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.phases[-1].until

    def phase(self, step: int) -> Phase:
        """Returns the phase of a step.

        Args:
          step: from 0 to `steps` - 1.
        """
        return next(phase for phase in self.phases if step < phase.until)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run but the clip and the seed.

    Attributes:
      name: of the configuration it comes from.
      size: side of the pictures, pixels.
      head: shape of the head.
      stages: in order.
      steps_per_dispatch: steps that run without the host; divides all numbers of steps.
      sheet_every: steps between contact sheets.
      save_every: steps between checkpoints within a stage.
    """

    name: str
    size: int
    head: HeadConfig
    stages: tuple[Stage, ...]
    steps_per_dispatch: int = 20
    sheet_every: int = 1_000
    save_every: int = 1_000
