import numpy as np

from emojax.data import labels
from emojax.data.labels import Label


def _picture():
    return np.arange(7 * 5, dtype=np.uint8).reshape(5, 7) % 7


def test_round_trip_through_the_two_files():
    picture = _picture()
    parsing, teeth = labels.to_parsing(picture)
    np.testing.assert_array_equal(labels.from_parsing(parsing, teeth), picture)


def test_talking_gaussian_reads_face_mouth_and_hair():
    picture = _picture()
    parsing, teeth = labels.to_parsing(picture)

    def colored(*color):
        return (parsing == np.array(color)).all(axis=-1)

    # The expressions of its dataset reader (spec 2.4).
    np.testing.assert_array_equal(colored(0, 0, 255) ^ teeth, picture == Label.FACE)
    mouth = colored(100, 100, 100) | teeth
    np.testing.assert_array_equal(mouth, labels.isin(picture, (Label.MOUTH, Label.TEETH)))
    np.testing.assert_array_equal(colored(0, 0, 0), picture == Label.HAIR)


def test_colours_that_a_lossy_file_has_moved_still_count():
    picture = _picture()
    parsing, teeth = labels.to_parsing(picture)
    noise = np.random.default_rng(0).integers(-20, 21, parsing.shape)
    moved = np.clip(parsing.astype(int) + noise, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(labels.from_parsing(moved, teeth), picture)


def test_regions_partition():
    picture = _picture()
    person = labels.isin(picture, labels.PERSON)
    np.testing.assert_array_equal(person, picture != Label.BACKGROUND)
    assert (labels.isin(picture, labels.HEAD) & labels.isin(picture, (Label.NECK,))).sum() == 0
