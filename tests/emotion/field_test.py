import numpy as np
import pytest

from emojax.emotion import circumplex, displacement, field
from tests.emotion import faces

SHAPE = (faces.SIZE, faces.SIZE, 3)


def _motion(point, **options):
    return displacement.motion(
        faces.landmarks(), np.array(point), displacement.units_of(np.array(point)), **options
    )


def test_the_field_is_the_backward_displacement_at_the_moved_points():
    motion = _motion((0.31, 0.74))
    centres, weights = field.fit(motion)
    np.testing.assert_allclose(
        field.evaluate(centres, weights, centres), -motion.displacements, atol=8e-3
    )


def test_it_vanishes_far_from_all_points():
    centres, weights = field.fit(_motion((0.31, 0.74)))
    far = np.array([[5.0, 5.0], [-4.0, 0.0]])
    np.testing.assert_array_equal(field.evaluate(centres, weights, far), 0)


@pytest.mark.parametrize("point", circumplex.POINTS)
def test_no_test_point_comes_near_a_fold(point):
    assert field.build(_motion(point), SHAPE).least_stretch > 0.4


def test_a_caricature_folds_and_says_so():
    assert field.build(_motion((0.31, 0.74), gain=4.0), SHAPE).least_stretch < 0.2


def test_outside_of_the_face_nothing_moves():
    motion = _motion((0.31, 0.74))
    moved = field.build(motion, SHAPE)
    np.testing.assert_array_equal(moved.shift[moved.window == 0], 0)
    whole = np.zeros(SHAPE[:2])
    whole[moved.part] = moved.window
    polygon, cell = field.outline(motion), int(motion.frame.unit / field.STEPS) + 2
    assert whole[int(polygon[8, 1]) + cell :].max() == 0, "under the chin"
    assert whole[:, : int(polygon[:, 0].min()) - cell].max() == 0
    nose = faces.landmarks()[30].astype(int)
    assert whole[nose[1], nose[0]] == 1


def test_the_coarse_grid_is_near_the_exact_field():
    motion = _motion((-0.31, 0.74))
    moved = field.build(motion, SHAPE)
    rng = np.random.default_rng(0)
    height, width = moved.window.shape
    x, y = rng.integers(0, width, 500), rng.integers(0, height, 500)
    inside = moved.window[y, x] == 1
    x, y = x[inside], y[inside]
    pixels = np.stack([x + moved.left, y + moved.top], axis=-1)
    exact = motion.frame.vectors(field.evaluate(*field.fit(motion), motion.frame.to_head(pixels)))
    error = np.abs(exact - moved.shift[y, x])
    assert np.sqrt((error**2).mean()) < 0.06
    assert error.max() < 0.8


def test_the_picture_s_border_stays_where_it_is():
    landmarks = np.add(faces.landmarks(), [0, 60.0])
    motion = displacement.motion(
        landmarks, np.array([-0.74, 0.31]), displacement.units_of(np.array([-0.74, 0.31]))
    )
    moved = field.build(motion, SHAPE)
    assert moved.part[0].stop == faces.SIZE
    assert np.abs(moved.shift[-1]).max() < 0.1
    assert np.abs(moved.shift).max() > 1


def test_a_face_outside_of_the_picture_has_no_field():
    landmarks = np.add(faces.landmarks(), [1000.0, 0])
    motion = displacement.motion(landmarks, np.zeros(2), displacement.units_of(np.zeros(2)))
    assert field.build(motion, SHAPE) is None
