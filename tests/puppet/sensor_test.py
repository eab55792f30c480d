import numpy as np
import pytest

from emojax.puppet import sensor


def test_noise_has_the_asked_size_and_is_another_one_in_each_frame():
    grey = np.full((64, 64, 3), 128, np.uint8)
    first, again, other = (sensor.noisy(grey, 4.0, 1, frame) for frame in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.std(first.astype(float)) == pytest.approx(4.0, rel=0.1)
    assert np.mean(first.astype(float)) == pytest.approx(128, abs=0.5)
    assert not np.array_equal(first, sensor.noisy(grey, 4.0, 2, 0))


def test_shadows_are_noisier_than_light():
    dark, light = (np.full((64, 64, 3), level, np.uint8) for level in (40, 220))
    deviation = [np.std(sensor.noisy(image, 4.0, 0, 0).astype(float)) for image in (dark, light)]
    assert deviation[0] > 1.2 * deviation[1]


def test_without_noise_and_compression_pictures_are_left_alone():
    image = np.zeros((16, 16, 3), np.uint8)
    assert sensor.noisy(image, 0, 0, 0) is image
    assert list(sensor.compressed([image, image], None))[1] is image


def test_compression_gives_every_picture_back_in_order_and_worse_with_the_factor():
    x = np.arange(48)
    pattern = np.uint8(127 + 60 * np.sin(x / 3)[None, :, None] * np.cos(x / 5)[:, None, None])
    frames = [np.repeat(np.roll(pattern, 2 * k, axis=1), 3, axis=2) for k in range(40)]

    def error(quality):
        shown = list(sensor.compressed(iter(frames), quality))
        assert len(shown) == 40
        return [np.mean((a.astype(float) - b) ** 2) for a, b in zip(shown, frames, strict=True)]

    fine, coarse = error(12), error(45)
    assert max(fine) < 20
    assert np.mean(coarse) > 4 * np.mean(fine)


def test_no_pictures_give_none():
    assert list(sensor.compressed(iter(()), 23)) == []
