import numpy as np
import pytest

from emojax.training import curriculum
from emojax.training.curriculum import Measures
from emojax.training.recipe import Window
from tests.training import small


@pytest.fixture(scope="module")
def measures():
    values = np.linspace(0, 1, 20)
    return Measures(values=np.stack([values] * 3), mouth_pixels=np.arange(20) + 1)


def _rows(stage, measures, *, seed=0, first=0, num=40):
    return curriculum.choose(seed, stage, measures, first=first, num=num).rows


def test_every_frame_comes_once_a_lap(measures):
    rows = _rows(small.face_stage(), measures)
    assert sorted(rows[:20]) == sorted(rows[20:]) == list(range(20))
    assert list(rows[:20]) != list(rows[20:])


def test_it_is_a_function_of_seed_stage_and_step(measures):
    stage = small.face_stage()
    rows = _rows(stage, measures)
    np.testing.assert_array_equal(_rows(stage, measures, first=13, num=7), rows[13:20])
    assert list(_rows(stage, measures, seed=1)) != list(rows)
    assert list(_rows(small.face_stage(name="other"), measures)) != list(rows)


def test_windows_slide(measures):
    window = Window("blink", 0, 100, 2, 100, (0.0, 0.8), (0.2, 1.0))
    stage = small.face_stage(windows=(window,))
    values = measures.values[0][_rows(stage, measures, num=100)]
    early, late = values[:20:2], values[80::2]
    assert early.max() <= 0.36
    assert late.min() >= 0.64
    assert values[1::2].std() > 0.25  # the other steps see everything


def test_a_window_that_nothing_fits_leaves_the_round_and_says_so(measures):
    window = Window("blink", 0, 10, 1, 10, (3.0, 3.0), (4.0, 4.0))
    choice = curriculum.choose(0, small.face_stage(windows=(window,)), measures, first=0, num=4)
    assert list(choice.rows) == list(_rows(small.face_stage(), measures, num=4))
    assert choice.missed == 4


def test_closed_mouths_are_left_out(measures):
    rows = _rows(small.face_stage(min_mouth_pixels=15), measures)
    assert rows.min() == 14
    assert len(set(_rows(small.face_stage(min_mouth_pixels=99), measures))) == 20


def test_measures_of_a_clip(clip):
    found = curriculum.measure(clip)
    assert found.values.shape == (3, clip.num_train)
    unit, opening, blink = found.values
    assert unit.max() == pytest.approx(1)
    assert opening.max() == pytest.approx(1)
    assert blink.min() >= 0
    assert blink.max() <= 1
    # The drawn mouth's unit and its lips agree.
    assert np.corrcoef(unit, opening)[0, 1] > 0.9
    assert np.corrcoef(found.mouth_pixels, opening)[0, 1] > 0.9
