import numpy as np

from emojax.data import face68
from emojax.emotion import circumplex, displacement, eyes
from emojax.opencv import cv2
from tests.emotion import faces

SIZE = 512


def _motion(landmarks, **levels):
    units = np.zeros(len(circumplex.ACTION_UNITS))
    for name, level in levels.items():
        units[circumplex.ACTION_UNITS.index(int(name[1:]))] = level
    return displacement.motion(landmarks, np.zeros(2), units)


def _shown(landmarks, **levels):
    """Eyes put on a grey picture: what of the frame comes through."""
    source = np.array(faces.picture(size=SIZE))
    picture = np.full_like(source, 77)
    motion = _motion(landmarks, **levels)
    eyes.put_into(picture, source, motion)
    return picture, source, motion


def _opening(motion, *, after, grow=0.0):
    points = motion.landmarks() if after else motion.frame.to_picture(motion.controls[:68])
    mask = np.zeros((SIZE, SIZE), np.uint8)
    for eye in (face68.RIGHT_EYE, face68.LEFT_EYE):
        centre = points[list(eye)].mean(axis=0)
        line = centre + (points[list(eye)] - centre) * (1 + grow)
        cv2.fillPoly(mask, [np.int32(np.round(line))], 1)
    return mask.astype(bool)


def test_the_eyeball_stays_where_it_is_between_hanging_lids():
    picture, source, motion = _shown(faces.landmarks(size=SIZE), a45=0.4)
    changed = np.any(picture != 77, axis=-1)
    core = _opening(motion, after=True, grow=-0.45)
    assert core.sum() > 50
    np.testing.assert_array_equal(picture[core], source[core])
    assert not changed[~_opening(motion, after=True, grow=0.25)].any(), "nothing over the lids"


def test_rows_under_a_lifted_lid_are_filled_without_lid_or_highlight():
    landmarks = faces.landmarks(size=SIZE)
    source = np.array(faces.picture(size=SIZE))
    motion = _motion(landmarks, a5=1.0)
    for eye in (face68.RIGHT_EYE, face68.LEFT_EYE):  # a catch-light under the old lid
        x, y = landmarks[list(eye)].mean(axis=0) - (0, 4)
        cv2.circle(source, (round(x), round(y)), 2, (255, 255, 255), -1)
    picture = np.full_like(source, 77)
    eyes.put_into(picture, source, motion)
    bare = _opening(motion, after=True, grow=-0.1) & ~_opening(motion, after=False)
    upper = np.arange(SIZE)[:, None] < landmarks[list(face68.EYES), 1].mean()
    found = picture[bare & upper]
    assert len(found) > 20
    skin = np.array([205, 160, 135])
    assert np.abs(found - skin).max(axis=-1).min() > 25, "no skin"
    assert found.max() < 240, "no second catch-light"


def test_shut_eyes_and_resting_eyes_are_left_alone():
    landmarks = np.array(faces.landmarks(size=SIZE))
    for upper, lower in face68.LID_PAIRS:
        landmarks[lower, 1] = landmarks[upper, 1] + 2
    picture, _, _ = _shown(landmarks, a5=1.0)
    assert (picture == 77).all()
    picture, _, _ = _shown(faces.landmarks(size=SIZE))
    assert (picture == 77).all()


def test_an_eye_at_the_picture_s_border_does_no_harm():
    landmarks = np.array(faces.landmarks(size=SIZE))
    landmarks -= [landmarks[36, 0] + 6, 0]
    picture, _, _ = _shown(landmarks, a5=1.0)
    assert (picture != 77).any()
    landmarks -= [5000, 0]
    picture, _, _ = _shown(landmarks, a5=1.0)
    assert (picture == 77).all()
