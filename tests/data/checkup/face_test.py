"""The residual of one rigid head, in whatever world. Faults in whole folders are in doctor_test."""

import dataclasses

import numpy as np
import pytest

from emojax.data.checkup import contents, face
from emojax.opencv import cv2
from tests.data import actor, folders


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    film = actor.film(num_frames=60, size=96)
    return contents.read(folders.write_folder(film, tmp_path_factory.mktemp("face")))


def test_true_poses_leave_no_residual(there):
    assert np.nanmax(face.pose_residual(there)) < 0.01


def test_the_residual_does_not_depend_on_the_world(there):
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = cv2.Rodrigues(np.array([0.5, -2.0, 1.0]))[0], (3.0, -2.0, 1.0)
    moved = dataclasses.replace(there, world_to_camera=there.world_to_camera @ world)
    assert np.nanmax(face.pose_residual(moved)) < 0.02


def test_noise_of_landmarks_is_the_residual(there):
    noise = np.random.default_rng(0).normal(0, 0.5, there.landmarks.shape)
    noisy = dataclasses.replace(there, landmarks=there.landmarks + noise)
    rms = np.sqrt(np.nanmean(face.pose_residual(noisy) ** 2))
    assert rms == pytest.approx(0.5 * np.sqrt(2), rel=0.1)


def test_wrong_focal_lengths_and_frames_leave_a_residual(there):
    longer = dataclasses.replace(there, focal=1.5 * there.focal)
    shifted = dataclasses.replace(there, world_to_camera=np.roll(there.world_to_camera, 10, axis=0))
    for wrong in (longer, shifted):
        assert np.nanmedian(face.pose_residual(wrong)) > 0.1


def test_too_few_poses_say_nothing(there):
    few = there.world_to_camera.copy()
    few[15:] = np.nan
    assert face.pose_residual(dataclasses.replace(there, world_to_camera=few)) is None
