import numpy as np
import pytest

from emojax.puppet import postures
from emojax.speech import phonemes

LIPS, JAW, WIDTH, PUCKER = range(4)
LOW, HIGH = np.array([0, 0, -1, 0]), np.ones(4)


@pytest.mark.parametrize("unit", list(phonemes.INVENTORY))
def test_every_unit_has_a_posture_within_bounds(unit):
    found = postures.posture(unit)
    assert np.all(found.target >= LOW)
    assert np.all(found.target <= HIGH)
    assert np.all(found.strength > 0)
    assert all(0 <= contact <= 1 for contact in found.contacts)
    assert found.is_silent == (unit == phonemes.SILENCE)


def test_silence_rests():
    assert not postures.posture("").target.any()
    assert not any(postures.posture("").contacts)


def test_contacts_are_made_by_their_classes():
    for unit, found in phonemes.INVENTORY.items():
        press, bite, tongue = postures.posture(unit).contacts
        assert (press == 1) == found.closes_lips
        assert (bite > 0) == (found.place == "labiodental")
        assert not (tongue and found.kind == "vowel")
    assert postures.posture("θ").contacts[2] > postures.posture("t").contacts[2] > 0


def test_openings_follow_height_and_rounding():
    target = {unit: postures.posture(unit).target for unit in "ieɛauoɔysʃkwə"}
    for field in (LIPS, JAW):
        assert target["i"][field] < target["e"][field] < target["ɛ"][field] < target["a"][field]
        assert target["u"][field] < target["o"][field] < target["ɔ"][field] < target["a"][field]
    assert target["i"][WIDTH] > target["ə"][WIDTH] > target["u"][WIDTH]
    assert target["u"][PUCKER] == target["y"][PUCKER] > target["o"][PUCKER] > target["ɔ"][PUCKER]
    assert target["w"][PUCKER] > target["ʃ"][PUCKER] > target["s"][PUCKER]
    assert target["s"][JAW] < target["k"][JAW]


def test_lips_are_free_where_the_tongue_works():
    for unit in "tdnkɡh":
        assert postures.posture(unit).strength[WIDTH] < 0.2 * postures.posture("u").strength[WIDTH]
