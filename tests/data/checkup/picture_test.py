"""Sharpness on drawn faces. Faults in whole folders are in doctor_test."""

import numpy as np
import pytest

from emojax.data.checkup import picture
from emojax.opencv import cv2
from tests.data import actor


@pytest.fixture(scope="module")
def film():
    return actor.film(num_frames=1, size=256)


def _sharpness(image, points):
    return picture.sharpness(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), points)


def test_sharpness_falls_with_blur(film):
    image, points = film.images[0], film.landmarks[0]
    values = [_sharpness(image, points)]
    values += [_sharpness(cv2.GaussianBlur(image, (0, 0), s), points) for s in (0.5, 1.0, 2.0)]
    assert np.all(np.diff(np.log(values)) < -0.2), values
    assert values[0] > 0.05
    assert values[-1] < 0.006


def test_sharpness_does_not_depend_on_contrast(film):
    image, points = film.images[0], film.landmarks[0]
    faint = np.uint8(100 + 0.3 * image)
    assert _sharpness(faint, points) == pytest.approx(_sharpness(image, points), rel=0.1)


def test_a_face_outside_of_the_picture_has_no_sharpness(film):
    assert np.isnan(_sharpness(film.images[0], film.landmarks[0] + 1000))
