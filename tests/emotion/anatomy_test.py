import numpy as np
import pytest

from emojax.data import face68
from emojax.data.errors import DataError
from emojax.emotion import anatomy
from tests.emotion import faces

SHAPE = (faces.SIZE, faces.SIZE, 3)


def test_the_head_frame_turns_with_the_head_and_comes_back():
    points = faces.landmarks(roll=0.3)
    frame = anatomy.head_frame(points)
    head = frame.to_head(points)
    np.testing.assert_allclose(frame.to_picture(head), points, atol=1e-9)
    upright = faces.landmarks()
    np.testing.assert_allclose(head, anatomy.head_frame(upright).to_head(upright), atol=1e-9)
    eyes = [head[list(eye)].mean(axis=0) for eye in (face68.RIGHT_EYE, face68.LEFT_EYE)]
    np.testing.assert_allclose(eyes, [[-0.5, 0], [0.5, 0]], atol=1e-9)
    assert head[8, 1] > head[57, 1] > head[51, 1] > 0, "down the face"


def test_vectors_have_no_origin():
    frame = anatomy.head_frame(faces.landmarks(roll=-0.2))
    a, b = np.array([0.1, 0.7]), np.array([-0.4, 0.2])
    np.testing.assert_allclose(frame.vectors(a - b), frame.to_picture(a) - frame.to_picture(b))


def test_control_points_are_the_mirror_image_of_themselves():
    head = anatomy.head_frame(faces.landmarks()).to_head(faces.landmarks())
    points = anatomy.controls(head)
    assert points.shape == (anatomy.COUNT, 2)
    mirrored = points * [-1, 1]
    for point in mirrored:
        assert np.linalg.norm(points - point, axis=1).min() < 1e-6
    for name in ("cheek", "nasolabial", "under_eye"):
        left, right = anatomy.NAMES[name]
        assert points[left, 0] < 0 < points[right, 0]
        assert anatomy.SIDE[left] == -1
        assert anatomy.SIDE[right] == 1
    np.testing.assert_array_equal(anatomy.SIDE[[27, 30, 33, 51, 57, 8, 74]], 0)
    np.testing.assert_array_equal(anatomy.SIDE[[36, 17, 48, 75]], -1)


def test_the_farther_half_is_narrower():
    head = anatomy.head_frame(faces.landmarks()).to_head(faces.landmarks())
    np.testing.assert_allclose(anatomy.halves(head), 1, atol=1e-6)
    head[27, 0] += 0.2
    left, right = anatomy.halves(head)
    assert left > 1 > right
    assert left + right == pytest.approx(2)


def test_a_frontal_face_is_no_fault():
    assert anatomy.fault(faces.landmarks(), SHAPE) is None


@pytest.mark.parametrize(
    ("landmarks", "word"),
    [
        (None, "without landmarks"),
        (np.full((68, 2), np.nan), "without landmarks"),
        (np.asarray(faces.landmarks()) * 0.1, "tiny"),
        (np.add(faces.landmarks(), [150, 0]), "cut off"),
        (np.add(faces.landmarks(), [0, -110]), "cut off"),
        (np.zeros((68, 2)), "tiny"),
    ],
)
def test_what_cannot_be_moved_is_named(landmarks, word):
    assert anatomy.fault(landmarks, SHAPE).startswith(word)


def test_a_face_turned_away_is_named():
    angle = np.deg2rad(35)
    shape = face68.MEAN_SHAPE
    x = shape[:, 0] * np.cos(angle) + shape[:, 2] * np.sin(angle)
    points = np.stack([x, -shape[:, 1]], axis=-1) + 128
    assert anatomy.fault(points, SHAPE).startswith("turned away")
    angle = np.deg2rad(15)
    x = shape[:, 0] * np.cos(angle) + shape[:, 2] * np.sin(angle)
    assert anatomy.fault(np.stack([x, -shape[:, 1]], axis=-1) + 128, SHAPE) is None


def test_a_face_at_the_border_may_lose_its_chin():
    down = faces.SIZE + 10 - faces.landmarks()[8, 1]
    assert anatomy.fault(np.add(faces.landmarks(), [0, down]), SHAPE) is None


def test_landmarks_of_another_count_are_refused():
    with pytest.raises(DataError, match="68 landmarks of 2 pictures"):
        anatomy.check_landmarks(np.zeros((2, 5, 2)), 2)
    assert anatomy.check_landmarks(np.zeros((2, 68, 2), np.float32), 2).dtype == np.float64
