import importlib.util
import pathlib

import av
import numpy as np
import pytest

from emojax.data import face68
from emojax.data.labels import Label
from emojax.opencv import cv2
from tests.data import actor

T = 60


@pytest.fixture(scope="module")
def film():
    return actor.film(num_frames=T, seed=3)


def _changes(film):
    """Mean difference of grey levels between neighbouring frames, [T - 1]."""
    return np.abs(np.diff(film.images.astype(np.float32), axis=0)).mean(axis=(1, 2, 3))


def test_a_film_has_the_declared_shapes_and_ranges(film):
    assert film.images.shape == (T, 256, 256, 3)
    assert film.images.dtype == film.labels.dtype == np.uint8
    assert film.labels.shape == (T, 256, 256)
    assert film.landmarks.shape == (T, 68, 2)
    assert film.world_to_camera.shape == (T, 4, 4)
    assert film.waveform.shape == (640 * T,)
    for name in ("landmarks", "world_to_camera", "opening_mm", "blink", "brow", "waveform"):
        values = getattr(film, name)
        assert values.dtype == np.float32
        assert len(values) in (T, 640 * T)
        assert np.isfinite(values).all()
    assert film.opening_mm.min() == 0
    assert 5 < film.opening_mm.max() <= 13
    assert (film.blink.min(), film.blink.max()) == (0, 1)
    assert np.abs(film.waveform).max() <= 1
    assert film.cuts == ()
    assert film.focal == 600


