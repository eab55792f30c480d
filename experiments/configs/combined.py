"""The paper's ablation "combined face branch": one network for sound, action units and emotion.

    python experiments/train.py --data DIR --run RUN --config combined --lpips alexnet.npz

`paper` in all but this: the face's network takes valence and arousal too, encoded and weighed by
position as action units are (Table 4 of arXiv 2502.00654, without a formula: INFERRED), and moves
on training where `paper` trains the branch: as many steps, on the same pictures (OWN). Expect lips
that follow the sound less: Sync-C falls from 6.3 to 4.5 in the paper.
"""

import dataclasses

from configs import paper

from emojax.training.recipe import Phase, Recipe, Stage


def _felt(phase: Phase) -> Phase:
    trains = tuple("face.motion" if name == "emotion.motion" else name for name in phase.trains)
    return dataclasses.replace(phase, trains=trains, emotional=phase.moving)


def _change(stage: Stage) -> Stage:
    if stage.target == "mouth":
        return stage
    return dataclasses.replace(stage, phases=tuple(map(_felt, stage.phases)))


def get() -> Recipe:
    """Returns the recipe."""
    recipe = paper.get()
    return dataclasses.replace(
        recipe,
        name="combined",
        head=dataclasses.replace(recipe.head, emotion="combined"),
        stages=tuple(map(_change, recipe.stages)),
    )
