import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.emotion import displacement, sources, warp
from tests.emotion import faces

FRAMES = np.stack([faces.picture(), faces.picture(gap=5.0)])
LANDMARKS = np.stack([faces.landmarks(), faces.landmarks(gap=5.0)])
POINTS = np.float32([[0.74, 0.31], [-0.31, 0.74]])
ROWS = np.array([7, 9])


def test_warped_pictures_are_those_of_the_warp():
    made = sources.warped(resting_lift=0.05)(FRAMES, LANDMARKS, POINTS, rows=ROWS, labels=None)
    units = displacement.units_of(POINTS)
    for k, one in enumerate(made):
        done = warp.warp(FRAMES[k], LANDMARKS[k], POINTS[k], units[k], resting_lift=0.05)
        np.testing.assert_array_equal(one.picture, done.picture)
        np.testing.assert_array_equal(one.landmarks, done.landmarks)
        assert one.labels is None


def test_faces_that_cannot_be_warped_are_named_and_the_others_made():
    landmarks = LANDMARKS.copy()
    landmarks[0] = np.nan
    made = sources.warped()(FRAMES, landmarks, POINTS, rows=ROWS, labels=None)
    assert made[0] == "without landmarks"
    assert made[1].picture.shape == FRAMES[1].shape


def test_a_single_portrait_is_its_own_rest():
    smiling = np.array(LANDMARKS[:1])
    smiling[0, [48, 54], 1] -= 8
    point = np.float32([[-0.74, -0.31]])
    lifts = [None, displacement.corner_lift(smiling[0]), 0.0]
    corners = [
        sources.warped(resting_lift=lift)(FRAMES[:1], smiling, point, rows=ROWS[:1], labels=None)[
            0
        ].landmarks[48, 1]
        for lift in lifts
    ]
    assert corners[0] == corners[1] > corners[2] + 1


def test_the_resting_lift_is_the_median_of_what_is_known():
    series = np.stack([faces.landmarks(gap=g) for g in (0.0, 3.0, 6.0)])
    expected = displacement.corner_lift(series[1])
    gone = np.full((2, 68, 2), np.nan)
    assert sources.resting_lift(np.concatenate([series, gone])) == pytest.approx(expected)
    assert sources.resting_lift(gone) == 0.0


def test_settings_tell_sources_apart():
    made = [
        sources.warped(), sources.warped(gain=0.5), sources.warped(with_folds=False),
        sources.warped(resting_lift=0.1), sources.twins(lambda r, p: None, name="a"),
        sources.twins(lambda r, p: None, name="b"),
    ]  # fmt: skip
    assert len({source.settings for source in made}) == 6


def test_twins_are_asked_by_row_and_point_and_handed_on():
    asked = []

    def twin(rows, points):
        asked.append((rows, points))
        return FRAMES[::-1], LANDMARKS, np.ones((2, faces.SIZE, faces.SIZE), np.uint8)

    labels = np.zeros((2, faces.SIZE, faces.SIZE), np.uint8)
    made = sources.twins(twin, name="a")(FRAMES, LANDMARKS, POINTS, rows=ROWS, labels=labels)
    np.testing.assert_array_equal(asked[0][0], ROWS)
    np.testing.assert_array_equal(asked[0][1], POINTS)
    np.testing.assert_array_equal(made[0].picture, FRAMES[1])
    assert made[0].labels.all()


def test_twins_of_another_size_are_refused():
    def twin(rows, points):
        return FRAMES[:, ::2, ::2], LANDMARKS, None

    with pytest.raises(DataError, match="twins like the frames"):
        sources.twins(twin, name="a")(FRAMES, LANDMARKS, POINTS, rows=ROWS, labels=None)


@pytest.mark.parametrize("workers", [1, 3])
def test_each_keeps_the_order(workers):
    assert sources.each(lambda k: k * k, 20, workers) == [k * k for k in range(20)]
    assert sources.each(lambda k: k, 0, workers) == []
