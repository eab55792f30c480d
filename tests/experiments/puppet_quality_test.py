"""The judge's own measures; what it says of the puppet stands in benchmarks/puppet_quality.json."""

import types

import jax
import numpy as np
import pytest

from emojax.data import face68
from emojax.puppet import controls
from tests.experiments import command

quality = command.module("puppet_quality")
FACE = face68.MEAN_SHAPE[:, :2] * [1, -1] + 128.0


def _turned(points, angle):
    cos, sin = np.cos(angle), np.sin(angle)
    return (points - 128) @ np.array([[cos, sin], [-sin, cos]]) * 1.3 + 140


def test_in_a_clip_everything_moves_within_its_limits():
    clip = quality.perform(jax.random.key(0), 60)
    units = np.asarray(clip.action_units)
    assert units.shape == (60, 17)
    assert units.min() >= 0
    assert units.max() <= 5
    for number in (1, 2, 4, 6, 12, 15, 20, 25, 26, 45):
        assert np.ptp(units[:, controls.unit(number)]) > 0.5, number
    assert np.abs(clip.rotation[:, 1]).max() <= quality.YAW
    other = quality.perform(jax.random.key(1), 60)
    assert not np.array_equal(clip.rotation, other.rotation)


def test_measures_do_not_change_with_size_and_roll():
    upright, turned = (quality.measures(_turned(FACE, a)[None]) for a in (0.0, 0.3))
    for name, value in upright.items():
        np.testing.assert_allclose(turned[name], value, atol=1e-9, err_msg=name)
        np.testing.assert_allclose(quality.measures(FACE[None])[name], value, atol=1e-9)


@pytest.mark.parametrize(
    ("points", "shift", "name"),
    [
        (face68.INNER_LIP[5:], (0, 5), "opening"),
        ((48,), (-5, 0), "width"),
        ((48, 54), (0, -5), "corners"),
        (face68.BROWS, (0, -5), "brow"),
        ((37, 38, 43, 44), (0, -2), "lids"),
    ],
)
def test_a_measure_grows_with_what_it_measures(points, shift, name):
    moved = FACE.copy()
    moved[list(points)] += shift
    rest, acted = (quality.measures(each[None]) for each in (FACE, moved))
    grown = {each for each in rest if acted[each][0] - rest[each][0] > 0.01}
    assert grown == {name}


def test_only_frames_with_one_face_are_judged(monkeypatch):
    box = types.SimpleNamespace(
        left=lambda: 10, right=lambda: 50, top=lambda: 20, width=lambda: 40, bottom=lambda: 60
    )
    seen = []

    def predict(frame, where, predictor):
        seen.append(where)
        return FACE

    monkeypatch.setattr(quality.landmarks, "predict", predict)
    faces = iter([[box], [], [box, box]])
    counts, points = quality.judge(np.zeros((3, 8, 8, 3), np.uint8), lambda _: next(faces), None)
    np.testing.assert_array_equal(counts, [1, 0, 2])
    np.testing.assert_array_equal(seen, [[30, 40, 40]])
    np.testing.assert_array_equal(points[0], FACE)
    assert np.isnan(points[1:]).all()


def test_the_judge_finds_a_puppet(tmp_path):
    pytest.importorskip("dlib", reason="needs the extra face: dlib-bin")
    out = tmp_path / "quality.json"
    flags = ("--people=1", "--frames=8", "--size=96", "--samples=1")
    done = command.run("puppet_quality", f"--out={out}", f"--sheets={tmp_path}", *flags)
    assert done.returncode == 0, done.stderr
    assert "asked >=  0.99" in done.stdout
    assert (tmp_path / "person_0.png").exists()


def test_a_place_that_cannot_be_written_to_is_named_before_any_work(tmp_path):
    pytest.importorskip("dlib", reason="needs the extra face: dlib-bin")
    (tmp_path / "file").touch()
    done = command.run("puppet_quality", f"--out={tmp_path / 'file' / 'quality.json'}")
    assert done.returncode == 1
    assert done.stderr.startswith("puppet_quality: expected a place to write to")
