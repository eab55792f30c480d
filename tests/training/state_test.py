import jax
import numpy as np
import pytest

from emojax.training import recipe
from emojax.training import state as states
from tests.training import small


def test_what_is_put_is_what_is_got(head):
    parts = states.get(head, recipe.TRAINABLE)
    assert set(parts) == set(recipe.TRAINABLE)
    changed = jax.tree.map(lambda x: x + 1, parts)
    again = states.put(head, changed)
    jax.tree.map(np.testing.assert_array_equal, states.get(again, recipe.TRAINABLE), changed)
    np.testing.assert_array_equal(again.face.alive, head.face.alive)


def test_a_part_alone_leaves_the_rest(head):
    again = states.put(head, {"mouth.means": head.mouth.means + 1})
    np.testing.assert_array_equal(again.mouth.means, head.mouth.means + 1)
    jax.tree.map(np.testing.assert_array_equal, again.face, head.face)


def test_moments_are_of_what_trains_in_any_phase(head):
    state = states.begin(jax.random.key(1), head, small.face_stage())
    assert set(state.moments) == {*small.FACE, "face.motion"}
    assert int(state.step) == 0


def test_extent_is_of_camera_centres():
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[0, :3, :3] = [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]
    poses[0, :3, 3] = poses[0, :3, :3] @ [-1.0, 0, 0]  # centre (1, 0, 0), whatever the rotation
    poses[1, :3, 3] = [1.0, 0, 0]  # centre (-1, 0, 0)
    assert states.extent(poses) == pytest.approx(1.1)
