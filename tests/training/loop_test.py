import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.training import curriculum, loop
from emojax.training import state as states
from tests.training import small


@pytest.fixture(scope="module")
def measures(clip):
    return curriculum.measure(clip)


def _reports(clip, measures, state, stage):
    return loop.run_stage(state, clip, stage, recipe=small.recipe(), measures=measures, seed=3)


@pytest.fixture(scope="module")
def reports(clip, measures, head):
    stage = small.face_stage()
    state = states.begin(jax.random.key(1), head, stage)
    return list(_reports(clip, measures, state, stage))


def test_it_reports_every_dispatch(reports):
    assert [report.step for report in reports] == [2, 4, 6, 8, 10, 12]
    assert [report.phase.name for report in reports] == ["still"] * 2 + ["moving"] * 4
    assert all(report.info.loss.shape == (2,) for report in reports)
    assert [report.step - 2 for report in reports if report.round] == [4, 8]


def test_each_phase_is_traced_once_a_capacity(reports):
    capacities = {r.phase.name: set() for r in reports}
    for report in reports:
        capacities[report.phase.name].add(report.state.head.face.capacity)
        assert report.traces == len(capacities[report.phase.name])


def test_it_goes_on_from_the_middle_to_the_same_bits(clip, measures, reports):
    again = list(_reports(clip, measures, reports[2].state, small.face_stage()))
    assert [report.step for report in again] == [8, 10, 12]
    for a, b in zip(reports[3:], again, strict=True):
        np.testing.assert_array_equal(a.rows, b.rows)
    equal = jax.tree.map(
        lambda a, b: np.array_equal(a, b), reports[-1].state.head, again[-1].state.head
    )
    assert all(jax.tree.leaves(equal))


def test_a_number_that_is_not_finite_stops_it(clip, measures, reports):
    state = reports[2].state
    bad = jax.tree.map(lambda x: x * jnp.nan, state.head.face_motion)
    state = state.replace(head=state.head.replace(face_motion=bad))
    with pytest.raises(loop.DivergedError, match="is not finite at step 6") as caught:
        list(_reports(clip, measures, state, small.face_stage()))
    error = caught.value
    assert int(error.state.step) == 6
    assert error.batch.image.shape[0] == 2


def test_phases_that_differ_in_when_they_are_share_a_program(clip, measures, head):
    stage = small.face_stage()
    moving = stage.phases[-1]
    first = dataclasses.replace(moving, name="first", until=2)
    stage = dataclasses.replace(stage, phases=(first, moving), density=None)
    state = states.begin(jax.random.key(1), head, stage)
    found = list(_reports(clip, measures, state, stage))
    assert [report.phase.name for report in found[:2]] == ["first", moving.name]
    assert {report.traces for report in found} == {1}
