import numpy as np
import pytest

from emojax.data import face68
from emojax.emotion import anatomy, circumplex, displacement
from tests.emotion import faces

UNIT = anatomy.head_frame(faces.landmarks()).unit


def _units(**levels):
    units = np.zeros(len(circumplex.ACTION_UNITS))
    for name, level in levels.items():
        units[circumplex.ACTION_UNITS.index(int(name[1:]))] = level
    return units


def _way(units, *, point=(0.0, 0.0), landmarks=None, **options):
    landmarks = faces.landmarks() if landmarks is None else landmarks
    motion = displacement.motion(landmarks, np.array(point), units, **options)
    return motion.displacements


def test_neutral_moves_nothing():
    units = displacement.units_of(np.zeros(2))
    motion = displacement.motion(faces.landmarks(), np.zeros(2), units)
    np.testing.assert_allclose(motion.displacements, 0, atol=1e-12)
    np.testing.assert_allclose(motion.landmarks(), faces.landmarks(), atol=1e-9)


def test_every_unit_but_the_lips_opening_moves_something():
    for unit in circumplex.ACTION_UNITS:
        moved = np.abs(_way(_units(**{f"a{unit}": 1.0}))).max()
        if unit in circumplex.OPENING:
            assert moved == 0, "speech owns the opening"
        else:
            assert moved > 0.01, unit


@pytest.mark.parametrize("point", circumplex.POINTS)
def test_the_gap_of_the_lips_stays_at_every_test_point(point):
    landmarks = faces.landmarks(gap=5.0)
    motion = displacement.motion(landmarks, np.array(point), displacement.units_of(point))
    gaps = [x[66] - x[62] for x in (landmarks, motion.landmarks())]
    np.testing.assert_allclose(*gaps, atol=3e-3)  # pixels


def test_both_halves_mirror_each_other_but_for_contempt():
    for unit in (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 17, 20, 23, 45):
        way = _way(_units(**{f"a{unit}": 1.0}))[:68]
        np.testing.assert_allclose(way, way[face68.MIRROR] * [-1, 1], atol=1e-9, err_msg=str(unit))
    dimple = _way(_units(a14=1.0))
    assert abs(dimple[54, 0]) > 3 * abs(dimple[48, 0]) > 0


@pytest.mark.parametrize(
    ("point", "moves"),
    [
        ((0.74, 0.31), {48: (-1, -1), 54: (1, -1)}),  # joy: corners out and up
        ((-0.74, -0.31), {48: (0, 1), 54: (0, 1), 21: (0, -1), 22: (0, -1)}),  # sadness
        ((0.31, 0.74), {19: (0, -1), 24: (0, -1), 37: (0, -1), 44: (0, -1)}),  # surprise
        ((-0.35, 0.35), {21: (1, 1), 22: (-1, 1), 37: (0, -1)}),  # anger
        ((0.31, -0.74), {37: (0, 1), 44: (0, 1), 19: (0, 1)}),  # calm: lids hang
    ],
)
def test_expressions_go_where_facs_says(point, moves):
    way = _way(displacement.units_of(point), point=point)
    for landmark, signs in moves.items():
        for axis, sign in enumerate(signs):
            if sign:
                assert way[landmark, axis] * sign > 0.008, (landmark, axis)


def test_displacements_have_no_jump_between_directions_and_radii():
    angle = np.linspace(0, 2 * np.pi, 720)
    points = 0.8 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    units = displacement.units_of(points)
    ways = np.stack([_way(u, point=p) for u, p in zip(units, points, strict=True)])
    # Half a degree apart; rows of the table, 22.5 degrees apart, differ by up to 0.1.
    assert np.abs(np.diff(ways, axis=0)).max() < 0.01


def test_lids_keep_within_their_limits():
    for gap in np.linspace(0.02, 0.2, 10):
        landmarks = np.array(faces.landmarks())
        for upper, lower in face68.LID_PAIRS:
            landmarks[lower, 1] = landmarks[upper, 1] + gap * UNIT
        for levels in ({"a5": 1.0, "a1": 1.0, "a2": 1.0}, {"a45": 1.0, "a7": 1.0, "a6": 1.0}):
            frame = anatomy.head_frame(landmarks)
            way = _way(_units(**levels), landmarks=landmarks)[:68]
            head = frame.to_head(landmarks)
            for upper, lower in face68.LID_PAIRS:
                old = head[lower, 1] - head[upper, 1]
                new = old + way[lower, 1] - way[upper, 1]
                assert new >= displacement.LEAST_OPENING * old - 1e-6
                assert (
                    new
                    <= min(displacement.MOST_OPENING * old, old + displacement.MORE_OPENING) + 1e-6
                )


def test_a_blink_is_not_torn_open():
    landmarks = np.array(faces.landmarks())
    for upper, lower in face68.LID_PAIRS:
        landmarks[lower, 1] = landmarks[upper, 1] + 0.03 * UNIT
    way = _way(_units(a5=1.0), landmarks=landmarks)
    np.testing.assert_allclose(way[[37, 38, 43, 44], 1], 0, atol=1e-9)
    assert _way(_units(a5=1.0))[37, 1] < -0.02


def test_corners_of_a_wide_open_mouth_rise_less():
    still, wide = (_way(_units(a12=1.0), landmarks=faces.landmarks(gap=g)) for g in (0.0, 22.0))
    assert 0.3 * still[48, 1] > wide[48, 1] > 0.6 * still[48, 1]
    np.testing.assert_allclose(wide[48, 0], still[48, 0], rtol=0.02)


def test_who_smiles_at_rest_is_sad_all_the_same():
    point = (-0.74, -0.31)
    units = displacement.units_of(point)
    plain, smiler = (_way(units, point=point, resting_lift=x)[48, 1] for x in (0.0, 0.09))
    assert smiler == pytest.approx(plain + 0.6 * 0.09)
    happy = (0.74, 0.31)
    ways = [_way(displacement.units_of(happy), point=happy, resting_lift=x) for x in (0.0, 0.09)]
    np.testing.assert_allclose(*ways)


def test_the_lift_of_corners_is_measured_upwards():
    points = np.array(faces.landmarks())
    before = displacement.corner_lift(points)
    points[[48, 54], 1] -= 0.1 * UNIT
    assert displacement.corner_lift(points) == pytest.approx(before + 0.1)


def test_the_gain_multiplies():
    units = _units(a1=0.4, a12=0.5)
    np.testing.assert_allclose(_way(units, gain=0.5), 0.5 * _way(units), atol=1e-9)


def test_a_turned_head_moves_less_on_the_far_side():
    points = np.array(faces.landmarks())
    points[27, 0] -= 0.1 * UNIT
    way = _way(_units(a12=1.0), landmarks=points)
    assert abs(way[54, 0]) > 1.2 * abs(way[48, 0])
