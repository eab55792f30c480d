import numpy as np
import pytest

from emojax.emotion import circumplex, displacement, field, folds
from emojax.emotion.folds import Fold
from emojax.opencv import cv2
from tests.emotion import faces

LINE = np.stack([np.linspace(-0.5, 0.5, 11), np.zeros(11)], axis=-1)
SHAPE = (faces.SIZE, faces.SIZE, 3)


def _motion(point):
    return displacement.motion(
        faces.landmarks(), np.array(point), displacement.units_of(np.array(point))
    )


def test_a_fold_is_a_valley_with_one_bright_flank():
    y = np.linspace(-0.2, 0.2, 81)
    across = np.stack([np.zeros_like(y), y], axis=-1)
    for flank in (1, -1):
        profile = folds.relief([Fold(LINE, 0.1, 0.02, flank)], across)
        assert abs(y[np.argmin(profile)]) < 0.015
        assert -0.11 < profile.min() < -0.08
        assert np.sign(y[np.argmax(profile)]) == flank
        assert 0.02 < profile.max() < 0.05
        np.testing.assert_allclose(profile[[0, -1]], 0, atol=2e-3)


def test_a_fold_ends_softly_and_has_no_beads():
    x = np.linspace(-0.7, 0.7, 401)
    along = folds.relief([Fold(LINE, 0.1, 0.02, 1)], np.stack([x, np.zeros_like(x)], axis=-1))
    assert np.abs(np.diff(along)).max() < 2e-3
    middle = along[np.abs(x) < 0.15]
    np.testing.assert_allclose(middle, middle[0], rtol=1e-3)
    np.testing.assert_allclose(along[np.abs(x) > 0.5], 0, atol=1e-3)


def test_folds_add():
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (50, 2))
    one, two = Fold(LINE, 0.1, 0.02, 1), Fold(LINE + 0.1, 0.05, 0.03, -1)
    np.testing.assert_allclose(
        folds.relief([one, two], points),
        folds.relief([one], points) + folds.relief([two], points),
        atol=1e-6,
    )


def test_neutral_has_no_folds_and_expressions_have_their_own():
    assert folds.folds_of(_motion((0.0, 0.0))) == []
    height = {}
    for name, point in {"joy": (0.74, 0.31), "surprise": (0.31, 0.74)}.items():
        found = folds.folds_of(_motion(point))
        deepest = max(found, key=lambda fold: fold.depth)
        height[name] = deepest.curve[:, 1].mean()
        assert all(fold.depth < 0.2 for fold in found)
    assert height["joy"] > 0.3, "beside nose and mouth"
    assert height["surprise"] < -0.3, "on the forehead"


@pytest.mark.parametrize("point", circumplex.POINTS)
def test_eyes_lips_and_everything_outside_stay(point):
    motion = _motion(point)
    made = field.build(motion, SHAPE)
    picture = np.full(SHAPE, 128, np.uint8)
    folds.put_into(picture, made, motion)
    landmarks = motion.landmarks()
    for points in (range(36, 42), range(42, 48), range(48, 60)):
        mask = np.zeros(SHAPE[:2], np.uint8)
        cv2.fillPoly(mask, [np.int32(np.round(landmarks[list(points)]))], 1)
        inside = cv2.erode(mask, np.ones((3, 3), np.uint8)).astype(bool)
        np.testing.assert_array_equal(picture[inside], 128)
    outside = np.ones(SHAPE[:2], bool)
    outside[made.part] = made.window == 0
    np.testing.assert_array_equal(picture[outside], 128)
    change = np.int16(picture) - 128
    assert 1 <= np.abs(change).max() < 30


def test_lines_of_a_frown_are_filled_under_raised_brows_and_kept_in_anger():
    def line_left(point):
        motion = _motion(point)
        made = field.build(motion, SHAPE)
        picture = np.full(SHAPE, 170, np.uint8)
        p = motion.frame.to_picture(motion.controls + motion.displacements)
        middle = (p[21] + p[22]) / 2
        ends = [tuple(int(v) for v in np.add(middle, (0, dy))) for dy in (-6, 3)]
        cv2.line(picture, *ends, (120, 120, 120), 2)
        folds.put_into(picture, made, motion)
        return 170 - picture[ends[0][1] + 4, ends[0][0], 0]

    assert line_left((0.31, 0.74)) < 30
    assert line_left((-0.35, 0.35)) >= 40
