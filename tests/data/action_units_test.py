import csv

import numpy as np
import pytest

from emojax.data import action_units, face68
from emojax.data.action_units import ActionUnits
from emojax.data.errors import DataError
from tests.data import actor, folders


@pytest.fixture(scope="module")
def film():
    return actor.film(num_frames=300, size=64, seed=2)


@pytest.fixture(scope="module")
def estimated(film):
    found = np.ones(300, bool)
    return action_units.estimate(folders.track(film), film.landmarks, found, width=64, height=64)


def _units(count=12, seed=0):
    values = np.random.default_rng(seed).uniform(0, 5, (count, len(action_units.ESTIMATED)))
    success = np.ones(count, bool)
    success[3] = False
    return ActionUnits(
        action_units.ESTIMATED, np.float32(np.round(values, 2)), success, "drawn at random"
    )


def test_head_points_undo_the_camera(film):
    track = folders.track(film)
    points = action_units.head_points(track, film.landmarks + 0.5 - 32)
    np.testing.assert_allclose(points, 1000 * track.points(), atol=0.1)


@pytest.mark.parametrize(
    ("number", "curve", "least"),
    [(25, "opening_mm", 0.98), (26, "opening_mm", 0.9), (1, "brow", 0.85), (2, "brow", 0.85)],
)
def test_estimates_follow_the_true_course(film, estimated, number, curve, least):
    r = np.corrcoef(estimated.column(number), getattr(film, curve))[0, 1]
    assert r > least


def test_a_blink_is_a_blink(film, estimated):
    lids = face68.lid_gap(action_units.head_points(folders.track(film), film.landmarks + 0.5 - 32))
    found = action_units.blinks(action_units.eye_drop(lids))
    is_closed = film.blink > 0.5
    true = np.flatnonzero(is_closed[1:] & ~is_closed[:-1]) + 1
    assert len(found) == len(true)
    assert len(true) > 0
    assert np.abs(found - true).max() <= 3
    assert estimated.column(45)[found].min() > 3
    assert np.median(estimated.column(45)) < 0.5


def test_one_closure_is_one_blink():
    drop = np.zeros(100)
    drop[10:17] = [0.3, 0.45, 0.36, 0.3, 0.34, 0.5, 0.2]  # lids tremble while closed
    drop[40:46] = [0.4, 0.4, 0.1, 0.1, 0.4, 0.5]  # open between two blinks
    drop[60] = drop[75] = 0.4  # narrowed for long between two blinks
    drop[61:75] = 0.3
    np.testing.assert_array_equal(action_units.blinks(drop), [15, 40, 45, 60, 75])
    assert len(action_units.blinks(np.zeros(0))) == 0


def test_eyes_are_compared_with_those_of_the_same_shot():
    lids = np.full(120, 10.0)
    lids[60:] = 6.0  # another camera, from farther away
    assert np.abs(action_units.eye_drop(lids, cuts=[60])).max() < 1e-9
    assert action_units.eye_drop(lids).max() > 0.3
    lost = np.ones(120, bool)
    lost[60:] = False
    assert (action_units.eye_drop(lids, found=lost, cuts=[60]) == 0).all()


def test_estimates_do_not_run_across_cuts(film):
    landmarks = film.landmarks.copy()
    eyes = landmarks[150:, 36:48]
    middle = eyes.mean(axis=1, keepdims=True)
    landmarks[150:, 36:48] = middle + (eyes - middle) * (1, 0.5)  # narrow lids after the cut
    everything = np.ones(300, bool)

    def blink(**options):
        return action_units.estimate(
            folders.track(film), landmarks, everything, width=64, height=64, **options
        ).column(45)

    is_open = (film.blink == 0) & (np.abs(np.arange(300) - 165) < 15)
    assert blink()[is_open].max() > 3
    assert blink(cuts=[150])[is_open].max() < 1


def test_the_scale_is_openfaces(estimated):
    assert estimated.numbers == (1, 2, 4, 5, 6, 7, 25, 26, 45)
    assert estimated.values.dtype == np.float32
    assert estimated.values.min() >= 0
    assert estimated.values.max() <= 5
    assert "landmarks" in estimated.source


def test_noise_is_not_inflated_to_full_strength(film):
    still = actor.film(num_frames=100, size=64, talk=False, blinks=False)
    landmarks = still.landmarks + np.random.default_rng(0).normal(0, 0.02, still.landmarks.shape)
    units = action_units.estimate(
        folders.track(still), landmarks, np.ones(100, bool), width=64, height=64
    )
    assert units.column(25).mean() < 1.0
    assert units.column(45).mean() < 1.0


