"""A small clip of the drawn person, and small recipes to train on it."""

import dataclasses

from emojax.encoders import TriplaneConfig
from emojax.head import HeadConfig
from emojax.training.recipe import Density, Phase, Rates, Recipe, Stage, Weights

COUNT, SIZE = 33, 48

GRID = TriplaneConfig(
    num_levels=2,
    num_features=1,
    base_resolution=8,
    finest_resolution=12,
    log2_table_size=12,
    bound=0.15,
)
HEAD = HeadConfig(
    face_points=120,
    mouth_points=60,
    face_capacity=160,
    mouth_capacity=96,
    degree=1,
    face_grid=GRID,
    mouth_grid=GRID,
)
EMOTIONAL = dataclasses.replace(HEAD, emotion="encoded", emotion_grid=GRID, normals=True)
FACE = tuple(
    f"face.{name}" for name in ("means", "quaternions", "scales", "opacities", "harmonics")
)
MOVING = Weights(motion=1e-5, alpha=1e-3, attention_lips=1e-4, attention_hair=1e-4)


def face_stage(**changes) -> Stage:
    """A short face stage with all terms that need no weights of others."""
    stage = Stage(
        name="face",
        target="face",
        phases=(
            Phase("still", 4, FACE, Weights(), moving=False),
            Phase("moving", 12, (*FACE, "face.motion"), MOVING),
        ),
        rates=Rates(means_steps=12, halving_steps=10, tenth_steps=12),
        density=Density(
            every=4,
            start=2,
            until=12,
            gradient_threshold=1e-5,
            # The few Gaussians of a small head are large and faint: no limit takes them.
            min_opacity=(0.05, 0.05),
            limits_from=1_000,
            max_capacity=1_024,
            background_until=12,
        ),
        degree_every=4,
        hair_every=3,
        hair_steps=(4, 12),
    )
    return dataclasses.replace(stage, **changes)


def mouth_stage() -> Stage:
    """A short mouth stage."""
    names = tuple(name.replace("face", "mouth") for name in FACE)
    phases = (Phase("moving", 4, (*names, "mouth.motion"), Weights(alpha=1e-3)),)
    return Stage(name="mouth", target="mouth", phases=phases, rates=Rates(), min_mouth_pixels=1)


def fuse_stage() -> Stage:
    """A short stage of the whole picture."""
    trains = ("face.opacities", "face.harmonics", "mouth.harmonics")
    phases = (Phase("plain", 4, trains, Weights(lips=0.5)),)
    return Stage(name="fuse", target="fused", phases=phases, rates=Rates(), degree_every=0)


def recipe(*stages: Stage) -> Recipe:
    """A recipe of these stages, two steps a dispatch."""
    return Recipe(
        name="small",
        size=SIZE,
        head=HEAD,
        stages=stages or (mouth_stage(), face_stage(), fuse_stage()),
        steps_per_dispatch=2,
        sheet_every=4,
        save_every=2,
    )


def surface_stage(*, reach="residuals") -> Stage:
    """A face stage that learns normals."""
    weights = dataclasses.replace(MOVING, normals=0.05, normals_rough=0.005, normals_size=1e-3)
    phase = Phase(
        "moving", 12, (*FACE, "face.motion", "face.normals"), weights, normals_reach=reach
    )
    return face_stage(phases=(phase,))


def emotion_stage() -> Stage:
    """A stage that trains the emotion's branch alone."""
    phase = Phase("moving", 12, ("emotion.motion",), Weights(), emotional=True)
    return Stage(
        name="emotion",
        target="face",
        phases=(phase,),
        rates=Rates(),
        degree_every=0,
        emotional_share=0.8,
    )
