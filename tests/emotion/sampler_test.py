import json
import pathlib

import jax
import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.emotion import circumplex, sampler


def test_the_disc_is_filled_evenly():
    points = np.asarray(sampler.uniform(jax.random.key(0), 4000))
    radius = np.hypot(*points.T)
    assert radius.max() <= 1
    # Half of the disc's area lies beyond 0.707.
    assert np.mean(radius > 0.5**0.5) == pytest.approx(0.5, abs=0.03)
    for sign in (points > 0).T:
        assert sign.mean() == pytest.approx(0.5, abs=0.03)


def test_a_ring_keeps_to_its_radii_and_one_key_gives_one_draw():
    points = np.asarray(sampler.uniform(jax.random.key(1), 500, inner=0.3, outer=0.8))
    radius = np.hypot(*points.T)
    assert radius.min() >= 0.3 - 1e-6
    assert radius.max() <= 0.8 + 1e-6
    again = np.asarray(sampler.uniform(jax.random.key(1), 500, inner=0.3, outer=0.8))
    np.testing.assert_array_equal(points, again)


def test_the_circle_has_the_test_points():
    np.testing.assert_allclose(sampler.circle(8), _by_angle(circumplex.POINTS[:8]), atol=6e-3)
    np.testing.assert_allclose(
        sampler.circle(4, radius=0.5, start=45.0), _by_angle(circumplex.POINTS[8:]), atol=6e-3
    )


def _by_angle(points):
    return sorted(points, key=lambda p: np.arctan2(p[1], p[0]) % (2 * np.pi))


def test_the_grid_reads_like_the_disc():
    points = sampler.grid(5)
    assert len(points) == 13
    np.testing.assert_array_equal(points[0], [0, 1])
    np.testing.assert_array_equal(points[-1], [0, -1])
    assert np.hypot(*points.T).max() <= 1
    np.testing.assert_array_equal(sampler.grid(1), [[0, 0]])


def test_quantized_points_lie_on_the_lattice():
    points = sampler.quantize(np.array([[0.74, -0.31], [0.02, 0.0]]), 0.05)
    np.testing.assert_allclose(points, [[0.75, -0.3], [0, 0]], atol=1e-6)
    np.testing.assert_array_equal(
        sampler.quantize(np.array([0.123, 0.4]), 0), np.float32([0.123, 0.4])
    )


def test_files_of_both_kinds_give_points_and_labels(tmp_path):
    (tmp_path / "a.csv").write_text("valence, arousal, label\n0.5, 0.1, slight smile\n\n-0.2, 0,\n")
    (tmp_path / "b.json").write_text(
        json.dumps([[0.5, 0.1], {"valence": -0.2, "arousal": 0, "label": "low"}])
    )
    for name, labels in (("a.csv", ("slight smile", "")), ("b.json", ("", "low"))):
        points, found = sampler.read(tmp_path / name)
        np.testing.assert_allclose(points, [[0.5, 0.1], [-0.2, 0]])
        assert found == labels


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "", "got none"),
        ("a.csv", "valence,arousal\n", "got none"),
        ("a.csv", "valence,arousal\n0.1,x\n", "row 1"),
        ("a.csv", "v,a\n0.1,0.2\n", "row 1"),
        ("a.csv", "valence,arousal\n0.1,nan\n", "NaN"),
        ("a.json", "[[0.1", "JSON"),
        ("a.json", "[3]", "row 1"),
        ("a.json", "[[0.1]]", "row 1"),
    ],
)
def test_files_without_points_are_refused(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=words):
        sampler.read(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="points in"):
        sampler.read(tmp_path / "none.csv")


def test_points_outside_are_clipped_with_a_warning_or_refused(tmp_path):
    (tmp_path / "a.csv").write_text("valence,arousal\n1,1\n")
    with pytest.warns(UserWarning, match="rim"):
        points, _ = sampler.read(tmp_path / "a.csv")
    assert np.hypot(*points[0]) == pytest.approx(1, abs=1e-6)
    with pytest.raises(DataError, match="origin"):
        sampler.read(tmp_path / "a.csv", outside="refuse")


def test_the_file_of_test_points_has_the_test_points_and_known_classes():
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    points, labels = sampler.read(root / "experiments" / "configs" / "test_points.csv")
    np.testing.assert_allclose(points, circumplex.POINTS, atol=1e-6)
    assert set(labels) <= set(circumplex.CLASSES)
