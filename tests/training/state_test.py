import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.training import recipe
from emojax.training import state as states
from tests.training import small


def test_what_is_put_is_what_is_got(head):
    poses = jnp.arange(18.0).reshape(3, 6)
    parts = states.get(head, poses, recipe.TRAINABLE)
    assert set(parts) == set(recipe.TRAINABLE)
    changed = jax.tree.map(lambda x: x + 1, parts)
    again, moved = states.put(head, poses, changed)
    np.testing.assert_array_equal(moved, poses + 1)
    got = states.get(again, moved, recipe.TRAINABLE)
    jax.tree.map(np.testing.assert_array_equal, got, changed)
    np.testing.assert_array_equal(again.face.alive, head.face.alive)


def test_a_part_alone_leaves_the_rest(head):
    poses = jnp.zeros((3, 6))
    again, moved = states.put(head, poses, {"mouth.means": head.mouth.means + 1})
    np.testing.assert_array_equal(again.mouth.means, head.mouth.means + 1)
    jax.tree.map(np.testing.assert_array_equal, again.face, head.face)
    assert moved is poses


def test_moments_are_of_what_trains_in_any_phase(head):
    state = states.begin(jax.random.key(1), head, jnp.zeros((3, 6)), small.face_stage())
    assert set(state.moments) == {*small.FACE, "face.motion"}
    assert int(state.step) == 0


def test_no_correction_is_the_tracked_pose(clip):
    camera = clip.camera(3)
    corrected = states.correct(camera, jnp.zeros(6))
    np.testing.assert_allclose(corrected.world_to_camera, camera.world_to_camera, atol=1e-7)


def test_corrections_turn_about_the_head(clip):
    camera = clip.camera(3)
    origin = camera.world_to_camera @ jnp.array([0, 0, 0, 1.0])
    turned = states.correct(camera, jnp.array([0.05, 0, 0, 0, 0, 0]))
    np.testing.assert_allclose(
        turned.world_to_camera @ jnp.array([0, 0, 0, 1.0]), origin, atol=1e-6
    )
    moved = states.correct(camera, jnp.array([0, 0, 0, 1.0, 0, 0]))
    step = moved.world_to_camera[:3, 3] - camera.world_to_camera[:3, 3]
    np.testing.assert_allclose(step, camera.world_to_camera[:3, 0] * states.POSE_UNIT, atol=1e-6)


def test_extent_is_of_camera_centres():
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[0, :3, :3] = [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]
    poses[0, :3, 3] = poses[0, :3, :3] @ [-1.0, 0, 0]  # centre (1, 0, 0), whatever the rotation
    poses[1, :3, 3] = [1.0, 0, 0]  # centre (-1, 0, 0)
    assert states.extent(poses) == pytest.approx(1.1)
