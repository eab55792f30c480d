import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.drive import mark


def _contrast(picture):
    """How far the brightest and the darkest pixels of the mark's corner are apart, and where."""
    height, width = picture.shape[:2]
    corner = picture[: height // 3, width // 2 :].astype(int).mean(axis=-1)
    changed = np.argwhere(np.abs(corner - corner[-1, 0]) > 8)
    return np.ptp(corner), changed


@pytest.mark.parametrize("size", [64, 128, 512, 1024])
@pytest.mark.parametrize("level", [0, 60, 128, 200, 255])
def test_a_mark_is_seen_on_any_ground(size, level):
    plain = np.full((size, size, 3), level, np.uint8)
    drawn = mark.draw(plain, mark.TEXT)
    contrast, changed = _contrast(drawn)
    assert contrast > 120
    assert (plain == level).all(), "the given picture stays as it is"
    assert (drawn[size // 3 :] == level).all()
    tall = np.ptp(changed[:, 0]) + 1
    assert max(mark.HEIGHT * size, mark.SMALLEST) <= tall <= max(0.11 * size, 3 * mark.SMALLEST)


def test_letters_cover_what_is_below_and_the_plate_does_not():
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    drawn = mark.draw(noise, mark.TEXT).astype(int)
    on_white, on_black = (
        mark.draw(np.full_like(noise, level), mark.TEXT).astype(int) for level in (255, 0)
    )
    letters = (on_black == 255).all(axis=-1)
    assert letters.sum() > 100
    assert (drawn[letters] == 255).all()
    # What lies under the plate is still seen: 0.4 of its contrast.
    plate = (on_white == on_white.min()).all(axis=-1)
    assert np.corrcoef(drawn[plate][:, 0], noise[plate][:, 0])[0, 1] > 0.99


def test_a_long_text_keeps_to_its_share_of_the_picture():
    picture = np.zeros((512, 512, 3), np.uint8)
    drawn = mark.draw(picture, "a face that nobody has filmed")
    columns = np.flatnonzero(drawn.any(axis=(0, 2)))
    assert 0.5 * 512 < np.ptp(columns) <= mark.WIDEST * 512 + 1
    with pytest.raises(DataError, match="48 x 48 pixels"):
        mark.draw(np.zeros((48, 48, 3), np.uint8), "a face that nobody has filmed")
    with pytest.raises(DataError, match="300 x 8 pixels"):
        mark.draw(np.zeros((8, 300, 3), np.uint8), mark.TEXT)


@pytest.mark.parametrize("text", ["", "  ", "größer", "two\nlines", "x" * 41])
def test_texts_that_cannot_be_drawn_are_refused(text):
    with pytest.raises(DataError, match="1 to 40 letters"):
        mark.chosen(True, text)


def test_a_text_is_a_mark_and_there_is_none_unasked():
    assert mark.chosen(False, None) is None
    assert mark.chosen(True, None) == mark.TEXT
    assert mark.chosen(False, " AI generated ") == "AI generated"


def test_room_is_checked_before_any_picture():
    mark.check_room(mark.TEXT, 64)
    with pytest.raises(DataError, match="32 x 32 pixels"):
        mark.check_room(mark.TEXT, 32)


def test_every_picture_is_marked():
    pictures = [np.full((96, 96, 3), level, np.uint8) for level in (10, 200)]
    marked = list(mark.put_on(iter(pictures), mark.TEXT))
    for plain, drawn in zip(pictures, marked, strict=True):
        np.testing.assert_array_equal(drawn, mark.draw(plain, mark.TEXT))
