import dataclasses

import pytest

from emojax.training import recipe
from emojax.training.recipe import Phase, Weights, Window
from tests.training import small


def test_a_sound_recipe_passes():
    recipe.check(small.recipe())


def test_phases_follow_each_other():
    stage = small.face_stage()
    assert stage.steps == 12
    assert [stage.phase(step).name for step in (0, 3, 4, 11)] == ["still"] * 2 + ["moving"] * 2


def _phase(**changes):
    phase = dataclasses.replace(small.face_stage().phases[-1], **changes)
    return small.recipe(dataclasses.replace(small.face_stage(), phases=(phase,)))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (small.recipe(small.face_stage(), small.face_stage()), "different names"),
        (small.recipe(small.face_stage(phases=())), "at least one"),
        (dataclasses.replace(small.recipe(), stages=()), "at least one"),
        (dataclasses.replace(small.recipe(), size=0), "size"),
        (dataclasses.replace(small.recipe(), save_every=3), "save_every"),
        (_phase(until=3), "multiples of steps_per_dispatch"),
        (_phase(trains=()), "expected something"),
        (_phase(trains=("face.colour",)), "unknown"),
        (_phase(trains=("mouth.means",)), "not in the picture"),
        (_phase(moving=False), "no motion"),
        (_phase(weights=Weights(patches=1.0)), "patch_sides"),
        (_phase(weights=Weights(lip_patch=1.0)), "lip_side"),
        (
            small.recipe(small.face_stage(windows=(Window("smile", 0, 1, 1, 1, (0, 1), (0, 1)),))),
            "expected a measure",
        ),
        (
            small.recipe(
                small.face_stage(density=dataclasses.replace(small.face_stage().density, every=3))
            ),
            "multiples of steps_per_dispatch",
        ),
    ],
)
def test_contradictions_are_named(made, message):
    with pytest.raises(ValueError, match=message):
        recipe.check(made)


def test_phases_must_grow():
    still, moving = small.face_stage().phases
    with pytest.raises(ValueError, match="growing"):
        recipe.check(small.recipe(small.face_stage(phases=(moving, still))))


def test_scaling_keeps_proportions_and_every_phase():
    stage = small.face_stage(
        phases=(
            Phase("still", 3_000, small.FACE, Weights(), moving=False),
            Phase("moving", 49_990, small.FACE, Weights()),
            Phase("fine", 50_000, small.FACE, Weights()),
        ),
        windows=(Window("blink", 0, 3_000, 7, 40_000, (0, 1), (0, 1)),),
    )
    scaled = recipe.scale_steps(stage, 0.1, multiple=100)
    assert [phase.until for phase in scaled.phases] == [300, 5_000, 5_100]
    assert scaled.windows[0].span == 4_000
    assert scaled.windows[0].every == 7
    assert recipe.scale_steps(stage, 1.0, multiple=1).windows == stage.windows
