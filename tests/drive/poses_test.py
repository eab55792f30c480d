import dataclasses
import json
import re

import numpy as np
import pytest

from emojax.data import cameras
from emojax.data.errors import DataError
from emojax.drive import loops, poses
from tests.drive import scene


@pytest.fixture(scope="module")
def clip():
    return scene.clip(60)


def test_the_clips_motion_goes_with_its_own_torso(clip):
    planned = poses.plan(clip, "clip", 200)
    np.testing.assert_array_equal(planned.world_to_camera, clip.world_to_camera[planned.rows])
    assert np.all(np.abs(np.diff(planned.rows)) == 1)


def test_fixed_is_the_usual_pose(clip):
    planned = poses.plan(clip, "fixed", 5)
    assert len(np.unique(planned.rows)) == 1
    vectors = loops.pose_vectors(clip.world_to_camera)
    away = np.linalg.norm(vectors - np.median(vectors, axis=0), axis=1)
    assert away[planned.rows[0]] == away.min()


@pytest.mark.parametrize(
    ("name", "point", "moved"),
    [
        ("yaw", (0, 0, 0.1), (1, 0)),  # the nose goes to the picture's right
        ("pitch", (0, 0, 0.1), (0, -1)),  # up
        ("roll", (0, 0.1, 0), (1, 0)),  # the crown goes to the right
        ("x", (0, 0, 0), (1, 0)),
        ("y", (0, 0, 0), (0, -1)),
    ],
)
def test_offsets_move_the_head_as_named(name, point, moved):
    usual = np.diag([1.0, -1, -1, 1])
    usual[2, 3] = 0.8
    offsets = np.zeros((2, 6))
    offsets[1, poses.OFFSETS.index(name)] = 10 if name in ("yaw", "pitch", "roll") else 0.05
    seen = (poses.offset(usual, offsets) @ [*point, 1])[:, :3]
    shift = seen[1, :2] - seen[0, :2]
    assert np.dot(shift, moved) > 0.9 * np.linalg.norm(shift) > 0
    towards = poses.offset(usual, np.array([[0, 0, 0, 0, 0, 0.1]]))
    assert towards[0, 2, 3] < usual[2, 3]


def test_the_clips_own_poses_as_a_file_are_the_clip(clip, tmp_path):
    rows = np.concatenate([np.arange(10, 40), np.arange(38, 20, -1)])
    np.savez(tmp_path / "poses.npz", world_to_camera=clip.world_to_camera[rows])
    planned = poses.plan(clip, tmp_path / "poses.npz", len(rows))
    np.testing.assert_array_equal(planned.rows, rows)
    np.testing.assert_allclose(planned.world_to_camera, clip.world_to_camera[rows])
    frames = [
        {"transform_matrix": matrix.tolist()}
        for matrix in cameras.to_transform_matrix(clip.world_to_camera[rows])
    ]
    (tmp_path / "transforms_val.json").write_text(json.dumps({"frames": frames}))
    again = poses.plan(clip, tmp_path / "transforms_val.json", len(rows))
    np.testing.assert_allclose(again.world_to_camera, planned.world_to_camera, atol=1e-6)
    np.testing.assert_array_equal(again.rows, rows)
    assert planned.notes == again.notes == ()


def test_the_torso_follows_a_file_without_jumps(clip, tmp_path):
    time = np.arange(100)
    yaw = 4 * np.sin(time / 12) + 0.3 * np.random.default_rng(0).standard_normal(100)
    (tmp_path / "nod.csv").write_text("yaw\n" + "\n".join(map(str, yaw)))
    planned = poses.plan(clip, tmp_path / "nod.csv", 100)
    assert np.abs(np.diff(planned.rows)).max() <= 1


def test_a_cut_is_not_crossed_but_by_a_jump():
    clip = scene.clip(60)
    path = poses.follow(clip.world_to_camera, [(0, 30), (30, 60)], clip.world_to_camera[20:32])
    assert len(path) == 12
    assert set(np.diff(path)[path[:-1] == 29]) <= {0, -1} or path.max() < 30


def test_offsets_are_read_back_from_poses(clip):
    offsets = np.random.default_rng(0).uniform(-1, 1, (20, 6)) * [80, 60, 90, 0.2, 0.2, 0.2]
    usual = clip.world_to_camera[7]
    again = poses.offsets_of(usual, poses.offset(usual, offsets))
    np.testing.assert_allclose(again, offsets, atol=1e-5)


def _yaw(clip, degrees):
    """A clip that turns from side to side, so far."""
    offsets = np.zeros((len(clip), 6))
    offsets[:, 0] = degrees * np.sin(np.arange(len(clip)) / 7)
    shown = poses.offset(clip.world_to_camera[0], offsets)
    return dataclasses.replace(clip, world_to_camera=np.float32(shown))


@pytest.mark.parametrize(("range_", "asked", "is_far"), [(2.5, 12, True), (20, 12, False)])
def test_what_is_too_far_depends_on_the_clip(clip, tmp_path, range_, asked, is_far):
    (tmp_path / "turned.json").write_text(json.dumps({"yaw": asked}))
    notes = poses.plan(_yaw(clip, range_), tmp_path / "turned.json", 4).notes
    assert bool(notes) == is_far
    if is_far:
        assert re.search(r"yaw goes to \+12 degrees; the clip shows -\d to \+\d from", notes[0])
        assert "4 of 4 frames" in notes[0]


@pytest.mark.parametrize(
    ("column", "text"),
    [({"x": 0.05}, "x goes to +0.050 m"), ({"pitch": -9}, "pitch goes to -9 degrees")],
)
def test_each_axis_is_looked_at(clip, tmp_path, column, text):
    (tmp_path / "far.json").write_text(json.dumps(column))
    assert text in "".join(poses.plan(clip, tmp_path / "far.json", 4).notes)


def test_columns_may_be_in_capitals_and_unknown_ones_are_told(clip, tmp_path):
    (tmp_path / "a.csv").write_text("Yaw, PITCH, smile\n" + "2, 1, 0\n" * 5)
    (tmp_path / "b.csv").write_text("yaw, pitch\n" + "2, 1\n" * 5)
    planned = [poses.plan(clip, tmp_path / name, 5) for name in ("a.csv", "b.csv")]
    np.testing.assert_array_equal(*(some.world_to_camera for some in planned))
    assert "not used: smile" in planned[0].notes[0]
    assert planned[1].notes == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"tilt": 1}, "columns among yaw, pitch.*got tilt"),
        ({"yawn": 1, "pitch": 1}, r"got yawn; did you mean yaw\?"),
        ({"yaw": [[1, 2]] * 5}, "one number a frame in yaw"),
        ({"yaw": [0] * 50}, r"expected 10 frames.*got 50 \(\+1.60 s\)"),
        ({"world_to_camera": [[1, 0, 0]] * 3}, r"world_to_camera \[T, 4, 4\]"),
        ({"world_to_camera": np.eye(4).tolist()}, "heads about 0.80 m"),
        ({"world_to_camera": (2 * np.eye(4)).tolist()}, "rigid poses"),
        ({"transform_matrix": np.zeros((4, 4)).tolist()}, "rigid poses"),
        ({"z": -3.0}, "heads about 0.80 m"),
    ],
)
def test_what_is_no_pose_is_refused(clip, tmp_path, content, message):
    (tmp_path / "poses.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        poses.plan(clip, tmp_path / "poses.json", 10)
