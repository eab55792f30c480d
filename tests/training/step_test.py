"""What trains moves, what is frozen stays, and nothing is traced twice."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import head as heads
from emojax.data import clip as clips
from emojax.training import loop, objectives
from emojax.training import recipe as recipes
from emojax.training import state as states
from emojax.training import step as steps
from tests.training import small

EXTENT = 0.1


@pytest.fixture(scope="module")
def frames(clip):
    columns = clip.action_units.places(small.HEAD.action_units)
    return loop.to_frames(clips.batch(clip, np.array([3, 11])), columns)


def _run(clip, frames, stage, phase, state=None):
    if state is None:
        head = heads.init(jax.random.key(0), small.HEAD)
        state = states.begin(jax.random.key(1), head, stage)
    program = steps.make(stage, phase, extent=EXTENT)
    after, info = program(state, frames, clip.camera(0))
    return program, state, after, info


@pytest.mark.parametrize("stage", [small.mouth_stage(), small.face_stage(), small.fuse_stage()])
@pytest.mark.parametrize("which", [0, -1])
def test_it_moves_what_trains_and_nothing_else(clip, frames, stage, which):
    phase = stage.phases[which]
    _, before, after, info = _run(clip, frames, stage, phase)
    assert set(info.gradients) == set(phase.trains)
    for name in recipes.TRAINABLE:
        old, new = (states.get(s.head, [name])[name] for s in (before, after))
        leaves = list(zip(jax.tree.leaves(old), jax.tree.leaves(new), strict=True))
        if name in phase.trains:
            assert any(bool(jnp.any(a != b)) for a, b in leaves), f"{name} does not move"
        else:
            assert all(bool(jnp.all(a == b)) for a, b in leaves), f"{name} is frozen, but moved"
    for name, moments in before.moments.items():
        if name not in phase.trains:
            jax.tree.map(np.testing.assert_array_equal, moments, after.moments[name])
    assert int(after.step) == 2


@pytest.mark.parametrize("stage", [small.mouth_stage(), small.face_stage(), small.fuse_stage()])
def test_the_loss_differentiates_to_every_number_that_trains(clip, frames, stage):
    phase = stage.phases[-1]
    # After some steps: at the start the last layers are too near zero to let much through.
    *_, state, _ = _run(clip, frames, stage, phase)

    def loss(parts, frame):
        return objectives.loss(
            states.put(state.head, parts), frame, clip.camera(0), jax.random.key(3),
            stage=stage, phase=phase, step=state.step,
        )[0]  # fmt: skip

    parts = states.get(state.head, phase.trains)
    one = jax.tree.map(lambda x: jnp.asarray(x)[0], frames)
    gradients = jax.jit(jax.grad(loss))(parts, one)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
        assert bool(jnp.all(jnp.isfinite(leaf)))
        assert float(jnp.abs(leaf).max()) > 0, jax.tree_util.keystr(path)


def test_two_steps_in_one_dispatch_are_two_dispatches_of_one(clip, frames):
    stage = small.face_stage()
    phase = stage.phases[-1]
    program, before, together, _ = _run(clip, frames, stage, phase)
    state = before
    for i in range(2):
        one = jax.tree.map(lambda x, i=i: x[i : i + 1], frames)
        state, _ = program(state, one, clip.camera(0))
    for a, b in zip(jax.tree.leaves(state.head), jax.tree.leaves(together.head), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_the_statistic_counts_what_was_seen(clip, frames):
    stage = small.face_stage()
    _, _, after, _ = _run(clip, frames, stage, stage.phases[0])
    seen = after.statistics["face"]
    assert int(seen.visible_count.max()) == 2
    assert float(seen.gradient_sum.max()) > 0
    assert int(after.statistics["mouth"].visible_count.max()) == 0


def test_it_is_traced_once_and_again_only_when_the_cloud_grows(clip, frames):
    from emojax.training import growth

    stage = small.face_stage()
    program, _, after, _ = _run(clip, frames, stage, stage.phases[0])
    after, _ = program(after, frames, clip.camera(0))
    assert program.traces == 1
    after = growth.enlarge(after, "face", stage.density)
    after, _ = program(after, frames, clip.camera(0))
    after, _ = program(after, frames, clip.camera(0))
    assert program.traces == 2