def test_frames_without_a_face_are_zero_and_do_not_calibrate(film, estimated):
    found = np.ones(300, bool)
    found[100:120] = False
    landmarks = film.landmarks.copy()
    landmarks[100:120] = 1e4 * np.random.default_rng(0).random((20, 68, 2))
    units = action_units.estimate(folders.track(film), landmarks, found, width=64, height=64)
    assert (units.values[100:120] == 0).all()
    assert not units.success[100:120].any()
    assert np.corrcoef(units.column(25)[found], film.opening_mm[found])[0, 1] > 0.95
    # The lids' usual opening and slow course next to the gap are those of the frames seen.
    for number in (5, 7, 45):
        difference = units.column(number)[found] - estimated.column(number)[found]
        assert np.abs(difference).max() < 0.25, number


def test_pose_is_not_taken_for_expression():
    still = actor.film(num_frames=200, size=64, talk=False, blinks=False, yaw_range=0.3)
    units = action_units.estimate(
        folders.track(still), still.landmarks, np.ones(200, bool), width=64, height=64
    )
    truth = still.brow / 5.0 * 5
    assert np.abs(units.column(4)).mean() < 1.0
    assert np.abs(units.column(1) - truth).mean() < 1.2


def test_files_round_trip(tmp_path):
    action_units.write(tmp_path / "au.csv", _units())
    read = action_units.read(tmp_path / "au.csv", 12)
    assert read.numbers == _units().numbers
    np.testing.assert_allclose(read.values, _units().values, atol=1e-6)
    np.testing.assert_array_equal(read.success, _units().success)
    assert read.source.startswith("au.csv, sha256 ")


def test_the_columns_have_openfaces_names(tmp_path):
    """TalkingGaussian asks pandas for ' AU45_r', with the blank."""
    action_units.write(tmp_path / "au.csv", _units())
    with open(tmp_path / "au.csv") as file:
        rows = list(csv.reader(file))
    assert rows[0][0] == "frame"
    for number in (1, 4, 5, 6, 7, 25, 45):
        assert f" AU{number:02d}_r" in rows[0]
    assert [row[0] for row in rows[1:4]] == ["1", "2", "3"]
    assert float(rows[2][2]) == pytest.approx(0.04)


def _damaged(tmp_path, change):
    path = tmp_path / "au.csv"
    action_units.write(path, _units())
    lines = path.read_text().splitlines()
    change(lines)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_file_of_another_length_is_refused_with_its_likely_cause(tmp_path):
    path = tmp_path / "au.csv"
    action_units.write(path, _units(1500))
    with pytest.raises(DataError, match=r"1250 rows.*1500 \(\+10\.00 s\).*30 frames a second"):
        action_units.read(path, 1250)
    with pytest.raises(DataError, match=r"1501 rows.*1500 \(-0\.04 s\)"):
        action_units.read(path, 1501)


@pytest.mark.parametrize("text", ["nan", "", "x", "-1.0", "5.5", "inf"])
def test_numbers_that_are_none_are_refused(tmp_path, text):
    def change(lines):
        cells = lines[4].split(", ")
        cells[6] = text
        lines[4] = ", ".join(cells)

    with pytest.raises(DataError, match=r"row 4, AU02_r"):
        action_units.read(_damaged(tmp_path, change), 12)


def test_a_short_row_is_refused(tmp_path):
    def change(lines):
        lines[5] = lines[5][:30]

    with pytest.raises(DataError, match="row 5"):
        action_units.read(_damaged(tmp_path, change), 12)


def test_a_missing_column_is_named(tmp_path):
    def change(lines):
        lines[0] = lines[0].replace("AU45_r", "AU45_c")

    with pytest.raises(DataError, match=r"others are optional.*none named AU45_r"):
        action_units.read(_damaged(tmp_path, change), 12)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"one, two\n1, 2\n"])
def test_another_file_is_refused(tmp_path, content):
    (tmp_path / "au.csv").write_bytes(content)
    with pytest.raises(DataError, match="OpenFace"):
        action_units.read(tmp_path / "au.csv", 12)
    with pytest.raises(DataError, match="OpenFace"):
        action_units.read(tmp_path / "absent.csv", 12)


def test_an_absent_unit_is_named():
    with pytest.raises(DataError, match="action unit 12"):
        _units().column(12)
