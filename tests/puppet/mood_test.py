import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.emotion import circumplex
from emojax.puppet import mood


def test_no_emotion_is_the_origin():
    assert not mood.neutral(7).any()
    assert not mood.course("neutral", 0)(7).any()


def test_everyday_moods_are_mild_slow_and_go_around():
    values = np.concatenate([mood.everyday(seed)(1500) for seed in range(8)])
    radius = np.linalg.norm(values, axis=-1)
    assert radius.max() <= 0.45 + 1e-6
    assert radius.mean() > 0.15
    quarters = np.unique(np.sign(values[radius > 0.1]), axis=0)
    assert len(quarters) >= 4
    steps = np.abs(np.diff(mood.everyday(0)(1500), axis=0))
    assert steps.max() < 0.03


def test_a_minute_of_everyday_moves_every_unit_of_the_upper_face():
    values = mood.everyday(7)(1500)
    shown = np.asarray(circumplex.action_units(*values.T))
    moves = shown.std(axis=0) > 0.02
    names = [circumplex.ACTION_UNITS[k] for k in np.flatnonzero(moves)]
    assert {1, 4, 5, 6, 7, 12} <= set(names)


def test_the_same_seed_gives_the_same_moods_whatever_the_length():
    np.testing.assert_array_equal(mood.everyday(3)(50), mood.everyday(3)(200)[:50])
    assert not np.array_equal(mood.everyday(3)(50), mood.everyday(4)(50))


def test_points_classes_and_files_are_understood(tmp_path):
    np.testing.assert_allclose(mood.course("0.3,-0.4", 0)(2), [[0.3, -0.4]] * 2, rtol=1e-6)
    np.testing.assert_allclose(mood.course("happy", 0)(1)[0], circumplex.centre("happy"), atol=1e-3)
    path = tmp_path / "moods.csv"
    path.write_text("time, emotion\n0, neutral\n1, happy\n")
    course = mood.course(str(path), 0)(26)
    assert not course[0].any()
    np.testing.assert_allclose(course[25], circumplex.centre("happy"), atol=1e-3)
    with pytest.raises(DataError, match=r"within the sound's 0\.40 s"):
        mood.course(str(path), 0)(10)


@pytest.mark.parametrize("text", ["hapy", "a,b", "1,2,3", ""])
def test_other_words_are_refused(text):
    with pytest.raises(DataError):
        mood.course(text, 0)


def test_points_outside_the_disc_are_clipped_with_a_warning_or_refused():
    with pytest.warns(UserWarning, match="outside the disc"):
        course = mood.course("0.9,0.9", 0)
    np.testing.assert_allclose(np.linalg.norm(course(1)), 1, rtol=1e-6)
    with pytest.raises(DataError, match="at most 1 from the origin"):
        mood.course("0.9,0.9", 0, outside="refuse")
