import jax
import numpy as np
import pytest

from emojax.data import face68, tracking
from emojax.data.errors import DataError

FRAMES, WIDTH = 200, 512


def _rotation(vectors):
    return np.asarray(tracking.rotation_matrix(np.asarray(vectors, np.float32)), np.float64)


def _motion(frames=FRAMES):
    """Slow drift and nods: rotation vectors in rad, translations in mm."""
    t = np.arange(frames) / 25
    pitch = 0.08 * np.sin(1.3 * t) + 0.03 * np.sin(5 * t)
    yaw = 0.15 * np.sin(0.7 * t + 1)
    roll = 0.05 * np.sin(0.9 * t + 2)
    move = np.stack([15 * np.sin(0.5 * t), 8 * np.sin(1.1 * t), 900 + 12 * np.sin(0.6 * t)], -1)
    return np.stack([pitch, yaw, roll], -1), move


def _person():
    """Another face than the mean: a few millimetres everywhere, mirror symmetric."""
    noise = np.random.default_rng(3).normal(0, 2.4, (68, 3)) * [1, 1, 0.3]
    noise = (noise + noise[face68.MIRROR] * [-1, 1, 1]) / 2
    shape = face68.MEAN_SHAPE + noise
    return shape * 90 / face68.eye_distance(shape)


def _see(shape, *, focal=1200.0, width=WIDTH, noise=0.2, bias=0.7, opening=None, frames=FRAMES):
    """Landmarks of a moving head, with noise and a constant bias of each point, pixels at 512."""
    rng = np.random.default_rng(1)
    rotation, move = _motion(frames)
    points = np.tile(shape, (frames, 1, 1))
    if opening is not None:
        jaw = np.zeros((68, 1))
        jaw[[*range(4, 13)]] = 1.0
        jaw[[*range(55, 60), 65, 66, 67]] = 1.0
        points[..., 1:2] -= opening[:, None, None] * jaw
    camera = np.einsum("tij,tnj->tni", _rotation(rotation) @ np.diag([1, -1, -1]), points)
    camera += move[:, None]
    seen = focal * camera[..., :2] / camera[..., 2:] * width / 512 + width / 2 - 0.5
    seen += width / 512 * (rng.normal(0, noise, seen.shape) + rng.normal(0, bias, (68, 2)))
    return seen


def _angles(rotation):
    """Pitch, yaw, roll in degrees of world-to-camera rotations."""
    turn = rotation @ np.diag([1, -1, -1])
    pitch = np.arcsin(np.clip(-turn[:, 1, 2], -1, 1))
    yaw = np.arctan2(turn[:, 0, 2], turn[:, 2, 2])
    roll = np.arctan2(turn[:, 1, 0], turn[:, 1, 1])
    return np.degrees(np.stack([pitch, yaw, roll], -1))


def _track(seen, *, found=None, width=WIDTH, cuts=(), **options):
    found = np.ones(len(seen), bool) if found is None else found
    return tracking.track(
        jax.random.key(0),
        seen,
        found,
        width=width,
        height=width,
        cuts=np.array(cuts, int),
        **options,
    )


@pytest.fixture(scope="module")
def fitted():
    return _track(_see(_person()))


def test_the_known_motion_of_a_rigid_head_is_found(fitted):
    true = _angles(_rotation(_motion()[0]) @ np.diag([1, -1, -1]))
    found = _angles(fitted.world_to_camera[:, :3, :3])
    for k in range(3):
        gain, offset = np.polyfit(true[:, k], found[:, k], 1)
        residual = np.std(found[:, k] - gain * true[:, k] - offset)
        assert abs(gain - 1) < 0.05
        assert residual < 0.3  # degrees
        assert abs(offset) < 1.0


def test_distance_and_place_are_found(fitted):
    shift = np.array([0, 0, tracking.ORIGIN_DEPTH])
    eyes = fitted.world_to_camera[:, :3, :3] @ (shift / 1000) + fitted.world_to_camera[:, :3, 3]
    true = _motion()[1] / 1000
    np.testing.assert_allclose(eyes[:, :2], true[:, :2], atol=2e-3)
    np.testing.assert_allclose(eyes[:, 2], true[:, 2], rtol=0.03)
    gain = np.polyfit(true[:, 2], eyes[:, 2], 1)[0]
    assert abs(gain - 1) < 0.2


