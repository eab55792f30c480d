import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.emotion import circumplex, displacement, field, warp
from tests.emotion import faces

PICTURE = faces.picture(gap=6.0)
LANDMARKS = faces.landmarks(gap=6.0)


def _warp(point, picture=PICTURE, landmarks=LANDMARKS, **options):
    point = np.array(point, np.float32)
    return warp.warp(picture, landmarks, point, displacement.units_of(point), **options)


def test_neutral_is_the_picture_itself():
    done = _warp((0.0, 0.0))
    np.testing.assert_array_equal(done.picture, PICTURE)
    np.testing.assert_allclose(done.landmarks, LANDMARKS, atol=1e-9)


@pytest.mark.parametrize("point", circumplex.POINTS)
def test_outside_of_the_face_not_one_grey_level_changes(point):
    done = _warp(point)
    outside = np.ones(PICTURE.shape[:2], bool)
    outside[done.field.part] = done.field.window == 0
    np.testing.assert_array_equal(done.picture[outside], PICTURE[outside])
    assert np.any(done.picture != PICTURE)
    assert done.gain == 1.0


def test_the_opening_of_the_mouth_is_copied_column_by_column():
    done = _warp((0.74, 0.31), with_folds=False)
    x = round(LANDMARKS[62, 0])
    rows = slice(int(LANDMARKS[62, 1]) - 3, int(LANDMARKS[66, 1]) + 4)
    before, after = (p[rows, x].astype(float) for p in (PICTURE, done.picture))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.98


def test_landmarks_say_where_the_picture_went():
    """A dark dot beside the mouth's corner is found where its landmark went."""
    picture = np.full_like(PICTURE, 200)
    x, y = np.round(LANDMARKS[54]).astype(int)
    landmarks = np.array(LANDMARKS)
    landmarks[54] = x, y
    picture[y - 2 : y + 3, x - 2 : x + 3] = 20
    done = _warp((0.74, 0.31), picture, landmarks, with_folds=False)
    dark = 200 - done.picture[..., 0].astype(float)
    dark[dark < 60] = 0
    found = (
        np.array([(dark.sum(axis) * np.arange(faces.SIZE)).sum() for axis in (0, 1)]) / dark.sum()
    )
    assert np.linalg.norm(done.landmarks[54] - (x, y)) > 3
    np.testing.assert_allclose(found, done.landmarks[54], atol=0.7)


def test_a_gain_that_would_fold_is_taken_back():
    done = _warp((0.31, 0.74), gain=4.0)
    assert done.gain < 4.0
    assert done.field.least_stretch >= warp.LEAST_STRETCH


def test_labels_move_with_the_picture():
    labels = np.uint8(PICTURE[..., 0] > 128)
    done = _warp((0.31, 0.74), labels=labels)
    assert set(np.unique(done.labels)) <= {0, 1}
    assert np.any(done.labels != labels)
    outside = np.ones(labels.shape, bool)
    outside[done.field.part] = done.field.window == 0
    np.testing.assert_array_equal(done.labels[outside], labels[outside])


def test_a_head_on_its_side_gets_the_same_expression():
    upright = _warp((0.74, 0.31), faces.picture(), faces.landmarks())
    tilted = _warp((0.74, 0.31), faces.picture(roll=0.4), faces.landmarks(roll=0.4))
    cos, sin = np.cos(0.4), np.sin(0.4)
    turn = np.array([[cos, sin], [-sin, cos]])
    moves = [d.landmarks - x for d, x in
             ((upright, faces.landmarks()), (tilted, faces.landmarks(roll=0.4)))]  # fmt: skip
    np.testing.assert_allclose(moves[0] @ turn, moves[1], atol=1e-6)


@pytest.mark.parametrize("shift", [(0.0, 110.0), (95.0, 0.0)])
def test_a_face_cut_off_by_the_border_is_moved_all_the_same(shift):
    landmarks = faces.landmarks() + np.array(shift) * 0.8
    done = _warp((-0.74, 0.31), faces.picture(), landmarks)
    assert done.picture.shape == faces.picture().shape
    assert np.any(done.picture != faces.picture())


@pytest.mark.parametrize(
    ("picture", "landmarks", "words"),
    [
        (np.uint16(PICTURE) * 256, LANDMARKS, "uint16"),
        (np.dstack([PICTURE, PICTURE[..., :1]]), LANDMARKS, r"\[256, 256, 4\]"),
        (PICTURE, np.full((68, 2), np.nan), "without landmarks"),
        (PICTURE, LANDMARKS * 0.1, "tiny"),
        (PICTURE, LANDMARKS + 400, "cut off"),
    ],
)
def test_what_cannot_be_warped_is_refused(picture, landmarks, words):
    with pytest.raises(DataError, match=words):
        _warp((0.5, 0.5), picture, landmarks)


def test_sources_of_a_still_field_are_the_pixels():
    still = field.Field(3, 5, np.zeros((2, 4, 2), np.float32), np.ones((2, 4), np.float32), 1.0)
    places = warp.sources(still)
    np.testing.assert_array_equal(places[1, 2], [7, 4])
