"""What a recipe gains that shows emotions: normals of the face, a stage of its own, a last stage
that sees them.

EmoTalkingGaussian (arXiv 2502.00654) sections 3.4 and S4.3: weights of the terms on normals; the
emotion's branch trains alone, on emotional pictures and on frames of the clip. How many of each the
paper does not say: four of five steps take an emotional picture (ours).
"""

import dataclasses

from emojax.training.recipe import Phase, Rates, Recipe, Stage, Weights

NORMALS = {"normals": 0.05, "normals_rough": 0.005, "normals_size": 0.001}
SHARE = 0.8


def _with_normals(phase: Phase) -> Phase:
    return dataclasses.replace(
        phase,
        trains=(*phase.trains, "face.normals"),
        weights=dataclasses.replace(phase.weights, **NORMALS),
    )


def stage(*, steps: int, rates: Rates, weights: Weights) -> Stage:
    """Returns the stage in which the emotion's branch trains alone.

    Args:
      steps: how many.
      rates: of learning.
      weights: of the loss.
    """
    phase = Phase(
        "moving", steps, ("emotion.motion",), weights, emotional=True, background="random"
    )
    return Stage(
        name="emotion",
        target="face",
        phases=(phase,),
        rates=dataclasses.replace(rates, halving_steps=steps, tenth_steps=None),
        degree_every=0,
        emotional_share=SHARE,
    )


def add(recipe: Recipe, *, steps: int, weights: Weights | None = None) -> Recipe:
    """Returns the recipe with normals and emotions.

    Args:
      recipe: of the stages mouth, face and fuse.
      steps: of the emotion's stage.
      weights: of its loss; those of a plain picture by default.
    """
    mouth, face, fuse = recipe.stages
    face = dataclasses.replace(face, phases=tuple(map(_with_normals, face.phases)))
    fuse = dataclasses.replace(
        fuse, phases=tuple(dataclasses.replace(phase, emotional=True) for phase in fuse.phases)
    )
    emotion = stage(steps=steps, rates=face.rates, weights=weights or Weights())
    return dataclasses.replace(
        recipe,
        head=dataclasses.replace(recipe.head, emotion="encoded", normals=True),
        stages=(mouth, face, emotion, fuse),
    )
