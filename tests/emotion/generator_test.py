import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.emotion import acceptance, circumplex, paste, sources
from emojax.emotion.cache import Cache
from emojax.emotion.generator import EmotionalFaces
from emojax.emotion.sources import Made
from tests.emotion import faces

FRAMES = np.stack([faces.picture(), faces.picture(gap=5.0), faces.picture(gap=10.0)])
LANDMARKS = np.stack([faces.landmarks(), faces.landmarks(gap=5.0), faces.landmarks(gap=10.0)])
POINTS = np.float32(circumplex.POINTS[:3])
LABELS = np.uint8(FRAMES[..., 0] > 128)


class Given:
    """A source that gives what it was given, and counts how often it was asked."""

    settings = "given"

    def __init__(self, *made):
        self.made, self.asked = made, 0

    def __call__(self, frames, landmarks, points, *, rows, labels):
        self.asked += len(frames)
        return [self.made[row] for row in rows]


def test_warped_faces_are_accepted_and_only_their_boxes_differ():
    faces_of = EmotionalFaces(sources.warped())
    made = faces_of(FRAMES, LANDMARKS, POINTS, labels=LABELS)
    assert made.accepted.all()
    assert made.reasons == ("", "", "")
    assert made.pictures.shape == FRAMES.shape
    assert made.landmarks.shape == (3, 68, 2)
    for k in range(3):
        mask = paste.inside(paste.boxes(made.landmarks[k], FRAMES[k].shape), FRAMES[k].shape)
        np.testing.assert_array_equal(made.pictures[k][~mask], FRAMES[k][~mask])
        np.testing.assert_array_equal(made.labels[k][~mask], LABELS[k][~mask])
        assert np.abs(np.int16(made.pictures[k]) - FRAMES[k])[mask].mean() > 1
    assert faces_of.summary() == "3 of 3 pictures accepted"


def test_without_pasting_the_whole_picture_is_the_source_s():
    source = sources.warped()
    made = EmotionalFaces(source, pasting=False)(FRAMES, LANDMARKS, POINTS)
    raw = source(FRAMES, LANDMARKS, POINTS, rows=np.arange(3), labels=None)
    np.testing.assert_array_equal(made.pictures, [one.picture for one in raw])
    assert made.labels is None


def test_what_fails_comes_back_unchanged_and_counted():
    opened = Made(FRAMES[2], LANDMARKS[2])
    noise = np.uint8(np.random.default_rng(0).integers(0, 255, FRAMES[0].shape))
    source = Given(opened, Made(noise, LANDMARKS[1]), "turned away: 2.4 times")
    faces_of = EmotionalFaces(source, pasting=False)
    made = faces_of(FRAMES, LANDMARKS, POINTS)
    assert made.reasons == ("lips", "identity", "turned away")
    assert not made.accepted.any()
    np.testing.assert_array_equal(made.pictures, FRAMES)
    np.testing.assert_allclose(made.landmarks, LANDMARKS, atol=1e-4)
    assert faces_of.summary() == (
        "0 of 3 pictures accepted; rejected: 1 lips, 1 identity, 1 turned away"
    )


def test_limits_and_the_detector_decide():
    source = Given(*(Made(f, x) for f, x in zip(FRAMES, LANDMARKS, strict=True)))
    none = EmotionalFaces(source, pasting=False, detect=lambda picture: None)
    assert set(none(FRAMES, LANDMARKS, POINTS).reasons) == {"no face found"}
    strict = EmotionalFaces(source, pasting=False, limits=acceptance.Limits(likeness=2.0))
    assert set(strict(FRAMES, LANDMARKS, POINTS).reasons) == {"identity"}
    net = EmotionalFaces(source, pasting=False, identity=lambda a, b: 0.0)
    assert set(net(FRAMES, LANDMARKS, POINTS).reasons) == {"identity"}


def test_a_picture_is_made_once_and_then_found(tmp_path):
    source = Given(*(Made(f, x) for f, x in zip(FRAMES, LANDMARKS, strict=True)))
    store = Cache(tmp_path)
    faces_of = EmotionalFaces(source, cache=store)
    first = faces_of(FRAMES, LANDMARKS, POINTS, labels=LABELS)
    again = faces_of(FRAMES, LANDMARKS, POINTS, labels=LABELS)
    assert source.asked == 3
    assert (store.hits, store.misses) == (3, 3)
    np.testing.assert_array_equal(first.pictures, again.pictures)
    np.testing.assert_array_equal(first.labels, again.labels)
    faces_of(FRAMES, LANDMARKS, POINTS[::-1], labels=LABELS)
    assert source.asked == 5, "the middle point is the same"


def test_twins_pass_whole():
    def twin(rows, points):
        return FRAMES, LANDMARKS, LABELS[::-1]

    made = EmotionalFaces(sources.twins(twin, name="a"), pasting=False)(
        FRAMES, LANDMARKS, POINTS, labels=LABELS
    )
    assert made.accepted.all()
    np.testing.assert_array_equal(made.pictures, FRAMES)
    np.testing.assert_array_equal(made.labels, LABELS[::-1])


@pytest.mark.parametrize(
    ("frames", "landmarks", "points", "words"),
    [
        (FRAMES.astype(np.uint16), LANDMARKS, POINTS, "uint16"),
        (FRAMES[..., 0], LANDMARKS, POINTS, "uint8"),
        (FRAMES, LANDMARKS[:2], POINTS, "68 landmarks"),
        (FRAMES, LANDMARKS, POINTS[:2], "a finite point"),
        (FRAMES, LANDMARKS, POINTS * np.nan, "NaN"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(frames, landmarks, points, words):
    with pytest.raises(DataError, match=words):
        EmotionalFaces(sources.warped())(frames, landmarks, points)
