"""TalkingGaussian (Li et al. 2024) to the letter, as `train_xx.sh` runs it.

    python experiments/train.py --data DIR --run RUN --config talking_gaussian

110,000 steps of one 512-pixel frame; at 256 pixels (--size 256) about 70 minutes on two CPU
cores. What differs from the original code, and why:

* it hears log-mel windows [16, 80] where a data set has no DeepSpeech features, and sees action
  units that are estimated from landmarks where it has no OpenFace file: nothing gated is needed;
* the camera's principal point is the clip's, not the picture's middle; a folder that has the middle
  gives the original's;
* sizes start at the inverse of softplus, where the original takes a logarithm and so starts 0.1 %
  larger;
* attention maps do not count for the statistic of density: there their gradient leaks into it;
* a window of the curriculum that no frame fits leaves the round of frames as it is, where the
  original draws for ever;
* its opacity offset, predicted and never used, is not predicted;
* inside the mouth, Gaussians of the background's green are deleted: there their opacity is set to
  0.1 and their raw size divided by 10, which under softplus enlarges them, so that the next round's
  size limit deletes them;
* LPIPS patches have one of three sides, where there every step draws its own (see
  `losses.perceptual`); the lips' patch has a fixed side;
* the fuse stage starts with fresh moments; there the opacities' rate of the face stage comes back
  with its moments, and is used here (0.05).

Its quirks that are kept: the jump of the networks' rates from 0.5 to 0.158 at step 40,000; weight
decay of the grids; the 20 px limit that never fires; mouth grids that get coarser by level.
"""

import dataclasses

from emojax.head import HeadConfig
from emojax.losses.perceptual import LARGE_SIDES, SMALL_SIDES
from emojax.training.recipe import Density, Phase, Rates, Recipe, Stage, Weights, Window

FACE = tuple(
    f"face.{name}" for name in ("means", "quaternions", "scales", "opacities", "harmonics")
)
MOUTH = tuple(name.replace("face", "mouth") for name in FACE)


def mouth() -> Stage:
    """`train_mouth.py`: from wide open mouths to all of them."""
    warm, select, end, steps = 3_000, 39_000, 49_000, 50_000
    moving = Weights(alpha=1e-3)
    return Stage(
        name="mouth",
        target="mouth",
        phases=(
            Phase("still", warm, MOUTH, Weights(), moving=False),
            Phase("moving", end, (*MOUTH, "mouth.motion"), moving),
            Phase(
                "perceptual",
                steps,
                ("mouth.harmonics",),
                dataclasses.replace(moving, patches=0.5),
                background="black",
                patch_sides=SMALL_SIDES,
            ),
        ),
        rates=Rates(halving_steps=39_000, tenth_steps=49_000),
        density=Density(
            until=45_000, gradient_threshold=2e-4, background=20 / 255, background_until=45_000
        ),
        windows=(
            Window("mouth_unit", 0, warm, 1, select, (1.0, 1.0), (1.0, 1.0)),
            Window("mouth_unit", warm, select, 7, select, (1.0, 0.0), (1.0, 1.0)),
        ),
        min_mouth_pixels=20,
    )


def face() -> Stage:
    """`train_face.py`: face and hair, hair at every seventh step."""
    warm, select, fine, steps = 3_000, 40_000, 47_000, 50_000
    moving = Weights(motion=1e-5, alpha=1e-3, attention_lips=1e-4, attention_hair=1e-4)
    return Stage(
        name="face",
        target="face",
        phases=(
            Phase("still", warm, FACE, Weights(), moving=False),
            Phase("moving", fine, (*FACE, "face.motion"), moving),
            Phase(
                "perceptual",
                steps,
                (*FACE, "face.motion"),
                dataclasses.replace(moving, patches=0.2, lip_patch=0.01),
                patch_sides=LARGE_SIDES,
                lip_side=96,
                close_mouth=True,
            ),
        ),
        rates=Rates(halving_steps=40_000, tenth_steps=50_000),
        density=Density(
            until=49_000, gradient_threshold=5e-4, background=30 / 255, background_until=50_000
        ),
        windows=(
            Window("mouth_opening", 0, warm, 15, select, (-0.2, 0.8), (0.2, 1.2)),
            Window("blink", warm, select, 15, select, (-0.15, 0.85), (0.3, 1.3)),
        ),
        hair_every=7,
        hair_steps=(warm, 46_000),
    )


def fuse() -> Stage:
    """`train_fuse.py`: colours of both branches, opacities of the face, over the backdrop."""
    trains = ("face.opacities", "face.harmonics", "mouth.harmonics")
    return Stage(
        name="fuse",
        target="fused",
        phases=(
            Phase("plain", 5_000, trains, Weights()),
            Phase("perceptual", 10_000, trains, Weights(patches=0.5), patch_sides=SMALL_SIDES),
        ),
        rates=Rates(),
        degree_every=0,
    )


def get() -> Recipe:
    """Returns the recipe."""
    return Recipe(
        name="talking_gaussian", size=512, head=HeadConfig(), stages=(mouth(), face(), fuse())
    )
