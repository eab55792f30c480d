import numpy as np
import pytest

from emojax.data.labels import Label
from emojax.data.masks import mouth
from emojax.opencv import cv2
from tests.data import actor


@pytest.fixture(scope="module")
def film():
    return actor.film(num_frames=40, size=512, seed=1)


@pytest.fixture(scope="module")
def found(film):
    colors = mouth.fit(film.images, film.landmarks)
    pairs = [
        mouth.inside(image, points, colors)
        for image, points in zip(film.images, film.landmarks, strict=True)
    ]
    return np.stack(pairs, axis=1)


def _iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def test_the_inside_of_the_mouth_is_found(film, found):
    truth = film.mouth_truth
    wide = truth.sum(axis=(1, 2)) > 300
    assert wide.sum() > 5
    assert _iou(found[0][wide], truth[wide]) > 0.65
    areas = [mask.sum(axis=(1, 2)) for mask in (found[0], truth)]
    assert np.corrcoef(*areas)[0, 1] > 0.95


def test_teeth_are_found_inside_the_mouth(film, found):
    assert not (found[1] & ~found[0]).any()
    assert _iou(found[1], film.labels == Label.TEETH) > 0.6


def test_frames_without_a_face_say_nothing_of_the_lips(film):
    lost = np.arange(40) % 2 == 0
    points = film.landmarks.copy()
    points[lost] = points[lost] * 0.3
    colors = mouth.fit(film.images, points, found=~lost)
    assert colors == mouth.fit(film.images[~lost], film.landmarks[~lost])
    assert colors != mouth.fit(film.images, points)


def test_closed_lips_have_no_inside(film):
    colors = mouth.fit(film.images, film.landmarks)
    closed = film.landmarks[0].copy()
    closed[[65, 66, 67]] = closed[[63, 62, 61]] + (0, 0.5)
    inside, teeth = mouth.inside(film.images[0], closed, colors)
    assert not inside.any()
    assert not teeth.any()


def test_the_size_of_the_picture_does_not_matter(film, found):
    colors = mouth.fit(film.images, film.landmarks)
    widest = int(found[0].sum(axis=(1, 2)).argmax())
    large = cv2.resize(film.images[widest], (1024, 1024), interpolation=cv2.INTER_CUBIC)
    inside, _ = mouth.inside(large, (film.landmarks[widest] + 0.5) * 2 - 0.5, colors)
    assert inside.sum() / 4 == pytest.approx(found[0][widest].sum(), rel=0.1)


def test_lips_at_the_border_or_outside_raise_nothing(film):
    colors = mouth.fit(film.images, film.landmarks)
    for shift in ((300, 0), (0, 260), (5000, 5000), (-5000, 0)):
        inside, _ = mouth.inside(film.images[0], film.landmarks[0] + shift, colors)
        assert inside.shape == (512, 512)


def test_the_overlay_stays_on_the_head():
    labels = np.full((8, 8), Label.FACE, np.uint8)
    labels[6:] = Label.BACKGROUND
    inside, teeth = np.zeros((2, 8, 8), bool)
    inside[4:7, 2:6] = teeth[4, 2:6] = True
    out = mouth.overlay(labels, inside, teeth)
    np.testing.assert_array_equal(out[4, 2:6], Label.TEETH)
    np.testing.assert_array_equal(out[5, 2:6], Label.MOUTH)
    np.testing.assert_array_equal(out[6:], Label.BACKGROUND)
    assert (labels != out).sum() == 8
    # Teeth in a mouth that is known already.
    np.testing.assert_array_equal(mouth.overlay(out, inside, teeth), out)
    labels[4:6, 2:6] = Label.MOUTH
    np.testing.assert_array_equal(mouth.overlay(labels, inside, teeth), out)
