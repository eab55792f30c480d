import numpy as np

from emojax.data import captions


def test_each_column_has_its_own_title():
    band = captions.titles(["truth", "", "head"], 64)
    assert band.shape == (captions.BAR, 3 * 64, 3)
    assert band.dtype == np.uint8
    ink = band.reshape(captions.BAR, 3, 64, 3).max(axis=(0, 2, 3))
    np.testing.assert_array_equal(ink > 128, [True, False, True])


def test_a_long_title_stays_in_its_column():
    for side in (256, 64, 32, 4):
        band = captions.titles(["difference times four", ""], side)
        assert band[:, side:].max() == 0
        assert band[:, side - 1].max() == 0
