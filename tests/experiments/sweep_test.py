"""What a sweep writes: points of all kinds, a sheet on the disc, a table."""

import csv
import io

import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.emotion import circumplex
from tests.experiments import command

sweep = command.module("sweep")


def _flags(**values):
    """Sets the experiment's flags for a test."""
    flags = sweep._POINTS._flagvalues
    flags.mark_as_parsed()
    for name, value in values.items():
        setattr(flags, name, value)


@pytest.fixture(autouse=True)
def usual():
    _flags(points="test", directions=12, radii=["0.4", "0.8"], tile=None, outside="clip")


def _tiles(count, side=32):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, side, side, 3), np.uint8)


def test_the_test_points_are_those_of_papers():
    np.testing.assert_allclose(sweep.points(), circumplex.POINTS, atol=1e-6)


def test_rings_have_directions_and_radii():
    _flags(points="rings", directions=6, radii=["0.3", "0.9"])
    found = sweep.points()
    assert found.shape == (12, 2)
    assert sweep.grid(12) == (2, 6)
    _flags(points="rings", radii=["wide"])
    with pytest.raises(DataError, match="numbers"):
        sweep.points()


def test_points_of_a_file(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("valence,arousal\n0.5,0.1\n-0.2,0.7\n")
    _flags(points=str(path))
    np.testing.assert_allclose(sweep.points(), [[0.5, 0.1], [-0.2, 0.7]], atol=1e-6)


def test_points_of_a_file_outside_the_disc_are_moved_or_refused(tmp_path):
    path = tmp_path / "points.json"
    path.write_text("[[3, 4], [0.1, 0.2]]")
    _flags(points=str(path))
    with pytest.warns(UserWarning, match="rim"):
        np.testing.assert_allclose(sweep.points(), [[0.6, 0.8], [0.1, 0.2]], atol=1e-6)
    _flags(outside="refuse")
    with pytest.raises(DataError, match="at most 1"):
        sweep.points()
    _flags(points="ring")
    with pytest.raises(DataError, match="test, rings, or a"):
        sweep.points()


@pytest.mark.parametrize("text", ["", "valence,arousal\n", "a,b\n1,2\n", "valence,arousal\nx,y\n"])
def test_files_without_points_are_refused(tmp_path, text):
    path = tmp_path / "points.csv"
    path.write_text(text)
    _flags(points=str(path))
    with pytest.raises(DataError, match="point"):
        sweep.points()


def test_tiles_lie_where_their_points_are():
    where = np.float32([[0.9, 0.0], [-0.9, 0.0], [0.0, 0.9]])
    tiles = np.stack([np.full((32, 32, 3), c, np.uint8) for c in (10, 90, 170)])
    sheet = sweep.on_the_disc(tiles, where)
    height, width = sheet.shape[:2]
    assert height == width
    places = [np.argwhere((sheet == c).all(axis=-1)).mean(axis=0) for c in (10, 90, 170)]
    right, left, top = places
    assert left[1] < width / 2 < right[1]
    assert abs(left[0] - right[0]) < 2
    assert top[0] < height / 2
    assert abs(top[1] - width / 2) < 2


def test_points_too_near_for_a_disc_become_a_table():
    where = np.float32(np.random.default_rng(1).uniform(-1e-3, 1e-3, (10, 2)))
    sheet = sweep.on_the_disc(_tiles(10), where)
    assert sheet.shape == (3 * 32, 4 * 32, 3)


def test_a_film_of_too_many_points_is_refused():
    with pytest.raises(DataError, match="fewer points"):
        sweep.tile_side(128, 500, sweep.LARGEST_FILM)
    assert sweep.tile_side(128, 30, sweep.LARGEST_FILM) == 128


def test_a_row_a_point():
    where = np.float32([[0.74, 0.31], [0.0, 0.0]])
    rows = list(csv.DictReader(io.StringIO(sweep.cells(where, (1, 2), np.array([3.0, 0.0])))))
    assert [row["class"] for row in rows] == ["happy", "neutral"]
    assert [row["column"] for row in rows] == ["0", "1"]
    assert float(rows[0]["radius"]) == pytest.approx(0.8023, abs=1e-3)
    assert float(rows[0]["change"]) == 3.0
