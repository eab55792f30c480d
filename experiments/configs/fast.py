"""A good head in half an hour on two CPU cores, at 256 pixels.

python experiments/train.py --data DIR --run RUN --config fast
"""

import dataclasses

from configs import talking_gaussian

from emojax.training import recipe as recipes
from emojax.training.recipe import Recipe


def get() -> Recipe:
    """Returns the recipe."""
    base = talking_gaussian.get()
    return dataclasses.replace(
        base,
        name="fast",
        size=256,
        stages=tuple(recipes.scale_steps(stage, 0.2, multiple=100) for stage in base.stages),
    )
