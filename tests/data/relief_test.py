"""The face through landmarks: it passes through them, follows them, and is seen as it should be."""

import functools

import numpy as np
import pytest

from emojax.data import face68, relief, surfaces
from emojax.data.tracking import ORIGIN_DEPTH, Track, rotation_matrix
from emojax.metrics import surface
from emojax.puppet.masks import Region
from tests.puppet import filmed

BEHIND = np.array([0, 0, ORIGIN_DEPTH / 1000])  # metres from the eyes to the head's middle
POINTS = face68.MEAN_SHAPE / 1000 + BEHIND
SIZE, FOCAL, DISTANCE = 128, 500.0, 1.1


def _pose(rotation=(0.0, 0.0, 0.0)):
    """A camera in front of the face, which is turned by a rotation vector."""
    pose = np.eye(4)
    pose[:3, :3] = np.diag([1.0, -1, -1]) @ np.asarray(rotation_matrix(np.float32(rotation)))
    pose[:3, 3] = 0, -0.03, DISTANCE
    return pose


def _picture(points=POINTS, rotation=(0.0, 0.0, 0.0), size=SIZE):
    middle = (size / 2, size / 2)
    focal = FOCAL * size / SIZE
    return relief.picture(points, _pose(rotation), focal=focal, principal=middle, size=size)


def _seen(points, rotation=(0.0, 0.0, 0.0)):
    pose = _pose(rotation)
    camera = points @ pose[:3, :3].T + pose[:3, 3]
    return FOCAL * camera[:, :2] / camera[:, 2:] + SIZE / 2 - 0.5


def test_the_surface_passes_through_the_landmarks():
    corners = 1000 * relief.surface(POINTS).corners
    away = np.linalg.norm(corners[:, None] - 1000 * POINTS, axis=-1).min(axis=0)
    assert away.max() < 4.5  # mm: corners are up to 9 mm apart
    assert np.median(away) < 2


def test_it_follows_landmarks_where_they_go_and_stays_elsewhere():
    moved = POINTS.copy()
    moved[[48, 60]] += [-0.01, 0.005, 0]
    before, after = (relief.surface(points).corners for points in (POINTS, moved))
    change = np.linalg.norm(after - before, axis=-1)
    beside = np.linalg.norm(before - POINTS[48], axis=-1) < 0.004
    assert change[beside].mean() > 0.008
    far = np.linalg.norm(before - POINTS[48], axis=-1) > 0.1
    assert change[far].mean() < 0.001


def test_a_face_that_is_its_mirror_image_has_mirrored_normals():
    picture = _picture()
    mirrored = picture[:, ::-1] * [-1, 1, 1]
    both = (np.linalg.norm(picture, axis=-1) > 0) & (np.linalg.norm(mirrored, axis=-1) > 0)
    assert both.sum() > 0.95 * (np.linalg.norm(picture, axis=-1) > 0).sum()
    angles = surface.angles(picture, mirrored)[both]
    assert np.median(angles) < 1.5
    assert np.percentile(angles, 95) < 8  # a pixel is wide where the nose ends


def test_pictures_have_unit_vectors_towards_the_viewer_or_nothing():
    length = np.linalg.norm(_picture(), axis=-1)
    known = length > surfaces.SHORTEST
    np.testing.assert_allclose(length[known], 1, atol=1e-5)
    assert (length[~known] == 0).all()
    assert (_picture()[known][:, 2] > 0).all()
    assert 0.2 < known.mean() < 0.5


def test_sides_of_the_face_look_to_the_sides_and_the_forehead_up():
    picture, seen = _picture(), _seen(POINTS).round().astype(int)

    def at(landmark, right=0, down=0):
        x, y = seen[landmark]
        return picture[y + down, x + right]

    assert at(2, right=4)[0] < -0.5  # the picture's left
    assert at(14, right=-4)[0] > 0.5
    assert at(27, down=-22)[1] > 0.1  # forehead
    assert at(57, down=6)[2] > 0.6
    assert at(31, right=1, down=-3)[0] < -0.2  # wings of the nose
    assert at(35, right=-1, down=-3)[0] > 0.2


def test_there_is_no_skin_in_eyes_and_mouth_and_beside_the_face():
    opened = POINTS.copy()
    opened[[65, 66, 67]] -= [0, 0.012, 0]
    picture, seen = _picture(opened), _seen(opened)
    middles = [seen[list(group)].mean(axis=0) for group in (range(36, 42), range(42, 48), (62, 66))]
    for x, y in [*middles, (2, 2), seen[8] + [0, 6]]:
        assert (picture[round(y), round(x)] == 0).all()


