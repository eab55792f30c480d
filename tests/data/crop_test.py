import numpy as np
import pytest

from emojax.data import crop
from emojax.data.crop import Crop
from emojax.data.errors import DataError


def _boxes(*centres, side=200):
    return [np.array([[x, y, side]], float) for x, y in centres]


def test_a_portrait_square_stays_whole():
    assert crop.around_head(_boxes((256, 260), side=230), width=512, height=512) == Crop(0, 0, 512)


def test_the_square_holds_the_head_wherever_it_goes():
    boxes = _boxes(*[(700 + 150 * np.sin(t), 400 + 60 * np.cos(t)) for t in range(12)])
    square = crop.around_head(boxes, width=1920, height=1080)
    for x, y, side in np.concatenate(boxes):
        assert square.left <= x - 0.8 * side
        assert x + 0.8 * side <= square.left + square.side
        assert square.top <= y - side
        assert y + 0.8 * side <= square.top + square.side
    assert square.side < 700


def test_margin_sets_the_size():
    boxes = _boxes((960, 400))
    sides = [
        crop.around_head(boxes, width=1920, height=1080, margin=m).side for m in (2.0, 2.4, 3.0)
    ]
    assert sides == [400, 480, 600]


def test_the_square_stays_inside():
    square = crop.around_head(_boxes((100, 100), (1850, 900)), width=1920, height=1080)
    crop.check(square, 1920, 1080)


def test_a_face_beside_the_square_does_not_matter():
    boxes = [np.array([[500, 400, 200], [1700, 400, 190]], float)] * 9
    assert crop.around_head(boxes, width=1920, height=1080).left < 500


def test_two_people_in_the_square_are_refused():
    boxes = [np.array([[500, 400, 200], [680, 400, 190]], float)] * 9
    with pytest.raises(DataError, match="100% of the frames"):
        crop.around_head(boxes, width=1920, height=1080)


def test_no_face_is_refused():
    with pytest.raises(DataError, match="none in 4 frames"):
        crop.around_head([np.zeros((0, 3))] * 4, width=640, height=480)


def test_the_users_square():
    assert crop.parse("10,20,300") == Crop(10, 20, 300)
    for text in ("10,20", "a,b,c", "-1,0,5", "0,0,0", "0,0,1", "0,0,63", ""):
        with pytest.raises(DataError, match="LEFT,TOP,SIDE"):
            crop.parse(text)
    with pytest.raises(DataError, match="640 x 480"):
        crop.check(Crop(300, 0, 400), 640, 480)


def test_cutting_and_scaling():
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:30, 20:40] = 255
    assert (crop.apply(image, Crop(20, 10, 20), 20) == 255).all()
    assert (crop.apply(image, Crop(20, 10, 20), 8) == 255).all()
    assert crop.apply(image, Crop(20, 10, 20), 64).shape == (64, 64, 3)
