import dataclasses

import pytest

from emojax.training import checks
from emojax.training.recipe import Phase, Rates, Weights, Window
from tests.training import small


def test_a_sound_recipe_passes():
    checks.check(small.recipe())


def _phase(**changes):
    phase = dataclasses.replace(small.face_stage().phases[-1], **changes)
    return small.recipe(dataclasses.replace(small.face_stage(), phases=(phase,)))


def _still(*, target, weights):
    name = "mouth.means" if target == "mouth" else "face.means"
    phase = Phase("still", 4, (name,), weights, moving=True)
    return small.recipe(small.face_stage(target=target, phases=(phase,), density=None))


def _head(**changes):
    recipe = small.recipe()
    return dataclasses.replace(recipe, head=dataclasses.replace(recipe.head, **changes))


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
        (_phase(weights=Weights(patches=1.0), patch_sides=(8, 999)), "patch_sides"),
        (_phase(weights=Weights(lips=-1.0)), "0 or more"),
        (_phase(weights=Weights(l1=float("nan"))), "weights.l1: expected a finite number"),
        (_phase(trains=("face.means",), moving=False, weights=Weights(motion=1.0)), "act on"),
        (_still(target="fused", weights=Weights(alpha=1.0)), "act on"),
        (_still(target="mouth", weights=Weights(attention_lips=1.0)), "act on"),
        (small.recipe(small.face_stage(name="a/b")), "letters"),
        (small.recipe(small.face_stage(phases=small.face_stage().phases[:1] * 2)), "different"),
        (small.recipe(small.face_stage(hair_every=0)), "hair_every"),
        (small.recipe(small.face_stage(rates=Rates(means_steps=0))), "means_steps"),
        (_head(face_points=10**6), "face_points"),
        (_head(action_units=(45, 1)), "45 as the last"),
        (
            small.recipe(small.face_stage(windows=(Window("blink", 0, 1, 0, 1, (0, 1), (0, 1)),))),
            "every",
        ),
        (
            small.recipe(
                small.face_stage(density=dataclasses.replace(small.face_stage().density, every=0))
            ),
            "density.every",
        ),
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
        checks.check(made)


def test_phases_must_grow():
    still, moving = small.face_stage().phases
    with pytest.raises(ValueError, match="growing"):
        checks.check(small.recipe(small.face_stage(phases=(moving, still))))
