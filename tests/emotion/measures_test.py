"""Lengths of a face: what changes them and what does not."""

import numpy as np
import pytest

from emojax.data import face68
from emojax.emotion import measures

# The mean shape, as a picture has it: y down.
FACE = face68.MEAN_SHAPE[:, :2] * (1, -1) + 100


def _moved(face, which, shift):
    moved = np.array(face, float)
    moved[list(which)] += shift
    return moved


def test_where_the_face_is_how_large_and_how_tilted_does_not_matter():
    angle = 0.3
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    other = 2.5 * FACE @ turn.T + (40, -7)
    np.testing.assert_allclose(measures.measure(other), measures.measure(FACE), atol=1e-9)


def test_the_eyes_corners_are_the_unit():
    frame = measures.face_frame(FACE)
    np.testing.assert_allclose(frame[36], [-0.5, 0], atol=1e-12)
    np.testing.assert_allclose(frame[45], [0.5, 0], atol=1e-12)
    assert frame[8, 1] < frame[57, 1] < frame[33, 1] < 0 < frame[19, 1]


@pytest.mark.parametrize(
    ("name", "which", "shift", "sign"),
    [
        ("inner brow", (20, 21, 22, 23), (0, -3), 1),
        ("outer brow", (17, 18, 25, 26), (0, -3), 1),
        ("brow gap", (22,), (-3, 0), -1),
        ("eye opening", (37, 38, 43, 44), (0, -2), 1),
        ("mouth width", (54,), (4, 0), 1),
        ("corner height", (48, 54), (0, -3), 1),
        ("upper lip", (50, 51, 52), (0, -2), -1),
        ("lower lip", (56, 57, 58), (0, -2), 1),
        ("lip opening", (65, 66, 67), (0, 4), 1),
    ],
)
def test_each_length_follows_its_points(name, which, shift, sign):
    place = measures.NAMES.index(name)
    before, after = (measures.measure(f) for f in (FACE, _moved(FACE, which, shift)))
    assert sign * (after - before)[place] > 0.005


def test_batches_have_leading_axes():
    several = np.stack([FACE, FACE * 2, FACE + 5])[:, None]
    assert measures.measure(several).shape == (3, 1, len(measures.NAMES))


@pytest.mark.parametrize("bad", [np.zeros((67, 2)), np.zeros((68, 2)), np.full((68, 2), np.nan)])
def test_what_is_no_face_is_refused(bad):
    with pytest.raises(ValueError, match="landmarks"):
        measures.measure(bad)
