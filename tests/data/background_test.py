import numpy as np
import pytest

from emojax.data import background
from emojax.data.errors import DataError
from emojax.data.labels import Label


def _room(size=96):
    """A smooth room of several colours."""
    v, u = np.mgrid[:size, :size] / size
    return np.stack([60 + 120 * u, 90 + 60 * v, 200 - 80 * u * v], axis=-1)


def _clip(num_frames=30, size=96):
    """A dark person that moves to and fro before the room, with noise."""
    rng = np.random.default_rng(0)
    frames, labels = [], []
    for t in range(num_frames):
        left = 30 + round(6 * np.sin(t))
        region = np.zeros((size, size), np.uint8)
        region[20:60, left : left + 30] = Label.FACE
        region[60:, left - 15 : left + 45] = Label.TORSO
        image = _room(size) + rng.normal(0, 3, (size, size, 3))
        image[region > 0] = 20
        frames.append(np.clip(image + 0.5, 0, 255).astype(np.uint8))
        labels.append(region)
    return frames, labels


def test_the_room_is_found_where_it_was_seen():
    frames, labels = _clip()
    image, seen = background.estimate(frames, labels, every=1)
    assert image.dtype == np.uint8
    assert 0.4 < seen.mean() < 0.8
    assert np.abs(image - _room())[seen].mean() < 1.0
    assert not seen[30:50, 42:54].any()


def test_what_was_never_seen_is_filled_smoothly_and_without_the_person():
    frames, labels = _clip()
    image, seen = background.estimate(frames, labels, every=1)
    hidden = ~seen
    assert np.abs(image - _room())[hidden].mean() < 8
    assert image[hidden].min() > 50, "the person is 20 dark"
    steps = np.abs(np.diff(image.astype(int), axis=1)).max(axis=-1)
    assert steps[hidden[:, 1:] & hidden[:, :-1]].max() < 8, "no streaks"


def test_one_bad_mask_does_not_paint_the_person_on_the_wall():
    frames, labels = _clip()
    labels[5] = np.zeros_like(labels[5])
    _, seen = background.estimate(frames, labels, every=1)
    assert not seen[30:50, 42:54].any()


def test_the_median_is_the_lower_one_of_the_valid_samples():
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 256, (9, 5, 6, 3)).astype(np.uint8)
    valid = rng.random((9, 5, 6)) < 0.6
    valid[0] = True
    found = background._median(list(samples.copy()), list(valid), valid.sum(axis=0))
    for y in range(5):
        for x in range(6):
            ranked = np.sort(samples[valid[:, y, x], y, x], axis=0)
            np.testing.assert_array_equal(found[y, x], ranked[(len(ranked) - 1) // 2])


def test_a_room_that_is_never_seen_is_refused():
    frames, labels = _clip(3)
    full = [np.full_like(region, Label.TORSO) for region in labels]
    with pytest.raises(DataError, match="expected some background"):
        background.estimate(frames, full, every=1)


def test_an_empty_room_is_its_own_background():
    frames = [np.full((16, 16, 3), 77, np.uint8)] * 3
    image, seen = background.estimate(frames, [np.zeros((16, 16), np.uint8)] * 3, every=1)
    assert seen.all()
    np.testing.assert_array_equal(image, 77)


def test_the_composite_takes_the_room_behind_the_person():
    frames, labels = _clip(1)
    room = _room().astype(np.uint8)
    before = frames[0].copy()
    out = background.composite(frames[0], labels[0], room)
    person = labels[0] != Label.BACKGROUND
    np.testing.assert_array_equal(out[person], frames[0][person])
    np.testing.assert_array_equal(out[~person], room[~person])
    np.testing.assert_array_equal(frames[0], before)


def test_progress_is_told_of_every_frame_that_is_read():
    frames = [np.full((8, 8, 3), 9, np.uint8)] * 25
    seen = []

    def watch(numbers):
        seen.extend(numbers)
        return numbers

    background.estimate(frames, [np.zeros((8, 8), np.uint8)] * 25, progress=watch)
    assert seen == [0, 10, 20]
