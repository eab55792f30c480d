import json

import numpy as np
import pytest

from emojax.data import cameras, tracking
from emojax.data.errors import DataError

POINT = np.array([0.03, -0.05, 0.08])  # metres: right of the nose in the picture, low, in front
FOCAL, SIZE = 1200.0, 512


def _pose():
    """A head 0.9 m away, turned and moved: world-to-camera with OpenCV axes."""
    turn = np.asarray(tracking.rotation_matrix(np.array([0.1, -0.2, 0.05])))
    pose = np.eye(4)
    pose[:3, :3] = turn @ np.diag([1, -1, -1])
    pose[:3, 3] = [0.02, -0.01, 0.9]
    return pose


def _pixel():
    """Where POINT is seen: first pixel's centre at 0.5."""
    x, y, z = (_pose() @ [*POINT, 1])[:3]
    return FOCAL * x / z + SIZE / 2, FOCAL * y / z + SIZE / 2


def test_a_face_in_front_of_the_camera_is_upright():
    u, v = _pixel()
    assert u > SIZE / 2
    assert v > SIZE / 2  # lower in the picture


def test_talking_gaussians_form_by_hand():
    """Its dataset reader, FoV, projection matrix and pixel rule (spec 5.3), written out."""
    matrix = cameras.to_transform_matrix(_pose())
    matrix[:3, 1:3] *= -1
    x, y, z, _ = np.linalg.inv(matrix) @ [*POINT, 1]
    tangent = np.tan(2 * np.arctan(SIZE / (2 * FOCAL)) / 2)
    ndc = np.array([x / z / tangent, y / z / tangent])
    index = ((ndc + 1) * SIZE - 1) / 2  # pixel centres at whole numbers
    np.testing.assert_allclose(index + 0.5, _pixel(), atol=1e-9)


def test_er_nerfs_form_by_hand():
    """Its nerf_matrix_to_ngp and get_rays (spec 5.4), written out: the ray meets the point."""
    original = cameras.to_transform_matrix(_pose())
    loaded = np.array(
        [
            [original[1, 0], -original[1, 1], -original[1, 2], original[1, 3] * 4],
            [original[2, 0], -original[2, 1], -original[2, 2], original[2, 3] * 4],
            [original[0, 0], -original[0, 1], -original[0, 2], original[0, 3] * 4],
            [0, 0, 0, 1],
        ]
    )
    np.testing.assert_allclose(cameras.to_er_nerf(_pose()), loaded, atol=1e-12)
    u, v = _pixel()
    i, j = u - 0.5, v - 0.5  # its pixel numbers
    ray = np.array([(i + 0.5 - SIZE / 2) / FOCAL, (j + 0.5 - SIZE / 2) / FOCAL, 1])
    ray = loaded[:3, :3] @ (ray / np.linalg.norm(ray))
    to_point = 4 * POINT[[1, 2, 0]] - loaded[:3, 3]
    np.testing.assert_allclose(np.cross(ray, to_point), 0, atol=1e-9)


def test_the_tracker_of_the_field_by_hand():
    """AD-NeRF's tracker: OpenGL camera, Z < 0 in front, v downwards; it saves R^T, -R^T t."""
    matrix = cameras.to_transform_matrix(_pose())
    rotation = matrix[:3, :3].T
    translation = -rotation @ matrix[:3, 3]
    x, y, z = rotation @ POINT + translation
    assert z < 0
    pixel = (-FOCAL * x / z + SIZE / 2, FOCAL * y / z + SIZE / 2)
    np.testing.assert_allclose(pixel, _pixel(), atol=1e-9)


def test_conversions_invert_each_other():
    pose = _pose()
    np.testing.assert_allclose(
        cameras.from_transform_matrix(cameras.to_transform_matrix(pose)), pose, atol=1e-12
    )
    np.testing.assert_allclose(cameras.from_er_nerf(cameras.to_er_nerf(pose)), pose, atol=1e-12)


def test_files_round_trip_and_leave_out_lost_frames(tmp_path):
    poses = np.tile(_pose(), (22, 1, 1))
    poses[:, 0, 3] += np.arange(22) / 100
    valid = np.ones(22, bool)
    valid[5:11] = False
    cameras.write_transforms(tmp_path, poses, valid, focal=FOCAL, width=512, height=512)
    train = cameras.read_transforms(tmp_path / "transforms_train.json")
    val = cameras.read_transforms(tmp_path / "transforms_val.json")
    assert len(train["numbers"]) == 16 * 10 // 11
    np.testing.assert_array_equal(
        np.concatenate([train["numbers"], val["numbers"]]), np.flatnonzero(valid)
    )
    np.testing.assert_allclose(train["world_to_camera"], poses[train["numbers"]], atol=1e-6)
    np.testing.assert_array_equal(train["principal"], [256, 256])
    content = json.loads((tmp_path / "transforms_train.json").read_text())
    assert set(content) == {"focal_len", "cx", "cy", "frames"}
    assert set(content["frames"][0]) == {"img_id", "aud_id", "transform_matrix"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c: c.pop("focal_len"), "focal_len"),
        (lambda c: c["frames"][3].pop("transform_matrix"), "transform_matrix"),
        (lambda c: c["frames"][3]["transform_matrix"][0].__setitem__(3, float("nan")), "frame 3"),
        (lambda c: c["frames"][2]["transform_matrix"][0].__setitem__(0, 9.0), "frame 2"),
        (lambda c: c["frames"][2].__setitem__("transform_matrix", [[1, 0], [0, 1]]), "expected"),
    ],
)
def test_damaged_files_are_refused(tmp_path, damage, message):
    poses = np.tile(_pose(), (11, 1, 1))
    cameras.write_transforms(tmp_path, poses, np.ones(11, bool), focal=1.0, width=8, height=8)
    path = tmp_path / "transforms_train.json"
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        cameras.read_transforms(path)
    path.write_text("{")
    with pytest.raises(DataError, match="transforms_train"):
        cameras.read_transforms(path)
