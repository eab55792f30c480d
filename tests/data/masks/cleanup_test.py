import numpy as np

from emojax.data.labels import Label
from emojax.data.masks import cleanup
from emojax.opencv import cv2

CLASSES = (Label.FACE, Label.HAIR, Label.NECK, Label.TORSO)


def _texture(shape, seed=0):
    noise = np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.clip((smooth - 127) * 6 + 127, 0, 255).astype(np.uint8)


def _person(size=64):
    labels = np.zeros((size, size), np.uint8)
    labels[10:40, 20:44] = Label.FACE
    labels[4:10, 20:44] = Label.HAIR
    labels[40:46, 26:38] = Label.NECK
    labels[46:, 10:54] = Label.TORSO
    return labels


def test_the_guided_filter_moves_a_border_to_the_edge_of_the_picture():
    large = np.zeros((128, 128), np.uint8)
    large[:, 61:] = 200  # an edge that no column of the small picture has
    small = cv2.resize(large, (64, 64), interpolation=cv2.INTER_AREA)
    scores = np.zeros((64, 64, 4), np.float32)
    scores[:, 29:, 0] = 1  # three columns of the large picture too early
    face = cleanup.guided(scores, small, large)[..., 0] > 0.5
    np.testing.assert_array_equal(face.argmax(axis=1), 61)


def test_scores_keep_their_sum():
    scores = np.random.default_rng(0).dirichlet(np.ones(4), (64, 64)).astype(np.float32)
    gray = _texture((64, 64))
    np.testing.assert_allclose(cleanup.guided(scores, gray, gray).sum(axis=-1), 1, atol=1e-3)


def test_memory_follows_the_surface():
    wide = _texture((128, 160))
    before, after = (np.ascontiguousarray(wide[:, x : x + 128]) for x in (16, 10))
    scores = np.zeros((128, 128, 4), np.float32)
    scores[40:90, 40:90, 0] = 1
    memory = cleanup.blend(None, scores, before)
    mixed = cleanup.blend(memory, np.zeros_like(scores), after).scores[..., 0]
    assert mixed[50:80, 56:86].mean() > 0.6, "moved six pixels to the right with the picture"
    assert mixed[50:80, 30:42].mean() < 0.1


def test_memory_dies_where_the_picture_changes():
    scores = np.ones((64, 64, 4), np.float32) / 4
    memory = cleanup.blend(None, scores, np.full((64, 64), 30, np.uint8))
    mixed = cleanup.blend(memory, np.zeros_like(scores), np.full((64, 64), 200, np.uint8))
    assert mixed.scores.max() < 1e-3


def test_the_best_class_wins_and_the_rest_is_background():
    scores = np.array([[[0.4, 0.1, 0, 0], [0.1, 0.6, 0.1, 0.2], [0.2, 0.2, 0.1, 0.1]]], np.float32)
    found = cleanup.decide(scores, CLASSES)
    # The background of the first has 0.5, of the last 0.4.
    np.testing.assert_array_equal(found, [[Label.BACKGROUND, Label.HAIR, Label.BACKGROUND]])


def test_a_tidy_person_stays_as_it_is():
    np.testing.assert_array_equal(cleanup.tidy(_person()), _person())


def test_only_the_largest_person_stays():
    labels = _person()
    labels[5:15, 56:60] = Label.FACE
    np.testing.assert_array_equal(cleanup.tidy(labels), _person())


def test_enclosed_holes_are_filled_and_open_bays_are_not():
    labels = _person()
    labels[20:24, 30:34] = Label.BACKGROUND
    np.testing.assert_array_equal(cleanup.tidy(labels), _person())
    bay = _person()
    bay[50:, 30:34] = Label.BACKGROUND  # open to the picture's border
    np.testing.assert_array_equal(cleanup.tidy(bay), bay)


def test_crumbs_go_to_what_surrounds_them():
    labels = _person()
    labels[30, 30] = Label.NECK
    labels[60, 20] = Label.HAIR
    np.testing.assert_array_equal(cleanup.tidy(labels), _person())


def test_an_empty_picture_stays_empty():
    np.testing.assert_array_equal(cleanup.tidy(np.zeros((32, 32), np.uint8)), 0)
