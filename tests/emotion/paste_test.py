import numpy as np
import pytest

from emojax.emotion import paste
from emojax.emotion.paste import Box
from tests.emotion import faces

SHAPE = (faces.SIZE, faces.SIZE, 3)


def test_boxes_hold_eyes_and_mouth_and_stay_between_the_jaws():
    landmarks = faces.landmarks()
    eyes, mouth = paste.boxes(landmarks, SHAPE)
    for box, points in ((eyes, range(17, 48)), (mouth, range(48, 68))):
        chosen = landmarks[[p for p in points if not 27 <= p < 36]]
        assert (chosen >= (box.left, box.top)).all()
        assert (chosen < (box.right, box.bottom)).all()
        assert box.left >= landmarks[:17, 0].min() - 1
        assert box.right <= landmarks[:17, 0].max() + 2
    assert eyes.bottom < mouth.bottom


def test_boxes_are_clipped_to_the_picture_and_dropped_when_small():
    landmarks = faces.landmarks() - np.array([70, 90])
    for box in paste.boxes(landmarks, SHAPE):
        assert box.top >= 0
        assert box.left >= 0
    assert paste.boxes(faces.landmarks() * 0.05, SHAPE) == []
    assert paste.boxes(faces.landmarks() - 1000, SHAPE) == []


def test_the_same_picture_pasted_is_the_same_picture():
    picture = faces.picture()
    done = paste.paste(picture, picture, paste.boxes(faces.landmarks(), SHAPE))
    assert np.abs(np.int16(done) - picture).max() <= 2


def test_outside_of_the_boxes_nothing_changes_and_inside_it_does():
    source = np.array(faces.picture())
    generated = np.array(faces.picture(gap=9.0))
    places = paste.boxes(faces.landmarks(gap=9.0), SHAPE)
    done = paste.paste(source, generated, places)
    mask = paste.inside(places, SHAPE)
    np.testing.assert_array_equal(done[~mask], source[~mask])
    core = np.zeros_like(mask)
    mouth = places[1]
    core[mouth.top + 8 : mouth.bottom - 8, mouth.left + 8 : mouth.right - 8] = True
    error = np.abs(np.int16(done) - generated)[core]
    assert error.mean() < 3
    assert np.abs(np.int16(source) - generated)[core].mean() > error.mean() * 2


def test_a_tint_of_the_generated_picture_is_taken_off():
    source = np.array(faces.picture())
    tinted = np.uint8(np.clip(np.int16(source) + 25, 0, 255))
    done = paste.paste(source, tinted, paste.boxes(faces.landmarks(), SHAPE))
    assert np.abs(np.int16(done) - source).mean() < 3


@pytest.mark.parametrize(
    "box",
    [
        Box(0, 0, 40, 60), Box(216, 190, 256, 256), Box(0, 0, 256, 256), Box(1, 1, 33, 32),
        Box(0, 100, 256, 131), Box(100, 0, 116, 256), Box(223, 1, 255, 255),
    ],
)  # fmt: skip
def test_boxes_at_the_border_do_not_shift_or_crash(box):
    rng = np.random.default_rng(0)
    source = np.full(SHAPE, 120, np.uint8)
    generated = np.uint8(rng.integers(90, 150, SHAPE))
    done = paste.paste(source, generated, [box])
    assert done.shape == SHAPE
    core = (slice(box.top + 6, box.bottom - 6), slice(box.left + 6, box.right - 6))
    if done[core].size > 300:
        here = np.corrcoef(done[core].ravel(), generated[core].ravel())[0, 1]
        assert here > 0.98, "one pixel off would leave no correlation"
