"""Meshes as pictures: coverage, interpolation, what is nearer."""

import numpy as np
import pytest

from emojax.data import raster

SQUARE = np.array([[1.0, 1], [6, 1], [6, 6], [1, 6]])
TWO = np.array([[0, 1, 2], [0, 2, 3]])


def _draw(points, depth, values, triangles, **size):
    size = {"height": 8, "width": 8} | size
    return raster.draw(points, np.float64(depth), np.float64(values), triangles, **size)


def test_a_square_covers_its_pixels_and_its_borders():
    _, covered = _draw(SQUARE, np.ones(4), np.ones((4, 1)), TWO)
    wanted = np.zeros((8, 8), bool)
    wanted[1:7, 1:7] = True
    np.testing.assert_array_equal(covered, wanted)


@pytest.mark.parametrize("turned", [False, True], ids=["one way", "the other"])
def test_values_are_linear_in_the_picture(turned):
    triangles = TWO[:, ::-1] if turned else TWO
    picture, covered = _draw(SQUARE, np.ones(4), SQUARE @ [[2.0, 0], [1, 3]], triangles)
    rows, columns = np.nonzero(covered)
    wanted = np.stack([2.0 * columns + rows, 3.0 * rows], axis=-1)
    np.testing.assert_allclose(picture[rows, columns], wanted, rtol=1e-6)
    assert (picture[~covered] == 0).all()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["near first", "far first"])
def test_the_nearer_triangle_hides_the_other(order):
    points = np.tile(SQUARE[:3], (2, 1))
    values = np.repeat([[1.0], [2.0]], 3, axis=0)
    triangles = np.arange(6).reshape(2, 3)[list(order)]
    picture, _ = _draw(points, np.repeat([1.0, 2.0], 3), values, triangles)
    assert picture[2, 5, 0] == 1
    crossing = np.array([1.0, 3, 3, 2, 2, 2])  # one corner of the first is nearer
    picture, _ = _draw(points, crossing, values, triangles)
    assert picture[1, 1, 0] == 1
    assert picture[5, 6, 0] == 2


def test_what_is_outside_of_the_picture_is_cut_off():
    far = np.array([[-50.0, -50], [80, -50], [-50, 80]])
    picture, covered = _draw(far, np.ones(3), np.ones((3, 1)), np.arange(3)[None], width=5)
    assert covered.shape == (8, 5)
    assert covered.all()
    np.testing.assert_allclose(picture, 1, rtol=1e-6)
    gone = [[-9.0, 1], [-5, 1], [-7, 4]]
    assert not _draw(np.array(gone), np.ones(3), np.ones((3, 1)), np.arange(3)[None])[1].any()


def test_triangles_seen_from_the_side_cover_nothing():
    line = np.array([[1.0, 1], [3, 3], [6, 6]])
    assert not _draw(line, np.ones(3), np.ones((3, 1)), np.arange(3)[None])[1].any()


def test_neighbours_leave_no_gap():
    """A fan of narrow triangles around a point between pixels covers a disc without holes."""
    angles = np.linspace(0, 2 * np.pi, 41)[:-1]
    rim = 20.3 + 17 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    points = np.concatenate([[[20.3, 20.3]], rim])
    near = np.arange(1, 41)
    fan = np.stack([np.zeros(40, int), near, near % 40 + 1], axis=-1)
    _, covered = _draw(points, np.ones(41), np.ones((41, 1)), fan, height=41, width=41)
    rows, columns = np.mgrid[:41, :41]
    inner = np.hypot(rows - 20.3, columns - 20.3) < 16.8
    assert covered[inner].all()
