"""PSNR by hand, regions, the mouth's squares."""

import numpy as np
import pytest

from emojax.losses import photometric
from emojax.metrics import image


def test_psnr_of_a_known_error_is_known():
    target = np.full((4, 5, 3), 0.5)
    assert image.psnr(target + 0.1, target) == pytest.approx(20)
    assert image.psnr(target, target) == image.MAX_PSNR


def test_what_no_display_shows_costs_nothing():
    assert image.psnr(np.full((4, 4, 3), 1.7), np.ones((4, 4, 3))) == image.MAX_PSNR


def test_psnr_of_a_region_sees_the_region_alone():
    target, picture = np.zeros((4, 4, 3)), np.zeros((4, 4, 3))
    picture[0] = 0.1
    mask = np.zeros((4, 4), bool)
    mask[0] = True
    assert image.psnr(picture, target, mask=mask) == pytest.approx(20)
    assert image.psnr(picture, target, mask=~mask) == image.MAX_PSNR
    assert np.isnan(image.psnr(picture, target, mask=np.zeros((4, 4), bool)))


def test_ssim_is_that_of_the_loss():
    a, b = np.random.default_rng(0).uniform(size=(2, 20, 24, 3)).astype(np.float32)
    assert image.ssim(a, b) == pytest.approx(float(photometric.ssim(a, b)), abs=1e-6)


def test_squares_of_the_mouth_are_alike_centred_and_inside(film):
    size = film.images.shape[1]
    boxes = image.mouth_boxes(film.landmarks, size)
    sides = boxes[:, 2:] - boxes[:, :2]
    assert (sides == sides[0, 0]).all()
    lips = film.landmarks[:, 48:68]
    assert (lips[..., 0] >= boxes[:, None, 1]).all()
    assert (lips[..., 0] < boxes[:, None, 3]).all()
    assert (lips[..., 1] >= boxes[:, None, 0]).all()
    assert (lips[..., 1] < boxes[:, None, 2]).all()
    aside = image.mouth_boxes(film.landmarks + np.array([size, 0]), size)
    assert (aside[:, 3] == size).all()
    assert image.crop(film.images[0], boxes[0]).shape == (*sides[0], 3)
