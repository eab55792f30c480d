import dataclasses

import pytest

from emojax.training import changes, checks
from emojax.training.recipe import Phase, Weights, Window
from tests.training import small


def test_scaling_keeps_proportions_and_every_phase():
    stage = small.face_stage(
        phases=(
            Phase("still", 3_000, small.FACE, Weights(), moving=False),
            Phase("moving", 49_990, small.FACE, Weights()),
            Phase("fine", 50_000, small.FACE, Weights()),
        ),
        windows=(Window("blink", 0, 3_000, 7, 40_000, (0, 1), (0, 1)),),
    )
    scaled = changes.scale_steps(stage, 0.1, multiple=100)
    assert [phase.until for phase in scaled.phases] == [300, 5_000, 5_100]
    assert scaled.windows[0].span == 4_000
    assert scaled.windows[0].every == 7
    assert changes.scale_steps(stage, 1.0, multiple=1).windows == stage.windows


def test_pixels_follow_the_size():
    stage = small.face_stage(min_mouth_pixels=20)
    phases = tuple(dataclasses.replace(phase, lip_side=96) for phase in stage.phases)
    scaled = changes.scale_size(dataclasses.replace(stage, phases=phases), 0.5)
    assert scaled.min_mouth_pixels == 5
    assert {phase.lip_side for phase in scaled.phases} == {48}
    assert changes.scale_size(stage, 0.01).min_mouth_pixels == 1
    assert changes.scale_size(small.face_stage(), 0.5).min_mouth_pixels == 0


def test_perceptual_terms_can_be_left_out():
    stage = small.face_stage()
    phase = dataclasses.replace(stage.phases[-1], weights=Weights(patches=1.0, lip_patch=1.0))
    recipe = small.recipe(dataclasses.replace(stage, phases=(phase,)))
    plain = changes.without_perceptual(recipe).stages[0].phases[0].weights
    assert (plain.patches, plain.lip_patch, plain.l1) == (0, 0, 1)


@pytest.mark.parametrize(("steps", "size"), [(0.3, 24), (3.0, 96), (1e-6, 8)])
def test_a_scaled_recipe_is_sound_whatever_the_share(steps, size):
    recipe = small.recipe()
    made = changes.scaled(recipe, steps=steps, size=size)
    checks.check(made)
    assert made.size == size
    for stage, before in zip(made.stages, recipe.stages, strict=True):
        assert (stage.steps < before.steps) == (steps < 1) or before.steps == 4
        assert stage.rates.networks == before.rates.networks
    assert changes.scaled(recipe) == recipe


@pytest.mark.parametrize("options", [{"steps": 0}, {"steps": float("nan")}, {"size": 0}])
def test_a_recipe_of_nothing_is_refused(options):
    with pytest.raises(ValueError, match=f"^{next(iter(options))}: expected"):
        changes.scaled(small.recipe(), **options)
