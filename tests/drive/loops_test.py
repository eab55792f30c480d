import numpy as np

from emojax.drive import loops
from tests.drive import scene


def test_back_and_forth_never_jumps():
    rows = loops.back_and_forth(3, 8, 25)
    np.testing.assert_array_equal(rows[:10], [3, 4, 5, 6, 7, 6, 5, 4, 3, 4])
    assert np.all(np.abs(np.diff(rows)) == 1)
    np.testing.assert_array_equal(loops.back_and_forth(3, 4, 5), np.full(5, 3))


def test_cuts_and_lost_frames_end_a_stretch():
    numbers = np.array([0, 1, 2, 3, 5, 6, 20, 21, 22, 0])
    assert loops.stretches(numbers, np.array([2])) == [(0, 2), (2, 6), (6, 9), (9, 10)]


def test_a_film_stays_within_the_longest_stretch():
    clip = scene.clip(60, cuts=(15, 50))
    rows = loops.clip_rows(clip.numbers, clip.cuts, clip.world_to_camera, 300)
    assert rows.min() >= 15
    assert rows.max() < 50
    assert np.all(np.abs(np.diff(rows)) == 1)
    assert len(rows) == 300


def test_turns_are_where_the_head_is_nearly_still():
    clip = scene.clip(100)
    first, end = loops.turning_points(clip.world_to_camera, 0, 100)
    vectors = loops.pose_vectors(clip.world_to_camera)
    speed = np.linalg.norm(np.diff(vectors, axis=0), axis=1)
    assert speed[first] == speed[:10].min()
    assert speed[end - 2] == speed[-10:].min()
    assert loops.turning_points(clip.world_to_camera, 3, 5) == (3, 5)


def test_distances_of_poses_are_metres_at_the_surface():
    pose = np.tile(np.eye(4), (3, 1, 1))
    pose[1, 0, 3] = 0.02
    angle = 0.1
    pose[2, :2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    vectors = loops.pose_vectors(pose)
    np.testing.assert_allclose(
        np.linalg.norm(vectors[1:] - vectors[0], axis=1), [0.02, 0.01], rtol=1e-3
    )
