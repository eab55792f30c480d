"""A good head in half an hour on two CPU cores: `default` in a fifth of the steps, at 256 pixels.

python experiments/train.py --data DIR --run RUN --config fast
"""

import dataclasses

from configs import default

from emojax.training import changes
from emojax.training.recipe import Recipe

STEPS, SIZE = 0.2, 256


def get() -> Recipe:
    """Returns the recipe."""
    base = default.get()
    stages = tuple(
        changes.scale_size(changes.scale_steps(stage, STEPS, multiple=100), SIZE / base.size)
        for stage in base.stages
    )
    return dataclasses.replace(base, name="fast", size=SIZE, stages=stages)