def test_the_residual_is_the_noise_and_the_bias(fitted):
    rigid = np.median(fitted.residual[:, list(face68.RIGID)])
    assert 0.1 < rigid < 1.0


def test_the_world_is_in_metres_about_the_head(fitted):
    middle = (fitted.shape[36] + fitted.shape[45]) / 2
    np.testing.assert_allclose(middle, [0, 0, 0.05], atol=3e-3)
    np.testing.assert_allclose(face68.eye_distance(fitted.shape), 0.09, atol=2e-4)
    assert np.abs(fitted.shape).max() < 0.15


def test_projection_of_the_result_is_what_was_seen(fitted):
    """Through emojax.types.Camera's convention: first pixel's centre at 0.5."""
    camera = np.einsum("tij,tnj->tni", fitted.world_to_camera[:, :3, :3], fitted.points())
    camera += fitted.world_to_camera[:, None, :3, 3]
    pixel = fitted.focal * camera[..., :2] / camera[..., 2:] + WIDTH / 2
    error = np.linalg.norm(pixel - 0.5 - _see(_person()), axis=-1)
    np.testing.assert_allclose(error, fitted.residual, atol=0.02)


def test_an_opening_mouth_does_not_move_the_head():
    opening = 6 * np.abs(np.sin(np.arange(FRAMES) / 4.1))
    track = _track(_see(_person(), opening=opening))
    depth = track.world_to_camera[:, 2, 3] - _motion()[1][:, 2] / 1000
    leak = 10 * np.polyfit(opening, 1000 * depth, 1)[0]  # mm of depth for 10 mm of opening
    assert abs(leak) < 1.0
    lips = track.points()[:, 62, 1] - track.points()[:, 66, 1]
    assert np.corrcoef(lips, opening)[0, 1] > 0.95


def test_a_jump_is_kept_at_a_cut():
    seen = _see(_person(), noise=0.0, bias=0.0, frames=60)
    seen[30:] = (seen[30:] - 256) * 1.2 + 256 + [30, -20]
    kept, smeared = _track(seen, cuts=[30]), _track(seen)

    def beside(track):
        return track.residual[29:31, list(face68.RIGID)].mean()

    assert beside(kept) < 0.15
    assert beside(smeared) > 1.3 * beside(kept)


def test_frames_without_a_face_are_bridged():
    seen = _see(_person())
    found = np.ones(FRAMES, bool)
    found[60:75] = False
    seen[60:75] = 9e3
    track = _track(seen, found=found)
    true = _angles(_rotation(_motion()[0]) @ np.diag([1, -1, -1]))
    error = _angles(track.world_to_camera[:, :3, :3]) - true
    error -= np.median(error, axis=0)
    assert np.abs(error).max() < 3.0


def test_size_of_the_picture_does_not_matter(fitted):
    small = _track(_see(_person(), width=256), width=256)
    assert small.focal == pytest.approx(600)
    np.testing.assert_allclose(
        _angles(small.world_to_camera[:, :3, :3]),
        _angles(fitted.world_to_camera[:, :3, :3]),
        atol=0.1,
    )


def test_same_input_same_bits(fitted):
    again = _track(_see(_person()))
    np.testing.assert_array_equal(again.world_to_camera, fitted.world_to_camera)


def test_a_rotation_vector_of_zero_is_differentiable():
    jacobian = jax.jacobian(tracking.rotation_matrix)(np.zeros(3, np.float32))
    assert np.isfinite(jacobian).all()
    np.testing.assert_allclose(jacobian[2, 1], [1, 0, 0])
    matrix = _rotation([0.0, np.pi / 2, 0.0])
    np.testing.assert_allclose(matrix @ [0, 0, 1], [1, 0, 0], atol=1e-6)


def test_bad_input_is_named():
    seen = _see(_person(), frames=30)
    with pytest.raises(DataError, match="3 frames"):
        _track(seen[:2])
    with pytest.raises(DataError, match="focal"):
        _track(seen, focal=-1.0)
    with pytest.raises(DataError, match="head pose"):
        _track(seen, found=np.zeros(30, bool))
