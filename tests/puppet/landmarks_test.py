import jax
import numpy as np
import pytest

from emojax.data import face68
from emojax.puppet import identity, landmarks, muscles
from tests.puppet import filmed
from tests.puppet.filmed import CAMERA, PERSON, points

MILLIMETERS = 1000


def _gap(found):
    return MILLIMETERS * face68.lip_gap(found.positions)


def test_a_straight_face_is_symmetric():
    found = points("rest").positions
    np.testing.assert_allclose(found[face68.MIRROR] * [-1, 1, 1], found, atol=1e-4)


def test_landmarks_project_to_their_pixels():
    found = points("turned")
    camera = found.positions @ np.asarray(CAMERA.world_to_camera)[:3, :3].T
    camera += np.asarray(CAMERA.world_to_camera)[:3, 3]
    pixels = np.asarray(CAMERA.focal) * camera[:, :2] / camera[:, 2:]
    np.testing.assert_allclose(pixels + np.asarray(CAMERA.principal), found.points, atol=1e-3)


def test_proportions_are_those_of_a_face():
    found, mean = MILLIMETERS * points("rest").positions, face68.MEAN_SHAPE
    middle = found - found[[36, 45]].mean(axis=0)
    others = list(range(17, 68))
    assert np.abs(middle[others, :2] - mean[others, :2]).max() < 15
    assert np.abs(middle[others, 2] - mean[others, 2]).max() < 30
    assert np.linalg.norm(middle[:17] - mean[:17], axis=-1).max() < 45


def test_the_face_is_visible_from_the_front_and_its_far_side_hidden_when_turned():
    front = points("rest").visible
    assert front[list(face68.BROWS + face68.NOSE + face68.EYES + face68.LIPS)].all()
    turned = filmed.act(rotation=(0.0, 1.0, 0.0))
    found = jax.device_get(landmarks.landmarks(PERSON, turned, CAMERA))
    assert not found.visible[[13, 14, 15]].any()
    assert found.visible[[2, 3, 30, 36, 48]].all()


@pytest.mark.parametrize("jaw", [0.0, 1.5, 3.0])
def test_pressed_lips_touch_whatever_the_jaw_does(jaw):
    pressed = filmed.act(a25=5.0, a26=jaw, press=1.0)
    assert _gap(jax.device_get(landmarks.landmarks(PERSON, pressed, CAMERA))) < 0.3


def test_actions_show_in_the_landmarks():
    rest, smile, wide = points("rest"), points("smile"), points("open")
    assert _gap(rest) < 0.3
    assert 15 < _gap(wide) < 35
    assert face68.lid_gap(points("blink").positions) * MILLIMETERS < 0.5
    assert face68.lid_gap(rest.positions) * MILLIMETERS > 6
    rise = points("surprise").positions - rest.positions
    assert (rise[list(face68.BROWS), 1] > 0.004).all()
    width = np.linalg.norm(smile.positions[48] - smile.positions[54])
    assert width > 1.1 * np.linalg.norm(rest.positions[48] - rest.positions[54])
    assert (smile.positions[[48, 54], 1] > rest.positions[[48, 54], 1] + 0.003).all()


@pytest.mark.parametrize("number", [1, 2, 4, 5, 7, 45])
def test_brows_and_lids_leave_the_inner_lips_alone(number):
    act = filmed.act(**{f"a{number}": 5.0})
    moved = jax.device_get(landmarks.landmarks(PERSON, act, CAMERA))
    inner = list(face68.INNER_LIP)
    np.testing.assert_allclose(moved.positions[inner], points("rest").positions[inner], atol=1e-6)


def test_a_population_is_read_at_once():
    people = jax.vmap(identity.sample)(jax.random.split(jax.random.key(2), 20))
    posed = jax.vmap(muscles.pose, in_axes=(0, None))(people, filmed.act(a25=3.0))
    found = np.asarray(jax.jit(jax.vmap(landmarks.head_points))(posed))
    assert np.isfinite(found).all()
    spread = np.std(found, axis=0)
    assert (spread[list(face68.BROWS + face68.LIPS)].max(axis=-1) > 1e-3).all()
