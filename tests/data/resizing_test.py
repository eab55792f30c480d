"""Pictures at another size."""

import numpy as np

from emojax.data import resizing


def test_the_same_size_is_the_same_picture():
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    assert resizing.square(picture, 8, exact=False) is picture
    alpha = np.random.default_rng(0).integers(0, 256, (8, 8, 4), np.uint8)
    assert resizing.rgba(alpha, 8) is alpha


def test_labels_keep_their_values():
    labels = np.random.default_rng(0).choice(np.array([0, 3, 6], np.uint8), (16, 16))
    for side in (8, 24):
        assert set(np.unique(resizing.square(labels, side, exact=True))) <= {0, 3, 6}


def test_photographs_are_averaged():
    board = np.uint8(255 * (np.indices((16, 16)).sum(0) % 2))
    small = resizing.square(board, 8, exact=False)
    assert small.min() >= 127
    assert small.max() <= 128


def test_what_is_transparent_does_not_colour_its_neighbours():
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[:, :3] = (200, 100, 50, 255)
    picture[:, 3:] = (0, 255, 0, 0)
    small = resizing.rgba(picture, 4)
    np.testing.assert_allclose(small[:, :2, :3], np.tile([200, 100, 50], (4, 2, 1)), atol=1)
    assert (small[:, 2:, 3] == 0).all()
