"""A minute, at 64 pixels: everything runs, nothing is good. For tests.

    python experiments/train.py --data DIR --run RUN --config tiny

210 steps of the stages of `talking_gaussian`; one to two minutes on one core, nearly all of them
compilation. Expect a blur: of a real clip of 20 s the head at 17.5 dB, the whole picture at 22.7.
"""

import dataclasses

from configs import talking_gaussian

from emojax.encoders import TriplaneConfig
from emojax.head import HeadConfig
from emojax.training import changes
from emojax.training.recipe import Recipe, Stage

GRID = TriplaneConfig(
    num_levels=4,
    num_features=1,
    base_resolution=8,
    finest_resolution=16,
    log2_table_size=12,
    bound=0.15,
)
STEPS = {"mouth": 60, "face": 100, "fuse": 40}
SIZE = 64
PATCH = 32  # side of LPIPS patches, pixels
EVERY = 10  # steps between rounds of density, and in a dispatch


def _stage(stage: Stage) -> Stage:
    stage = changes.scale_steps(stage, STEPS[stage.name] / stage.steps, multiple=EVERY)
    stage = changes.scale_size(stage, SIZE / talking_gaussian.get().size)
    # So few steps make no Gaussian opaque, and so few Gaussians are large: none would be left.
    density = stage.density and dataclasses.replace(
        stage.density,
        every=2 * EVERY,
        gradient_threshold=1e-4,
        min_opacity=(0.01, 0.02),
        max_scale=10.0,
        max_capacity=8_192,
    )
    phases = tuple(
        dataclasses.replace(phase, patch_sides=(PATCH,), lip_side=PATCH) for phase in stage.phases
    )
    return dataclasses.replace(stage, density=density, phases=phases)


def get() -> Recipe:
    """Returns the recipe."""
    base = talking_gaussian.get()
    head = HeadConfig(
        face_points=300,
        mouth_points=200,
        face_capacity=1_024,
        mouth_capacity=1_024,
        face_grid=GRID,
        mouth_grid=GRID,
    )
    return dataclasses.replace(
        base,
        name="tiny",
        size=SIZE,
        head=head,
        stages=tuple(_stage(stage) for stage in base.stages),
        steps_per_dispatch=EVERY,
        sheet_every=100,
        save_every=20,
    )
