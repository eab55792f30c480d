import numpy as np
import pytest

from emojax.emotion import displacement, field, mouth
from emojax.emotion.displacement import Mouth
from tests.emotion import faces

SHEARS = [
    Mouth(0.0, 0.5, np.array([-0.09, 0.09]), np.array([-0.09, -0.09])),
    Mouth(0.03, 0.4, np.array([0.03, -0.04]), np.array([0.07, 0.05])),
]


@pytest.mark.parametrize("shear", SHEARS)
def test_the_inverse_undoes_the_shear(shear):
    rng = np.random.default_rng(0)
    points = rng.uniform((-0.4, 0.9), (0.4, 1.4), (200, 2))
    across, down = shear.shift(points[:, 0])
    moved = points + np.stack([across, down], axis=-1)
    np.testing.assert_allclose(mouth.source_of(shear, moved), points, atol=1e-4)


@pytest.mark.parametrize("shear", SHEARS)
def test_a_column_moves_as_a_whole(shear):
    column = np.stack([np.full(5, 0.2), np.linspace(0.9, 1.3, 5)], axis=-1)
    came = mouth.source_of(shear, column)
    np.testing.assert_allclose(came[:, 0], came[0, 0])
    np.testing.assert_allclose(np.diff(came[:, 1]), np.diff(column[:, 1]))


def test_corners_go_the_whole_way_and_the_middle_stays():
    shear = SHEARS[0]
    across, down = shear.shift(np.array([-0.5, 0.0, 0.5]))
    np.testing.assert_allclose(across, [-0.09, 0, 0.09])
    np.testing.assert_allclose(down, [-0.09, 0, -0.09])


def _field(point, **face):
    landmarks = faces.landmarks(**face)
    motion = displacement.motion(landmarks, np.array(point), displacement.units_of(np.array(point)))
    made = field.build(motion, (faces.SIZE, faces.SIZE, 3))
    before = made.shift.copy()
    mouth.put_into(made, motion)
    return made, before, motion


def test_between_the_lips_the_field_is_the_shear_and_far_away_what_it_was():
    made, before, motion = _field((0.74, 0.31), gap=8.0)
    lips = motion.landmarks()[60:68]
    x = np.arange(int(lips[:, 0].min()) + 2, int(lips[:, 0].max()) - 2)
    y = np.full_like(x, int(lips[[62, 66][0] - 60 : [62, 66][0] - 59, 1][0] + 4))
    points = motion.frame.to_head(np.stack([x, y], axis=-1))
    sheared = motion.frame.vectors(mouth.source_of(motion.mouth, points) - points)
    middle = slice(len(x) // 4, -len(x) // 4)
    found = made.shift[y - made.top, x - made.left]
    np.testing.assert_allclose(found[middle], sheared[middle], atol=3e-3)
    changed = np.flatnonzero(np.abs(made.shift - before).max(axis=(1, 2)))
    assert changed.min() + made.top > faces.landmarks()[33, 1], "nothing over the nose"


def test_shut_lips_are_sheared_too():
    made, before, _motion = _field((0.74, 0.31), gap=-4.8)
    assert np.abs(made.shift - before).max() > 0.01
    assert np.isfinite(made.shift).all()
