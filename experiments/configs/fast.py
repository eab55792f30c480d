"""A good head in half an hour on two CPU cores: `default` in a fifth of the steps, at 256 pixels.

    python experiments/train.py --data DIR --run RUN --config fast

Taken where nothing else is asked for. 22,000 steps in 15 to 30 minutes; --steps 0.25 takes a
quarter of them, with the whole schedule. Expect on frames that were held out, of clips of 20 to
71 s: the head 29.3 to 31.3 dB, lips 0.62 to 0.89 px off, with another sound 1.00 to 1.11 px
(benchmarks/real_clips.json).
"""

import dataclasses

from configs import default

from emojax.training import changes
from emojax.training.recipe import Recipe, Stage

STEPS, SIZE = 0.2, 256
# Of the original's rates: with few steps the networks must learn faster. A clip of 50 s, 5,500
# steps: LMD 0.98 px (1.06 at the original's rates), head 28.9 dB (28.3), shuffled sound 0.25 px
# farther off (0.09). Ten and four times are too much: LMD 1.12 px, and sound is not heard.
NETWORKS, GRIDS = 4.0, 2.0


def shorten(recipe: Recipe, *, steps: float, size: int) -> Recipe:
    """Returns a recipe in fewer steps and for other pictures.

    Args:
      recipe: with the original's rates.
      steps: share of its steps.
      size: side of the pictures, pixels.
    """

    def change(stage: Stage) -> Stage:
        if stage.target == "fused":
            return stage
        rates = dataclasses.replace(
            stage.rates,
            networks=NETWORKS * stage.rates.networks,
            grids=GRIDS * stage.rates.grids,
        )
        return dataclasses.replace(stage, rates=rates)

    recipe = changes.scaled(recipe, steps=steps, size=size)
    return dataclasses.replace(recipe, stages=tuple(map(change, recipe.stages)))


def get() -> Recipe:
    """Returns the recipe."""
    recipe = shorten(default.get(), steps=STEPS, size=SIZE)
    return dataclasses.replace(recipe, name="fast")
