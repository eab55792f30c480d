import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import head as heads
from emojax.data.errors import DataError
from emojax.gaussians import harmonics
from emojax.training import growth
from emojax.training import state as states
from tests.training import small

EXTENT = 0.1
DENSITY = small.face_stage().density


def _state(stage, *, gradient=0.0, step=4, config=small.HEAD):
    head = heads.init(jax.random.key(0), config)
    state = states.begin(jax.random.key(1), head, stage)
    seen = state.statistics["face"]
    statistics = {
        **state.statistics,
        "face": seen.replace(
            gradient_sum=jnp.where(head.face.alive, gradient, 0),
            visible_count=jnp.ones_like(seen.visible_count),
        ),
    }
    moments = jax.tree.map(lambda x: x + 1, state.moments)
    return state.replace(statistics=statistics, moments=moments, step=jnp.int32(step))


def _round(state, stage, clip):
    return growth.take_round(state, clip.camera(0), stage=stage, extent=EXTENT)


def test_normals_follow_their_gaussians(clip):
    stage = small.surface_stage()
    state = _state(stage, gradient=1.0, config=small.EMOTIONAL)
    named = jnp.arange(state.head.face.capacity, dtype=jnp.float32)[:, None] * jnp.ones(3)
    face = state.head.face.replace(normals=named)
    after, counts = _round(state.replace(head=state.head.replace(face=face)), stage, clip)
    assert counts.capacity == 2 * small.HEAD.face_capacity
    assert after.head.face.normals.shape == (counts.capacity, 3)
    assert after.moments["face.normals"].mu.shape == (counts.capacity, 3)
    # A Gaussian and its child have the normal of the one that they come from.
    living = np.asarray(after.head.face.normals)[np.asarray(after.head.face.alive), 0]
    assert set(living) <= set(range(small.HEAD.face_points))


def test_nothing_to_do_changes_nothing_but_the_statistics(clip):
    stage = small.face_stage()
    state = _state(stage)
    after, counts = _round(state, stage, clip)
    assert (counts.cloned, counts.split, counts.pruned) == (0, 0, 0)
    assert counts.alive == 120
    jax.tree.map(np.testing.assert_array_equal, after.head.face, state.head.face)
    assert int(after.statistics["face"].visible_count.sum()) == 0


def test_capacity_doubles_where_no_slot_is_free(clip):
    stage = small.face_stage()
    state = _state(stage, gradient=1.0)
    after, counts = _round(state, stage, clip)
    assert counts.capacity == 2 * small.HEAD.face_capacity
    assert counts.cloned + counts.split == 120
    assert int(after.head.face.count()) == counts.alive
    mu = after.moments["face.means"].mu
    assert mu.shape == (counts.capacity, 3)
    # Moments of a Gaussian that stays stay; those of new ones are 0.
    assert set(np.unique(np.asarray(mu))) <= {0.0, 1.0}
    assert float(after.moments["face.motion"].count) == 1
    assert after.head.mouth.capacity == small.HEAD.mouth_capacity


def test_growth_beyond_the_limit_is_refused(clip):
    stage = small.face_stage(density=dataclasses.replace(DENSITY, max_capacity=200))
    with pytest.raises(DataError, match=r"at most 200 Gaussians of the face.*max_capacity"):
        _round(_state(stage, gradient=1.0), stage, clip)


def test_gaussians_of_the_backgrounds_colour_go(clip):
    stage = small.face_stage()
    state = _state(stage)
    green = harmonics.rgb_to_harmonic(jnp.array([0.02, 0.99, 0.05]))
    cloud = state.head.face
    cloud = cloud.replace(harmonics=cloud.harmonics.at[:7, 0].set(green))
    after, counts = _round(state.replace(head=state.head.replace(face=cloud)), stage, clip)
    assert counts.pruned == 7
    assert not bool(after.head.face.alive[:7].any())


def test_late_rounds_take_away_only_the_background(clip):
    stage = small.face_stage(density=dataclasses.replace(DENSITY, until=4, background_until=12))
    faint = _state(stage, gradient=1.0)
    cloud = faint.head.face.replace(opacities=faint.head.face.opacities - 20)
    faint = faint.replace(head=faint.head.replace(face=cloud))
    _, counts = _round(faint, stage, clip)
    assert (counts.cloned, counts.split, counts.pruned) == (0, 0, 0)


def test_a_cloud_that_dies_out_is_an_error(clip):
    stage = small.face_stage()
    state = _state(stage)
    cloud = state.head.face.replace(opacities=state.head.face.opacities - 20)
    with pytest.raises(DataError, match="none alive"):
        _round(state.replace(head=state.head.replace(face=cloud)), stage, clip)


def test_a_round_is_the_same_every_time(clip):
    stage = small.face_stage()
    twice = [_round(_state(stage, gradient=1.0), stage, clip)[0] for _ in range(2)]
    jax.tree.map(np.testing.assert_array_equal, twice[0].head, twice[1].head)