def test_the_same_seed_gives_the_same_film_and_another_one_another():
    first, again, other = (actor.film(num_frames=4, size=128, seed=s) for s in (5, 5, 6))
    for name in ("images", "labels", "landmarks", "waveform"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (first.images != other.images).mean() > 0.5


def test_landmarks_are_the_projected_shape(film):
    t = int(film.opening_mm.argmax())
    tip = face68.MEAN_SHAPE[30] / 1000  # the nose has no expression
    x, y, z = film.world_to_camera[t, :3, :3] @ tip + film.world_to_camera[t, :3, 3]
    u, v = 600 * x / z + 127.5, 600 * y / z + 127.5
    np.testing.assert_allclose(film.landmarks[t, 30], [u, v], atol=1e-3)
    assert 0.8 < z < 1.0


def test_poses_are_rotations_of_a_face_towards_the_camera(film):
    rotation = film.world_to_camera[:, :3, :3]
    product = rotation @ rotation.transpose(0, 2, 1)
    np.testing.assert_allclose(product, np.tile(np.eye(3), (T, 1, 1)), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(rotation), 1, atol=1e-6)
    assert (rotation[:, 2, 2] < -0.9).all()  # z of the head points to the camera


def test_lips_and_lids_follow_the_expression(film):
    t = int(film.opening_mm.argmax())
    millimetres = face68.OUTER_EYE_DISTANCE / face68.eye_distance(film.landmarks)
    opening = face68.lip_gap(film.landmarks) * millimetres
    np.testing.assert_allclose(opening[t], film.opening_mm[t], rtol=0.1)
    np.testing.assert_allclose(opening[film.opening_mm == 0], 0, atol=1e-3)
    lids = face68.lid_gap(film.landmarks)
    assert lids[film.blink == 1].max() < 0.15 * lids[film.blink == 0].min()


def test_labels_hold_all_regions_where_the_landmarks_are(film):
    wide, shut = int(film.opening_mm.argmax()), int(film.opening_mm.argmin())
    assert set(np.unique(film.labels[wide])) == set(Label)
    inner = np.round(film.landmarks[wide, list(face68.INNER_LIP)]).astype(np.int32)
    polygon = cv2.fillPoly(np.zeros((256, 256), np.uint8), [inner], 1) > 0
    mouth = film.mouth_truth[wide]
    assert (mouth & polygon).sum() > 0.8 * (mouth | polygon).sum()
    assert not film.mouth_truth[shut].any()
    x, y = np.round(film.landmarks[wide, [27, 30, 57]]).astype(int).T
    assert (film.labels[wide][y, x] == Label.FACE).all()
    share = np.bincount(film.labels.ravel(), minlength=7) / film.labels.size
    assert 0.1 < share[Label.FACE] < 0.25
    assert share[[Label.HAIR, Label.NECK]].min() > 0.02
    assert share[Label.TORSO] > 0.1


def test_the_inside_of_the_mouth_grows_with_its_opening(film):
    area = film.mouth_truth.sum(axis=(1, 2))
    assert np.corrcoef(area, film.opening_mm)[0, 1] > 0.97


def test_the_skin_moves_as_the_pose_says():
    film = actor.film(num_frames=12, seed=1, talk=False, blinks=False)
    first, last = (cv2.cvtColor(film.images[t], cv2.COLOR_RGB2GRAY) for t in (0, 11))
    bridge = film.landmarks[:, 27:31]
    region = np.zeros_like(first)
    cv2.circle(region, tuple(int(c) for c in bridge[0].mean(axis=0)), 16, 255, -1)
    start = cv2.goodFeaturesToTrack(first, 60, 0.01, 2, mask=region)
    end, found, _ = cv2.calcOpticalFlowPyrLK(first, last, start, None)
    flow = np.median((end - start)[found[:, 0] > 0], axis=0)[0]
    true = (bridge[11] - bridge[0]).mean(axis=0)
    assert np.linalg.norm(true) > 1
    np.testing.assert_allclose(flow, true, atol=0.35)


def test_the_voice_sounds_while_the_mouth_is_open_and_rests_while_it_is_closed(film):
    loudness = np.sqrt(np.square(film.waveform.reshape(T, 640)).mean(axis=1))
    assert np.corrcoef(loudness, film.opening_mm)[0, 1] > 0.85
    assert loudness.max() > 0.05
    assert (loudness[film.opening_mm == 0] == 0).any()


def test_options_remove_speech_blinks_and_motion():
    film = actor.film(num_frames=30, size=128, talk=False, blinks=False, move=0)
    assert not film.waveform.any()
    assert not film.opening_mm.any()
    assert not film.blink.any()
    np.testing.assert_array_equal(film.world_to_camera[0], film.world_to_camera[-1])


def test_a_cut_changes_the_picture_at_once():
    film = actor.film(num_frames=12, size=128, cut_at=7)
    changes = _changes(film)
    assert film.cuts == (7,)
    assert changes.argmax() == 6
    assert changes[6] > 4 * np.delete(changes, 6).max()


def test_a_lost_face_shows_hair_and_no_face():
    film = actor.film(num_frames=12, face_lost=(4, 8))
    skin = (film.labels == Label.FACE).mean(axis=(1, 2))  # the ears stay
    assert (np.flatnonzero(skin < 0.02) == [4, 5, 6, 7]).all()
    assert (film.labels == Label.HAIR)[4:8].mean() > 0.08


def test_a_second_face_changes_the_picture_only_beside_the_first():
    film = actor.film(num_frames=1, seed=2, second_face=True)
    alone = film.labels[0, :, 190:] == Label.BACKGROUND
    assert alone.mean() > 0.7
    assert film.images[0, 60:140, 200:].std() > 40


def test_brightness_and_blur_act_on_the_picture():
    plain, dark, soft = (
        actor.film(num_frames=1, brightness=b, blur=s).images[0].astype(float)
        for b, s in ((1.0, 0.0), (0.5, 0.0), (1.0, 3.0))
    )
    np.testing.assert_allclose(dark.mean(), 0.5 * plain.mean(), atol=1)
    plain_edge, soft_edge = (np.percentile(np.abs(np.diff(p, axis=1)), 99) for p in (plain, soft))
    assert soft_edge < 0.5 * plain_edge  # not the mean, which is sensor noise


@pytest.mark.parametrize("fps", [25, 30])
def test_a_written_video_reads_back(tmp_path, film, fps):
    actor.write_video(tmp_path / "film.mp4", film, fps=fps)
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert container.streams.video[0].average_rate == fps
        images = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    with av.open(str(tmp_path / "film.mp4")) as container:
        frames = list(container.decode(audio=0))
    assert len(images) == round(T * fps / 25)
    last = film.images[int((len(images) - 1) * 25 / fps)]
    assert np.abs(images[-1].astype(float) - last).mean() < 4
    assert frames[0].sample_rate == 44100
    heard = np.concatenate([f.to_ndarray()[0] for f in frames])
    np.testing.assert_allclose(len(heard) / 44100, T / 25, atol=0.06)
    spoken = np.interp(np.arange(len(heard)) / 44100, np.arange(640 * T) / 16000, film.waveform)
    assert np.corrcoef(heard, spoken)[0, 1] > 0.95  # a shift of 1 ms would not pass


def test_a_video_may_be_silent(tmp_path):
    actor.write_video(tmp_path / "film.mp4", actor.film(num_frames=2, size=64), sound=False)
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert not container.streams.audio


def _gray_film(**options):
    film = actor.film(num_frames=36, seed=2, **options)
    return film, [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in film.images]


def test_dlib_finds_the_face():
    dlib = pytest.importorskip("dlib", reason="needs dlib's face detector")
    detector = dlib.get_frontal_face_detector()
    film, grays = _gray_film(face_lost=(30, 36))
    for t in range(0, 36, 3):
        boxes = detector(grays[t], 0)
        assert len(boxes) == (t < 30)
        if boxes:
            middle = film.landmarks[t].mean(axis=0)
            center = boxes[0].center()
            assert np.linalg.norm(middle - (center.x, center.y)) < 12
            assert 0.36 < boxes[0].width() / 256 < 0.5
    _, grays = _gray_film(second_face=True)
    assert len(detector(grays[0], 1)) == 2


def test_dlib_reads_the_expression():
    dlib = pytest.importorskip("dlib", reason="needs dlib's landmark predictor")
    models = importlib.util.find_spec("face_recognition_models")
    if models is None:
        pytest.skip("needs the landmark file of face_recognition_models")
    folder = pathlib.Path(models.origin).parent / "models"
    predictor = dlib.shape_predictor(str(folder / "shape_predictor_68_face_landmarks.dat"))
    detector = dlib.get_frontal_face_detector()
    film, grays = _gray_film()
    found = []
    for gray in grays:
        large = cv2.resize(gray, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        points = predictor(large, detector(large, 0)[0]).parts()
        found.append([((p.x + 0.5) / 2 - 0.5, (p.y + 0.5) / 2 - 0.5) for p in points])
    found = np.array(found)
    error = np.linalg.norm(found - film.landmarks, axis=-1)
    assert np.median(error / face68.eye_distance(film.landmarks)[:, None]) < 0.05
    assert np.corrcoef(face68.lip_gap(found), film.opening_mm)[0, 1] > 0.9
    lids = face68.lid_gap(found)
    assert lids[film.blink == 1].mean() < 0.65 * lids[film.blink == 0].mean()
