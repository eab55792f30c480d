import dataclasses
import json

import jax
import numpy as np
import pytest

from emojax.data.action_units import ActionUnits
from emojax.data.errors import DataError
from emojax.drive import expression
from tests.drive import scene

KEY = jax.random.key(0)
HEARD = (1, 4, 5, 6, 7, 45)


@pytest.fixture(scope="module")
def clip():
    return scene.clip(60)


def _write(tmp_path, content):
    path = tmp_path / "expression.json"
    path.write_text(json.dumps(content))
    return path


def test_the_clips_own_keep_their_blinks(clip):
    rows = np.array([4, 5, 6, 5, 4])
    shown = expression.plan(KEY, clip, "clip", rows, HEARD).action_units
    np.testing.assert_allclose(shown[:, -1], [0.2, 4, 0.2, 4, 0.2])
    np.testing.assert_allclose(shown[:, 0], rows / 60, rtol=1e-6)


def test_fixed_is_usual_and_blinks(clip):
    shown = expression.plan(KEY, clip, "fixed", np.zeros(500, int), HEARD).action_units
    assert np.ptp(shown[:, :-1], axis=0).max() == 0
    blink = shown[:, -1]
    assert blink.min() == pytest.approx(0.2)
    assert 3.5 < blink.max() <= 4.0  # as strong as the clip's
    closed = blink > 2
    assert 3 < np.sum(closed[1:] & ~closed[:-1]) < 16  # 26 a minute: 8.7 in 20 s


def test_a_file_replaces_what_it_names(clip, tmp_path):
    path = _write(tmp_path, {"AU01_r": np.linspace(0, 5, 250).tolist(), "AU4": 2.5})
    shown = expression.plan(KEY, clip, path, np.zeros(250, int), HEARD)
    np.testing.assert_allclose(shown.action_units[:, 0], np.linspace(0, 5, 250), rtol=1e-6)
    np.testing.assert_array_equal(shown.action_units[:, 1], 2.5)
    assert shown.action_units[:, -1].max() > 1  # blinks of its own
    path = _write(tmp_path, {"AU45_r": 0.0, "AU12_r": 1.0})
    shown = expression.plan(KEY, clip, path, np.zeros(100, int), HEARD)
    np.testing.assert_array_equal(shown.action_units[:, -1], 0)
    assert "does not show AU12_r; it shows AU01_r, AU04_r" in shown.notes[0]
    path = _write(tmp_path, {"au01_R": 2.0, "AU45": 0.0, "sound": 1.0, "AU01_c": 1.0})
    shown = expression.plan(KEY, clip, path, np.zeros(100, int), HEARD)
    np.testing.assert_array_equal(shown.action_units[:, 0], 2)
    assert "not used: sound; known are AU01_r" in shown.notes[0]


def test_a_clip_without_blinks_is_named(clip):
    values = np.ones_like(clip.action_units.values)
    still = ActionUnits(scene.UNITS, values, clip.action_units.success, "still")
    without = dataclasses.replace(clip, action_units=still)
    shown = expression.plan(KEY, without, "fixed", np.zeros(50, int), HEARD)
    assert "cannot blink" in shown.notes[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"smile": 1}, "no action unit"),
        ({"AU12_r": 1}, "columns among AU01_r, .* got AU12_r"),
        ({"AU01_r": 1, "AU_45": 1}, r"got AU_45; did you mean AU45_r\?"),
        ({"AU01_r": 7}, "from 0 to 5 in AU01"),
        ({"AU01_r": [[1], [2]]}, "from 0 to 5 in AU01"),
        ({"AU01_r": [1, 2, 3]}, "expected 50 frames"),
    ],
)
def test_what_is_no_expression_is_refused(clip, tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        expression.plan(KEY, clip, _write(tmp_path, content), np.zeros(50, int), HEARD)


def test_a_clip_that_lacks_a_unit_is_refused(clip):
    with pytest.raises(DataError, match="action unit 12"):
        expression.plan(KEY, clip, "fixed", np.zeros(5, int), (1, 12))
