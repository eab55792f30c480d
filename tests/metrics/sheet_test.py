"""The contact sheet: which frames it shows, and what lies where."""

import dataclasses

import numpy as np
import pytest

from emojax.data import captions
from emojax.metrics import measure, sheet
from emojax.metrics.measure import Scores


def _scores(lmd, psnr):
    return Scores({"lmd": np.array(lmd), "psnr": np.array(psnr)}, {})


def test_the_worst_comes_first_and_the_best_last():
    found = sheet.chosen(_scores([0.1, 3.0, np.nan, 2.0, 0.5], [30.0] * 5))
    np.testing.assert_array_equal(found, [1, 3, 4, 0])
    unjudged = sheet.chosen(_scores([np.nan] * 3, [30.0, 20.0, 25.0]))
    np.testing.assert_array_equal(unjudged, [1, 2, 0])
    assert len(sheet.chosen(_scores(np.arange(50.0), np.ones(50)))) == sheet.FRAMES


def test_a_perfect_head_has_a_black_difference_and_the_same_mouth(exam):
    exam = dataclasses.replace(exam, judge=None)

    def render(batches):
        for some in batches:
            yield from some.images / 255

    pictures = (exam.clip.images[int(row)] / 255 for row in exam.rows)
    made = sheet.sheet(exam, measure.measure(exam, pictures), render)
    side = sheet.TILE
    assert made.shape == (captions.BAR + sheet.FRAMES * side, 5 * side, 3)
    band, made = made[: captions.BAR], made[captions.BAR :]
    assert band.reshape(captions.BAR, 5, side, 3).max(axis=(0, 2, 3)).min() > 128  # titles
    tiles = made[sheet.BAR : side].reshape(-1, 5, side, 3).swapaxes(0, 1)  # below the caption
    np.testing.assert_array_equal(tiles[0], tiles[1])
    np.testing.assert_array_equal(tiles[2], 0)
    np.testing.assert_array_equal(tiles[3], tiles[4])
    assert tiles[3].std() > 10


@pytest.mark.parametrize("known", [True, False])
def test_normals_of_the_head_stand_beside_those_of_the_clip(exam, known):
    clip = exam.clip
    true = np.zeros((len(clip), clip.size, clip.size, 3), np.uint8)
    true[..., 2] = 255
    clip = dataclasses.replace(clip, normals=true if known else None)
    exam = dataclasses.replace(exam, judge=None, clip=clip)

    def render(batches):
        for some in batches:
            yield from some.images / 255

    def normals(batches):
        for some in batches:
            yield from 0.8 * np.tile(np.float32([0, 1, 0]), (len(some.images), 64, 64, 1))

    pictures = (exam.clip.images[int(row)] / 255 for row in exam.rows)
    made = sheet.sheet(exam, measure.measure(exam, pictures), render, normals=normals)
    tiles = made[captions.BAR :].reshape(sheet.FRAMES, sheet.TILE, -1, sheet.TILE, 3)
    assert tiles.shape[2] == 6 + known
    assert (tiles[:, :, -1] == [128, 255, 128]).all()
    if known:
        assert (tiles[:, :, -2] == [0, 0, 255]).all()
