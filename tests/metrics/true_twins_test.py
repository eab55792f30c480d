"""True twins: the frame itself at its own emotion, another face at another, at any size."""

import jax
import numpy as np
import pytest

from emojax.data import files
from emojax.metrics import true_twins
from emojax.metrics.image import MAX_PSNR
from emojax.puppet import twins
from tests.puppet import filmed, footage


@pytest.fixture(scope="module")
def recording():
    return twins.read(footage.folder())


@pytest.fixture(scope="module")
def twin(recording):
    return true_twins.at(recording, 5, recording.va[5], samples=1)


def test_the_twin_with_the_frames_own_emotion_is_the_frame(twin):
    frame = files.read_picture(footage.folder() / files.FRAMES / "5.jpg")
    likeness = true_twins.likeness(frame / 255, twin)
    assert likeness["psnr"] > 38  # the file is lossy
    assert likeness["ssim"] > 0.98
    assert true_twins.likeness(twin.image, twin)["psnr_head"] == MAX_PSNR


def test_regions_and_normals_are_those_of_the_picture(twin):
    assert 0.1 < twin.face.mean() < twin.head.mean() < 0.6
    lengths = np.linalg.norm(twin.normals[twin.face], axis=-1)
    np.testing.assert_allclose(lengths, 1, atol=1e-3)
    assert twin.normals[twin.face][:, 2].mean() > 0.5, "faces look at the viewer"


def test_another_emotion_is_another_face_over_the_same_room(recording, twin):
    sad = true_twins.at(recording, 5, np.array([-0.7, -0.3]), samples=1)
    assert true_twins.likeness(sad.image, twin)["psnr_head"] < 30
    np.testing.assert_array_equal(sad.image[0], twin.image[0])


def test_another_size_is_the_same_view(recording):
    half = true_twins.fitted(recording, filmed.SIZE // 2)
    assert (half.camera.width, half.camera.height) == (filmed.SIZE // 2,) * 2
    point = np.array([0.1, -0.05, 0.4])

    def seen(camera):
        x, y, z = camera.world_to_camera[:3, :3] @ point + camera.world_to_camera[:3, 3]
        return camera.focal * np.array([x, y]) / z + camera.principal

    whole, small = (np.asarray(seen(jax.device_get(r.camera))) for r in (recording, half))
    np.testing.assert_allclose(small, whole / 2, rtol=1e-5)
