"""The sheet: a cell a point, the truth where it is known, normals where there are some."""

import numpy as np

from emojax.data import captions
from emojax.metrics import emotional_sheet
from emojax.metrics.emotional import FELT, Shown
from emojax.metrics.emotional_sheet import TILE

SIDE = 16
HEAD = np.tile(np.linspace(0.1, 0.9, FELT + 1)[:, None, None, None], (1, SIDE, SIDE, 3))
UP = np.tile(np.float32([0, 0.3, 0.6]), (FELT + 1, SIDE, SIDE, 1))


def _tiles(drawn, count):
    """[12, count, TILE, TILE, 3] without the titles."""
    rows = drawn.reshape(4, captions.BAR + TILE, 3, count, TILE, 3)[:, captions.BAR :]
    return rows.transpose(0, 2, 3, 1, 4, 5).reshape(12, count, TILE, TILE, 3)


def test_each_point_has_its_twin_its_rendering_and_their_difference():
    truth = HEAD + np.where(np.arange(FELT + 1) == 5, 0.1, 0)[:, None, None, None]
    tiles = _tiles(emotional_sheet.sheet(Shown(7, truth, HEAD, None)), 3)
    expected = np.uint8(255 * HEAD[:FELT, 0, 0, 0] + 0.5)
    np.testing.assert_allclose(tiles[:, 1].mean(axis=(1, 2, 3)), expected, atol=1)
    difference = tiles[:, 2].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(difference, 255 * 0.4 * (np.arange(12) == 5), atol=1)


def test_normals_are_shown_at_full_length_and_black_where_nothing_is_drawn():
    normals = UP.copy()
    normals[:, 0] = 0.1
    tiles = _tiles(emotional_sheet.sheet(Shown(7, HEAD, HEAD, normals)), 4)
    lower = tiles[0, 3, TILE // 2, TILE // 2].astype(float) / 127.5 - 1
    np.testing.assert_allclose(lower, UP[0, 1, 0] / np.linalg.norm(UP[0, 1, 0]), atol=0.02)
    assert tiles[0, 3, 0].max() < 30


def test_the_twins_normals_stand_beside_those_of_the_head():
    true = np.tile(np.float32([0, 0, 1]), (FELT + 1, SIDE, SIDE, 1))
    tiles = _tiles(emotional_sheet.sheet(Shown(7, HEAD, HEAD, UP, true)), 5)
    np.testing.assert_allclose(tiles[3, 3].mean(axis=(0, 1)), [128, 128, 255], atol=1)
    expected = 127.5 * UP[0, 1, 0] / np.linalg.norm(UP[0, 1, 0]) + 127.5
    np.testing.assert_allclose(tiles[3, 4].mean(axis=(0, 1)), expected, atol=1.5)


def test_without_twins_the_neutral_face_stands_there():
    tiles = _tiles(emotional_sheet.sheet(Shown(7, HEAD[:1], HEAD, None)), 3)
    assert np.ptp(tiles[:, 0]) <= 1
    assert tiles[11, 2].mean() > 200
