import jax
import numpy as np
import pytest

from emojax.data.labels import Label
from emojax.data.masks import segmentation
from emojax.opencv import cv2
from tests.data import actor


@pytest.fixture(scope="module")
def film():
    return actor.film(num_frames=20, size=256, seed=1, cut_at=16)


@pytest.fixture(scope="module")
def segmenter(film):
    return segmentation.fit(jax.random.key(0), film.images, film.landmarks, every=4)


def _iou(found, truth):
    both = np.count_nonzero(found & truth)
    return both / np.count_nonzero(found | truth)


def _truth(film):
    labels = film.labels.copy()
    labels[film.mouth_truth] = Label.FACE
    return labels


def test_regions_of_a_drawn_person_are_found(film, segmenter):
    found = np.stack(list(segmentation.apply(segmenter, film.images, film.landmarks, cuts=(16,))))
    assert found.dtype == np.uint8
    truth = _truth(film)
    least = {"BACKGROUND": 0.98, "FACE": 0.96, "HAIR": 0.9, "NECK": 0.88, "TORSO": 0.92}
    for label in segmentation.CLASSES:
        assert _iou(found == label, truth == label) > least[label.name], label.name


def test_nothing_is_carried_across_a_cut(film, segmenter):
    def parse(first, cuts):
        frames, landmarks = film.images[first:18], film.landmarks[first:18]
        return list(segmentation.apply(segmenter, frames, landmarks, cuts=cuts))

    np.testing.assert_array_equal(parse(14, (2,))[2], parse(16, ())[0])
    assert (parse(14, ())[2] != parse(16, ())[0]).any()


def test_frames_without_a_face_neither_teach_nor_are_carried_on(film, segmenter):
    lost = np.zeros(20, bool)
    lost[4:12] = True
    landmarks = film.landmarks.copy()
    landmarks[lost] = landmarks[lost] * 0.4 + 10
    options = {"found": ~lost, "every": 4}
    taught = segmentation.fit(jax.random.key(0), film.images, landmarks, **options)
    alone = segmentation.fit(
        jax.random.key(0), film.images[~lost], landmarks[~lost], every=options["every"]
    )
    for one, other in zip(jax.tree.leaves(vars(taught)), jax.tree.leaves(vars(alone)), strict=True):
        np.testing.assert_array_equal(one, other)

    def parse(first, found):
        frames = film.images[first:14]
        return list(segmentation.apply(segmenter, frames, landmarks[first:14], found=found))

    np.testing.assert_array_equal(parse(10, ~lost[10:14])[2], parse(12, None)[0])
    assert (parse(10, None)[2] != parse(12, None)[0]).any()


@pytest.mark.parametrize("size", [64, 200, 640])
def test_pictures_of_any_size_share_one_compilation(film, segmenter, size):
    list(segmentation.apply(segmenter, film.images[:1], film.landmarks[:1]))
    compiled = segmentation._predict._cache_size()
    frames = [cv2.resize(image, (size, size)) for image in film.images[:2]]
    landmarks = (film.landmarks[:2] + 0.5) * size / 256 - 0.5
    found = list(segmentation.apply(segmenter, frames, landmarks))
    truth = cv2.resize(_truth(film)[1], (size, size), interpolation=cv2.INTER_NEAREST)
    assert found[1].shape == (size, size)
    assert _iou(found[1] != Label.BACKGROUND, truth != Label.BACKGROUND) > 0.95
    assert segmentation._predict._cache_size() == compiled


def test_the_same_key_gives_the_same_network(film, segmenter):
    again = segmentation.fit(jax.random.key(0), film.images, film.landmarks, every=4)
    for one, other in zip(
        jax.tree.leaves(vars(again)), jax.tree.leaves(vars(segmenter)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_clip_is_read_one_frame_at_a_time(film, segmenter):
    class Frames:
        read = 0

        def __len__(self):
            return len(film.images)

        def __getitem__(self, t):
            self.read += 1
            return film.images[t]

    frames = Frames()
    parsed = segmentation.apply(segmenter, frames, film.landmarks)
    next(parsed)
    assert frames.read == 1
