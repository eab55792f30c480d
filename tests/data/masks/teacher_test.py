import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.data.labels import Label
from emojax.data.masks import teacher
from tests.data import actor


@pytest.fixture(scope="module")
def film():
    return actor.film(num_frames=4, size=256, seed=1)


def _iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def test_the_person_is_cut_out(film):
    palette = teacher.fit_palette(list(film.images), film.landmarks)
    for image, landmarks, labels in zip(film.images, film.landmarks, film.labels, strict=True):
        person = teacher.person(image, landmarks, palette)
        assert _iou(person, labels != Label.BACKGROUND) > 0.95
        np.testing.assert_array_equal(person, teacher.person(image, landmarks, palette))


def test_regions_are_right_where_they_are_decided(film):
    images, truth = list(film.images), film.labels[0]
    people = [labels != Label.BACKGROUND for labels in film.labels]
    skin = teacher.fit_skin(images, film.landmarks)
    hair = teacher.fit_hair(images, film.landmarks, people)
    found = teacher.regions(images[0], film.landmarks[0], people[0], skin, hair)
    truth = np.where((truth == Label.MOUTH) | (truth == Label.TEETH), np.uint8(Label.FACE), truth)
    decided = found != teacher.UNDECIDED
    assert decided.mean() > 0.9
    assert (found == truth)[decided].mean() > 0.97
    for label in (Label.FACE, Label.HAIR, Label.NECK, Label.TORSO):
        assert _iou((found == label) & decided, (truth == label) & decided) > 0.85, label


def test_the_palette_tells_room_and_clothes_apart():
    wall, cloth = (30, 90, 160), (120, 30, 40)
    landmarks = actor.film(num_frames=1, size=256).landmarks
    picture = np.full((256, 256, 3), wall, np.uint8)
    picture[int(landmarks[0, 8, 1]) :] = cloth
    palette = teacher.fit_palette([picture], landmarks)
    (at_wall,), (at_cloth,) = (teacher._bins(np.array([color])) for color in (wall, cloth))
    assert (palette.room[at_wall], palette.clothes[at_wall]) == (True, False)
    assert (palette.room[at_cloth], palette.clothes[at_cloth]) == (False, True)


def test_a_bald_head_is_no_hair(film):
    skin = teacher.fit_skin(list(film.images), film.landmarks)
    # Skin all over: the top of the head looks as the cheeks do.
    image = np.full(
        (256, 256, 3), np.median(film.images[0][120:150, 100:150], axis=(0, 1)), np.uint8
    )
    person = film.labels[0] != Label.BACKGROUND
    hair = teacher.fit_hair([image], film.landmarks[:1], [person])
    found = teacher.regions(image, film.landmarks[0], person, skin, hair)
    assert (found == Label.HAIR).mean() < 0.01


def test_a_face_outside_the_picture_is_refused(film):
    with pytest.raises(DataError, match="face inside the picture"):
        teacher.fit_skin(list(film.images), film.landmarks + 5000)
