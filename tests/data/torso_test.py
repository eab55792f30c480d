import numpy as np
import pytest

from emojax.data import torso
from emojax.data.labels import Label

SKIN, CLOTH, FACE, ROOM = (180, 130, 110), (40, 50, 90), (220, 170, 150), (0, 200, 0)


def _portrait(size=512, *, neck=True, chin_on_collar=False, specks=False):
    """A drawn person of flat colours: face, neck, clothes; lengths given at 512."""
    labels = np.zeros((size, size), np.uint8)

    def box(top, bottom, left, right, label):
        k = size / 512
        labels[round(top * k) : round(bottom * k), round(left * k) : round(right * k)] = label

    box(360, 512, 100, 412, Label.TORSO)
    if neck:
        box(300, 380, 200, 312, Label.NECK)
    box(100, 320, 160, 352, Label.FACE)
    if chin_on_collar:
        box(320, 380, 240, 280, Label.FACE)
    if specks:
        box(200, 206, 352, 355, Label.NECK)
        box(206, 209, 352, 355, Label.FACE)
        box(190, 200, 352, 355, Label.FACE)
    palette = np.array([ROOM, FACE, FACE, FACE, FACE, SKIN, CLOTH], np.uint8)
    return palette[labels], labels, np.full((size, size, 3), ROOM, np.uint8)


def test_neck_and_clothes_stay_and_all_else_is_empty():
    image, labels, room = _portrait()
    out = torso.torso(image, labels, room)
    body = (labels == Label.NECK) | (labels == Label.TORSO)
    np.testing.assert_array_equal(out[body][:, :3], image[body])
    np.testing.assert_array_equal(out[body][:, 3], 255)
    np.testing.assert_array_equal(out[out[..., 3] == 0], 0)
    assert set(np.unique(out[..., 3])) == {0, 255}
    painted = (out[..., 3] > 0) & ~body
    assert (labels[painted] == Label.FACE).all(), "nothing grows into the room"


@pytest.mark.parametrize("size", [128, 512, 1024])
def test_the_neck_goes_on_behind_the_head_and_fades(size):
    image, labels, room = _portrait(size)
    k = size / 512
    out = torso.torso(image, labels, room)
    column = out[:, round(256 * k)]
    first = int(column[:, 3].argmax())
    assert first == pytest.approx((320 - 53) * k, abs=1)
    np.testing.assert_allclose(column[round(319 * k), :3], SKIN, atol=6)
    np.testing.assert_allclose(column[first, :3], np.array(SKIN) * 0.99**53, atol=6)


def test_the_collar_goes_on_behind_the_head():
    image, labels, room = _portrait(neck=False)
    labels[320:360, 160:352] = Label.FACE
    out = torso.torso(image, labels, room)
    assert int(out[:, 256, 3].argmax()) == 360 - 9
    np.testing.assert_array_equal(out[352, 256, :3], CLOTH)


def test_a_chin_on_the_collar_leaves_no_notch():
    image, labels, room = _portrait(chin_on_collar=True)
    out = torso.torso(image, labels, room)
    # Between the two visible sides of the neck the same colour goes on, right above the collar.
    strip = out[335:375, 205:307]
    assert (strip[..., 3] == 255).all()
    assert (np.abs(strip[..., :3].astype(int) - SKIN).max(axis=-1) < 80).all()


def test_specks_of_neck_beside_the_ear_grow_no_stripe():
    image, labels, room = _portrait(specks=True)
    out = torso.torso(image, labels, room)
    assert not out[:300, 340:, 3].any()


@pytest.mark.parametrize("label", [Label.BACKGROUND, Label.FACE, Label.NECK, Label.TORSO])
def test_a_picture_of_one_region_raises_nothing(label):
    image = np.full((64, 64, 3), 90, np.uint8)
    out = torso.torso(image, np.full((64, 64), label, np.uint8), image)
    assert out.shape == (64, 64, 4)
    assert (out[..., 3] > 0).all() == (label == Label.TORSO)
