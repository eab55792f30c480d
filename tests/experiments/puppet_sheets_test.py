"""The sheets' parts; what they show is for eyes."""

import numpy as np

from emojax.puppet import controls
from emojax.speech import phonemes
from tests.experiments import command

sheets = command.module("puppet_sheets")


def test_every_viseme_has_a_sound_that_shows_it():
    for name, symbol in sheets.SOUNDS.items():
        (unit,) = phonemes.units(symbol)
        assert phonemes.viseme(unit) == name
    assert tuple(sheets.SOUNDS) == phonemes.VISEMES


def test_held_sounds_move_the_lips():
    assert sheets.sound("m").press > 0.95
    assert sheets.sound("f").bite > 0.9
    assert sheets.sound("u").pucker > 0.6
    assert not sheets.sound("").action_units.any()


def test_one_unit_acts_alone_and_a_jaw_shows_between_parted_lips():
    smile, jaw = sheets.one(12, 3.0).action_units, sheets.one(26, 3.0).action_units
    assert smile[controls.unit(12)] == smile.sum() == 3
    assert jaw[controls.unit(26)] == jaw[controls.unit(25)] == 3


def test_sheets_have_a_title_over_every_picture():
    pictures = [np.full((16, 16, 3), k, np.uint8) for k in range(1, 6)]
    made = sheets.sheet(pictures, list("abcde"), 3)
    assert made.shape[1:] == (48, 3)
    assert made.shape[0] > 2 * 16
    assert (made[-1, 16:32] == 5).all()
    assert not made[-1, 32:].any()
