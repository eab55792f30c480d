"""Training of emotions and normals: what moves, what is frozen, which pictures are seen."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import head as heads
from emojax.data import clip as clips
from emojax.data import surfaces
from emojax.training import checks, curriculum, loop, objectives
from emojax.training import recipe as recipes
from emojax.training import state as states
from emojax.training import step as steps
from emojax.training.curriculum import Measures
from emojax.training.recipe import Weights
from tests.training import small

EXTENT = 0.1
STAGES = [small.surface_stage(), small.surface_stage(reach="means"), small.emotion_stage()]


@pytest.fixture(scope="module")
def frames(clip):
    columns = clip.action_units.places(small.HEAD.action_units)
    plain = loop.to_frames(clips.batch(clip, np.array([3, 11])), columns)
    vectors = np.tile(np.float32([0.6, 0, 0.8]), (*plain.image.shape[:3], 1))
    emotion = np.float32([[0.5, 0.3], [-0.4, 0.2]])
    return plain._replace(
        normals=surfaces.to_bytes(vectors),
        condition=plain.condition.replace(emotion=emotion),
    )


def _run(clip, frames, stage):
    head = heads.init(jax.random.key(0), small.EMOTIONAL)
    state = states.begin(jax.random.key(1), head, stage)
    program = steps.make(stage, stage.phases[-1], extent=EXTENT)
    after, info = program(state, frames, clip.camera(0))
    return state, after, info


@pytest.mark.parametrize("stage", STAGES, ids=["residuals", "means", "emotion"])
def test_it_moves_what_trains_and_nothing_else(clip, frames, stage):
    before, after, info = _run(clip, frames, stage)
    phase = stage.phases[-1]
    assert all(np.isfinite(values).all() for values in info.terms.values())
    for name in recipes.TRAINABLE:
        old, new = (states.get(s.head, [name])[name] for s in (before, after))
        pairs = list(zip(jax.tree.leaves(old), jax.tree.leaves(new), strict=True))
        moved = any(bool(jnp.any(a != b)) for a, b in pairs)
        assert moved == (name in phase.trains), name


@pytest.mark.parametrize("stage", STAGES, ids=["residuals", "means", "emotion"])
def test_the_loss_differentiates_to_every_number_that_trains(clip, frames, stage):
    _, state, _ = _run(clip, frames, stage)
    phase = stage.phases[-1]

    def loss(parts, frame):
        return objectives.loss(
            states.put(state.head, parts), frame, clip.camera(0), jax.random.key(3),
            stage=stage, phase=phase, step=state.step,
        )[0]  # fmt: skip

    parts = states.get(state.head, phase.trains)
    one = jax.tree.map(lambda x: jnp.asarray(x)[0], frames)
    for path, leaf in jax.tree_util.tree_leaves_with_path(jax.jit(jax.grad(loss))(parts, one)):
        assert bool(jnp.all(jnp.isfinite(leaf)))
        assert float(jnp.abs(leaf).max()) > 0, jax.tree_util.keystr(path)


def test_normals_come_nearer_to_their_target(clip, frames):
    stage = small.surface_stage()
    program = steps.make(stage, stage.phases[-1], extent=EXTENT)
    head = heads.init(jax.random.key(0), small.EMOTIONAL)
    state = states.begin(jax.random.key(1), head, stage)
    terms = []
    for _ in range(15):
        state, info = program(state, frames, clip.camera(0))
        terms.append(float(info.terms["normals"].mean()))
    assert terms[-1] < 0.8 * terms[0]


def test_an_emotion_is_not_shown_before_its_stage(clip, frames):
    _, state, _ = _run(clip, frames, small.emotion_stage())
    one = jax.tree.map(lambda x: jnp.asarray(x)[0], frames)
    other = one._replace(condition=one.condition.replace(emotion=jnp.array([-0.9, 0.1])))

    def image(frame, stage):
        picture, _ = objectives.draw(
            state.head, frame, clip.camera(0), jax.random.key(3),
            stage=stage, phase=stage.phases[-1], step=state.step,
        )  # fmt: skip
        return picture.image

    face = small.surface_stage()
    np.testing.assert_array_equal(image(one, face), image(other, face))
    emotion = small.emotion_stage()
    assert bool((image(one, emotion) != image(other, emotion)).any())


def test_emotional_pictures_come_at_their_share():
    values = np.linspace(0, 1, 20)
    measures = Measures(np.stack([values] * 3), np.arange(20) + 1, emotional=np.arange(20, 60))
    stage = small.emotion_stage()
    rows = curriculum.choose(0, stage, measures, first=0, num=1_000).rows
    assert 0.75 < (rows >= 20).mean() < 0.85
    assert set(rows[rows >= 20]) == set(range(20, 60))
    again = curriculum.choose(0, stage, measures, first=500, num=500).rows
    np.testing.assert_array_equal(again, rows[500:])
    none = measures._replace(emotional=np.zeros(0, int))
    assert curriculum.choose(0, stage, none, first=0, num=100).rows.max() < 20


def _recipe(stage, head=small.EMOTIONAL, **changes):
    phase = dataclasses.replace(stage.phases[-1], **changes)
    made = small.recipe(dataclasses.replace(stage, phases=(phase,)))
    return dataclasses.replace(made, head=head)


def test_sound_recipes_pass():
    for stage in STAGES:
        checks.check(_recipe(stage))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (_recipe(small.emotion_stage(), head=small.HEAD), "head with emotion"),
        (_recipe(small.emotion_stage(), emotional=False), "emotional pictures"),
        (_recipe(small.surface_stage(), head=small.HEAD), "head.normals"),
        (_recipe(small.emotion_stage(), moving=False), "motion"),
        (_recipe(small.fuse_stage(), weights=Weights(normals=1.0)), "stage of the face"),
        (
            _recipe(dataclasses.replace(small.emotion_stage(), emotional_share=1.5)),
            "emotional_share",
        ),
        (
            _recipe(
                small.emotion_stage(),
                head=dataclasses.replace(small.EMOTIONAL, emotion="combined"),
            ),
            "emotion.motion needs",
        ),
    ],
)
def test_contradictions_are_named(made, message):
    with pytest.raises(ValueError, match=message):
        checks.check(made)
