import json

import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.emotion import circumplex, trajectory


def test_a_point_is_held():
    course = trajectory.constant(0.5, -0.25, 7)
    assert course.shape == (7, 2)
    assert course.dtype == np.float32
    np.testing.assert_array_equal(course, np.tile(np.float32([0.5, -0.25]), (7, 1)))
    np.testing.assert_allclose(trajectory.plan("fear", 3)[2], circumplex.centre("fear"))


def test_a_circle_returns_after_its_period():
    course = trajectory.circle(0.8, 2.0, 101, start=90)
    np.testing.assert_allclose(np.hypot(*course.T), 0.8, rtol=1e-5)
    np.testing.assert_allclose(course[0], [0, 0.8], atol=1e-6)
    np.testing.assert_allclose(course[0], course[50], atol=1e-5)
    np.testing.assert_allclose(course[25], [0, -0.8], atol=1e-5)
    assert course[5, 0] < 0  # counter-clockwise
    assert trajectory.circle(0.8, -2.0, 101, start=90)[5, 0] > 0


def test_a_course_passes_through_its_keyframes():
    keyframes = [(0.4, 0.0, 0.0), (1.2, 0.7, 0.4), (2.0, "sad"), (3.0, "neutral")]
    course = trajectory.through(keyframes, 100)
    for (time, *_), point in zip(
        keyframes, [(0, 0), (0.7, 0.4), circumplex.centre("sad"), (0, 0)], strict=True
    ):
        np.testing.assert_allclose(course[round(25 * time)], point, atol=1e-6)
    np.testing.assert_array_equal(course[:10], 0)
    np.testing.assert_array_equal(course[76:], 0)


def test_a_course_has_no_kinks_and_stays_inside():
    rng = np.random.default_rng(0)
    for _ in range(20):
        count = rng.integers(2, 9)
        angle, times = rng.uniform(0, 7, count), np.cumsum(rng.uniform(0.3, 2, count))
        radius = rng.choice([0.3, 0.9, 1.0], count)
        points = radius * np.stack([np.cos(angle), np.sin(angle)])
        keyframes = list(zip(times, *points, strict=True))
        course = trajectory.through(keyframes, int(25 * times[-1]) + 20)
        assert np.hypot(*course.T).max() <= 1 + 1e-6
        fastest = np.abs(np.diff(course, axis=0)).max()
        assert np.abs(np.diff(course, 2, axis=0)).max() < 6 * 2 / (25 * 0.3) ** 2 + 1e-6
        assert fastest < 1.5 * 2 / (25 * 0.3)


def test_many_keyframes_of_a_circle_are_a_circle():
    exact = trajectory.circle(0.95, 4.0, 101)
    keyframes = [(k / 25, *exact[k].tolist()) for k in range(0, 101, 5)]
    # Each coordinate turns flatly in its own extremes, and the ends stand still.
    error = np.linalg.norm(trajectory.through(keyframes, 101) - exact, axis=1)
    assert error.max() < 0.05


def test_one_keyframe_is_held():
    np.testing.assert_allclose(trajectory.through([(1.0, 0.1, 0.2)], 50), [[0.1, 0.2]] * 50)


@pytest.mark.parametrize(
    ("keyframes", "message"),
    [
        ([], "none"),
        ([(0.0, 0, 0), (2.0, 0, 0), (1.0, 0, 0)], "1 s after 2 s"),
        ([(0.0, 0, 0), (0.0, 1, 0)], "0 s after 0 s"),
        ([(np.nan, 0, 0)], "NaN"),
        ([(0.0, np.nan, 0)], "NaN"),
        ([(0.0, "bored")], "bored"),
        ([(0.0, 0, 0), (9.0, 0, 0)], "9 s"),
        ([(0.0, 0)], "2 items"),
    ],
)
def test_faults_are_named(keyframes, message):
    with pytest.raises(DataError, match=message):
        trajectory.through(keyframes, 100)


def test_outside_the_disc_is_moved_or_refused():
    with pytest.warns(UserWarning, match="rim"):
        course = trajectory.through([(0.0, 3.0, 4.0)], 2)
    np.testing.assert_allclose(course[0], [0.6, 0.8])
    with pytest.raises(DataError, match="origin"):
        trajectory.through([(0.0, 3.0, 4.0)], 2, outside="refuse")
    with pytest.raises(DataError, match="origin"):
        trajectory.circle(1.2, 4.0, 9, outside="refuse")
    with pytest.raises(DataError, match="period 0"):
        trajectory.circle(1.0, 0.0, 9)


def test_files_are_read(tmp_path):
    expected = trajectory.through([(0.0, "neutral"), (1.0, 0.7, 0.4)], 50)
    table, objects, lists = (tmp_path / n for n in ("a.csv", "b.json", "c.json"))
    table.write_text("time, emotion, valence, arousal\n0, neutral,,\n\n1.0,, 0.7, 0.4\n")
    rows = [{"time": 0, "emotion": "neutral"}, {"time": 1, "valence": 0.7, "arousal": 0.4}]
    objects.write_text(json.dumps(rows))
    lists.write_text(json.dumps([[0, "neutral"], [1, 0.7, 0.4]]))
    for path in (table, objects, lists):
        np.testing.assert_array_equal(trajectory.plan(path, 50), expected)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "", "a.txt"),
        ("a.csv", "", "none"),
        ("a.csv", "seconds,valence,arousal\n0,0,0\n", "time"),
        ("a.csv", "time,valence,arousal\n0,zero,0\n", "zero"),
        ("a.csv", "time,valence,arousal\n0,nan,0\n", "NaN"),
        ("a.json", "{", "JSON"),
        ("a.json", "{}", "list"),
        ("a.json", "[[0]]", "no keyframe"),
        ("a.json", "[]", "none"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        trajectory.plan(tmp_path / name, 50)


def test_missing_files_and_unknown_names_are_named(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        trajectory.plan(tmp_path / "none.csv", 50)
    with pytest.raises(DataError, match="hapy"):
        trajectory.plan("hapy", 50)
