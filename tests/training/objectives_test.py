import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import head as heads
from emojax.data import clip as clips
from emojax.training import loop, objectives, regions
from emojax.training.recipe import Weights
from tests.training import small

ROW = 7


@pytest.fixture(scope="module")
def frame(clip):
    columns = clip.action_units.places(small.HEAD.action_units)
    frames = loop.to_frames(clips.batch(clip, np.array([ROW])), columns)
    return jax.tree.map(lambda x: jnp.asarray(x)[0], frames)


def _loss(head, frame, clip, stage, *, phase=None, step=9, measure=None):
    return objectives.loss(
        head,
        frame,
        clip.camera(0),
        jax.random.key(0),
        stage=stage,
        phase=phase or stage.phases[-1],
        step=jnp.int32(step),
        measure=measure,
    )


def _draw(head, frame, clip, stage, *, step=9):
    return objectives.draw(
        head,
        frame,
        clip.camera(0),
        jax.random.key(0),
        stage=stage,
        phase=stage.phases[-1],
        step=jnp.int32(step),
    )


def test_only_terms_with_a_weight_are_there(head, frame, clip):
    stage = small.face_stage()
    total, outcome = jax.jit(lambda h: _loss(h, frame, clip, stage))(head)
    assert set(outcome.terms) == {
        "l1", "dssim", "motion", "alpha", "attention_lips", "attention_hair"
    }  # fmt: skip
    expected = sum(getattr(small.MOVING, name) * v for name, v in outcome.terms.items())
    np.testing.assert_allclose(total, expected, rtol=1e-6)
    np.testing.assert_allclose(sum(outcome.budget.values()), 1, rtol=1e-4)


def test_a_face_is_head_over_green(head, frame, clip):
    masks = regions.regions(frame.labels, frame.landmarks)
    picture, _ = _draw(head, frame, clip, small.face_stage(), step=100)
    truth = np.asarray(frame.image, np.float32) / 255
    target, inside = np.asarray(picture.target), np.asarray(masks.head) > 0
    np.testing.assert_allclose(target[inside], truth[inside])
    np.testing.assert_array_equal(target[~inside], [objectives.GREEN] * (~inside).sum())


def test_hair_is_green_in_both_between_its_steps(head, frame, clip):
    stage = small.face_stage()
    hair = np.asarray(regions.regions(frame.labels, frame.landmarks).hair) > 0
    assert hair.any()
    hidden, _ = _draw(head, frame, clip, stage, step=5)
    np.testing.assert_array_equal(np.asarray(hidden.image)[hair], [objectives.GREEN] * hair.sum())
    np.testing.assert_array_equal(np.asarray(hidden.target)[hair], [objectives.GREEN] * hair.sum())
    shown, _ = _draw(head, frame, clip, stage, step=6)
    assert np.abs(np.asarray(shown.target)[hair] - objectives.GREEN).min() > 0


def test_hair_attention_counts_with_the_hair(head, frame, clip):
    stage = small.face_stage()
    hidden = _loss(head, frame, clip, stage, step=5)[1].terms["attention_hair"]
    shown = _loss(head, frame, clip, stage, step=6)[1].terms["attention_hair"]
    assert float(hidden) == 0
    assert float(shown) > 0


def test_a_mouth_is_judged_in_the_lips_square_and_must_be_empty_elsewhere(head, frame, clip):
    masks = regions.regions(frame.labels, frame.landmarks)
    picture, _ = _draw(head, frame, clip, small.mouth_stage())
    beside = (np.asarray(masks.lips) > 0) & (np.asarray(masks.mouth) == 0)
    assert beside.any()
    for image in (picture.image, picture.target):
        np.testing.assert_array_equal(np.asarray(image)[beside], [objectives.GREEN] * beside.sum())
    elsewhere = (np.asarray(masks.lips) == 0) & (np.asarray(masks.mouth) == 0)
    drawn = np.asarray(picture.rendering.image)
    np.testing.assert_array_equal(np.asarray(picture.image)[elsewhere], drawn[elsewhere])


def test_the_whole_picture_is_the_heads(head, frame, clip):
    picture, _ = _draw(head, frame, clip, small.fuse_stage())
    whole = heads.render(
        head,
        frame.condition,
        clip.camera(ROW),
        jnp.asarray(frame.backdrop, jnp.float32) / 255,
    )
    np.testing.assert_allclose(picture.image, whole.image, atol=1e-6)
    np.testing.assert_allclose(picture.target, frame.image / 255.0, atol=1e-6)


def test_still_phases_do_not_move(head, frame, clip):
    stage = small.face_stage()
    moved = head.replace(face_motion=jax.tree.map(lambda x: x + 1, head.face_motion))
    losses = [_loss(h, frame, clip, stage, phase=stage.phases[0])[0] for h in (head, moved)]
    assert losses[0] == losses[1]
    assert _loss(head, frame, clip, stage)[0] != _loss(moved, frame, clip, stage)[0]


def test_a_random_background_is_another_at_each_step(head, frame, clip):
    stage = small.mouth_stage()
    phase = dataclasses.replace(stage.phases[0], background="random")
    stage = dataclasses.replace(stage, phases=(phase,))
    corners = []
    for seed in (0, 0, 1):
        picture, _ = objectives.draw(
            head, frame, clip.camera(0), jax.random.key(seed),
            stage=stage, phase=phase, step=jnp.int32(0),
        )  # fmt: skip
        corners.append(np.asarray(picture.target)[0, 0])
    np.testing.assert_array_equal(corners[0], corners[1])
    assert np.abs(corners[0] - corners[2]).max() > 0.05


def test_perceptual_terms_use_the_measure(head, frame, clip):
    stage = small.face_stage()
    phase = dataclasses.replace(
        stage.phases[-1],
        weights=Weights(patches=1.0, lip_patch=1.0),
        patch_sides=(12, 16),
        lip_side=10,
        close_mouth=True,
    )
    sides = []

    def measure(image, target):
        sides.append(image.shape[1])
        return jnp.mean((image - target) ** 2, axis=(1, 2, 3))

    _, outcome = _loss(head, frame, clip, stage, phase=phase, measure=measure)
    assert {"patches", "lip_patch"} <= set(outcome.terms)
    assert set(sides) == {10, 12, 16}
    assert all(float(outcome.terms[name]) > 0 for name in ("patches", "lip_patch"))