def test_normals_turn_with_the_head():
    rotation = (0.1, 0.3, 0.05)
    face, picture = relief.surface(POINTS), _picture(rotation=rotation)
    turned = face.normals @ np.asarray(rotation_matrix(np.float32(rotation))).T
    x, y = np.round(_seen(face.corners, rotation)).astype(int)[turned[:, 2] > 0.8].T
    told, wanted = picture[y, x], turned[turned[:, 2] > 0.8]
    known = np.linalg.norm(told, axis=-1) > 0
    assert known.mean() > 0.8
    assert np.median(surface.angles(told, wanted)[known]) < 4


def test_pictures_of_another_size_show_the_same():
    small, large = _picture(size=64), _picture(size=128)
    both = (np.linalg.norm(small, axis=-1) > 0) & (np.linalg.norm(large[::2, ::2], axis=-1) > 0)
    assert np.median(surface.angles(small, large[::2, ::2])[both]) < 3


def test_landmarks_move_in_the_picture_as_asked():
    change = np.random.default_rng(0).normal(size=(68, 2))
    pose = _pose((0.1, -0.2, 0.05))
    moved = relief.moved(POINTS, change, pose, focal=FOCAL)
    before, after = (_seen(points, (0.1, -0.2, 0.05)) for points in (POINTS, moved))
    np.testing.assert_allclose(after - before, change, atol=1e-6)
    np.testing.assert_allclose(moved @ pose[2, :3], POINTS @ pose[2, :3], atol=1e-9)


def test_a_tracked_frame_is_drawn_at_its_pose_and_expression():
    smile = np.zeros((68, 3))
    smile[[48, 60], 0], smile[[54, 64], 0] = -0.01, 0.01
    track = Track(
        world_to_camera=np.float32([_pose(), _pose((0.0, 0.3, 0.0))]), focal=4 * FOCAL,
        shape=np.float32(POINTS), directions=np.float32([smile]),
        coefficients=np.float32([[0], [1]]), residual=np.zeros((2, 68), np.float32),
    )  # fmt: skip
    first, second = (relief.of_frame(track, number, size=4 * SIZE) for number in (0, 1))
    assert first.shape == (relief.SIDE, relief.SIDE, 3)
    np.testing.assert_allclose(first, _picture(size=relief.SIDE), atol=1e-3)
    wanted = _picture(POINTS + smile, (0.0, 0.3, 0.0), size=relief.SIDE)
    assert np.mean(np.abs(second - wanted) > 1e-3) < 1e-3  # but for float32 at edges
    pixels = np.zeros((68, 2))
    pixels[[48, 60], 0], pixels[[54, 64], 0] = -18, 18
    widened = relief.of_frame(track, 0, size=4 * SIZE, change=pixels)
    beside = (np.abs(widened - first).sum(axis=-1) > 0.1).nonzero()[0]
    assert beside.min() > 0.5 * relief.SIDE  # the mouth's half of the picture
    small = relief.of_frame(track, 0, size=64)
    assert small.shape == (64, 64, 3)


@functools.cache
def _of_puppet(name):
    """What landmarks tell of a puppet's normals, the truth, and where both are skin."""
    shot, landmarks = filmed.shot(name), filmed.points(name)
    # As tracking has faces: outer eye corners 90 mm apart.
    scale = np.linalg.norm(POINTS[45] - POINTS[36])
    scale /= np.linalg.norm(landmarks.positions[45] - landmarks.positions[36])
    pose = np.asarray(filmed.CAMERA.world_to_camera, np.float64)
    head = scale * (landmarks.positions - landmarks.positions[[36, 45]].mean(axis=0)) + BEHIND
    middle = scale * (landmarks.positions[[36, 45]].mean(axis=0) @ pose[:3, :3].T + pose[:3, 3])
    pose[:3, 3] = middle - pose[:3, :3] @ BEHIND
    told = relief.picture(
        head, pose, focal=float(filmed.CAMERA.focal[0]),
        principal=tuple(np.asarray(filmed.CAMERA.principal)), size=filmed.SIZE,
    )  # fmt: skip
    true = shot.normals @ pose[:3, :3].T * [1, -1, -1]
    return told, true, (np.linalg.norm(told, axis=-1) > 0) & (shot.labels == Region.SKIN)


@pytest.mark.parametrize("name", ["rest", "smile"])
def test_a_puppets_true_normals_are_half_as_far_as_with_a_flat_face(name):
    told, true, skin = _of_puppet(name)
    assert skin.sum() > 1_000
    flat = np.tile(np.float32([0, 0, 1]), (*skin.shape, 1))
    error = surface.mean_angle(told, true, skin)
    assert error < 17
    assert error < 0.5 * surface.mean_angle(flat, true, skin)
