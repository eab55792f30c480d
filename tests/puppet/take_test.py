import itertools

import jax
import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.puppet import mood, muscles, population, rig, take, visemes
from emojax.speech import phonemes
from emojax.speech.timing import Phoneme

RATE = 16000


@pytest.fixture
def _installed():
    pytest.importorskip("espeakng_loader", reason="needs the extra speech")


@pytest.fixture(scope="module")
def actor():
    return population.cast(1)


def _beats(seconds):
    """Three syllables a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    return np.float32(0.3 * np.sin(2 * np.pi * 140 * time) * np.sin(np.pi * 3 * time) ** 2)


def test_a_sound_without_phonemes_moves_the_lips_by_its_energy(actor):
    found = take.sound(actor, _beats(2.01))
    assert len(found) == 51
    assert len(found.samples) == 51 * 640
    assert found.phonemes is None
    assert (found.text, found.words, found.voice) == ("", (), "")
    assert found.performance.va.shape == (51, 2)
    assert found.articulation.lips_part.max() > 0.2


@pytest.mark.parametrize("seconds", [0.5, 2000.0])
def test_lengths_out_of_range_are_refused(actor, seconds):
    with pytest.raises(DataError, match="a length from 1 to 1800 seconds"):
        take.sound(actor, np.zeros(round(seconds * RATE), np.float32))


def test_a_film_may_be_shorter_or_longer_than_its_sound(actor):
    short, long = (take.sound(actor, _beats(2.0), seconds=seconds) for seconds in (1.5, 2.5))
    assert (len(short), len(long)) == (38, 63)
    np.testing.assert_array_equal(short.samples, long.samples[: len(short.samples)])
    assert long.samples[31000:32000].any()
    assert not long.samples[32000:].any()


@pytest.mark.parametrize("seconds", [0.0, -0.5, float("nan"), float("inf")])
def test_lengths_that_are_none_are_refused(actor, seconds):
    with pytest.raises(DataError, match="a length from 1 to 1800 seconds"):
        take.sound(actor, _beats(2.0), seconds=seconds)
    with pytest.raises(DataError, match="a length from 1 to 1800 seconds"):
        take.talk(actor, seconds)


@pytest.mark.usefixtures("_installed")
def test_a_text_is_spoken_to_its_end_with_silence_around(actor):
    found = take.say(actor, "Bob may pop up.  Map the pub!\n\n...", voice="en-gb")
    assert found.text == "Bob may pop up. Map the pub!"
    assert found.voice == "en-gb"
    assert [word.text for word in found.words] == ["Bob", "may", "pop", "up", "Map", "the", "pub"]
    assert len(found.samples) == 640 * len(found)
    assert all(a.end <= b.start + 1e-9 for a, b in itertools.pairwise(found.phonemes))
    assert not found.samples[: round(0.35 * RATE)].any()
    assert np.abs(found.samples[-round(0.3 * RATE) :]).max() < 0.02
    assert len(found) / 25 - found.phonemes[-1].end < 1


@pytest.mark.usefixtures("_installed")
def test_sound_and_lips_share_one_clock(actor):
    """Lips touch while the sound of p is silent: both within half a frame of the track."""
    found = take.say(actor, "Pap, pap, pap, pap, pap.", voice="en-gb", seconds=5)
    envelope = np.abs(found.samples)
    stops = [p for p in found.phonemes if p.symbol == "p" and p.burst is not None]
    assert len(stops) >= 5
    for stop in stops:
        closure = envelope[round(stop.start * RATE) : round(stop.burst * RATE)]
        after = envelope[round(stop.burst * RATE) : round((stop.burst + 0.06) * RATE)]
        assert closure.max() < 0.1 * after.max()
        held = np.flatnonzero(found.articulation.press > 0.95) / 25
        middle = 0.5 * (stop.start + stop.burst)
        assert np.abs(held - middle).min() <= 0.5 * (stop.burst - stop.start) + 0.02


@pytest.mark.usefixtures("_installed")
def test_every_bilabial_closes_the_lips(actor):
    found = take.talk(actor, 12.0, voice="en-gb", course=mood.everyday(1))
    time = np.arange(len(found)) / 25
    pose = jax.jit(jax.vmap(muscles.pose, in_axes=(None, 0)))
    mouth = pose(actor.identity, found.performance.controls).mouth
    gap = 1000 * rig.METERS * np.asarray(mouth.open_up + mouth.open_low)
    assert gap.max() > 5
    count = 0
    for phoneme in found.phonemes:
        units = phonemes.units(phoneme.symbol)
        if any(phonemes.features(unit).closes_lips for unit in units):
            near = (time > phoneme.start - 0.04) & (time < phoneme.end + 0.04)
            assert gap[near].min() < 0.3, phoneme  # millimetres, whatever is felt
            count += 1
    assert count > 5


@pytest.mark.usefixtures("_installed")
def test_talking_fills_the_length_with_whole_sentences(actor):
    found = take.talk(actor, 9.0)
    assert len(found) == 225
    assert found.text.endswith(".")
    assert found.phonemes[-1].end < 9
    short = take.talk(actor, 1.0)  # shorter than any sentence: cut
    assert len(short) == 25
    assert short.phonemes[-1].end <= 1


def test_what_is_cut_off_is_not_known_of():
    said = (Phoneme("a", 0.0, 0.9), Phoneme("p", 0.9, 1.2, burst=1.1), Phoneme("a", 1.2, 1.3))
    expected = (Phoneme("a", 0.0, 0.9), Phoneme("p", 0.9, 1.0))
    assert take._until(1.0, said) == expected
    assert take._until(1.15, said)[1].burst == 1.1


@pytest.mark.usefixtures("_installed")
def test_excited_speech_is_faster_and_higher(actor):
    text = "We measured the beam again and the number was the same."
    calm, excited = (
        take.say(actor, text, course=mood.course(point, 0)) for point in ("-0.2,-0.9", "0.2,0.9")
    )
    assert excited.phonemes[-1].end < 0.9 * calm.phonemes[-1].end
    pitch = [t.performance.voice.pitch for t in (calm, excited)]
    assert np.median(pitch[1][pitch[1] > 0]) > 1.1 * np.median(pitch[0][pitch[0] > 0])


@pytest.mark.usefixtures("_installed")
def test_the_same_arguments_give_the_same_bits(actor):
    first, again = (take.say(actor, "Hello there.") for _ in range(2))
    np.testing.assert_array_equal(first.samples, again.samples)
    np.testing.assert_array_equal(
        first.performance.controls.rotation, again.performance.controls.rotation
    )


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "an empty text"),
        (" ... ", {}, "a text with words"),
        ("\udcff", {}, "an empty text"),
        ("Hello.", {"voice": "xx-klingon"}, "a voice of espeak-ng"),
        ("We found a map of the mountains under the stairs.", {"seconds": 1.5}, "leave the length"),
    ],
)
def test_what_cannot_be_spoken_is_refused(actor, text, options, message):
    with pytest.raises(DataError, match=message):
        take.say(actor, text, **options)


@pytest.mark.usefixtures("_installed")
def test_marks_that_are_read_aloud_are_spoken(actor):
    found = take.say(actor, "%", voice="en-gb")
    assert next(p.symbol[-1:] for p in found.phonemes if p.symbol) == "p"  # percent
    assert found.samples.any()


@pytest.mark.usefixtures("_installed")
def test_what_no_file_can_hold_is_no_part_of_the_text(actor):
    assert take.say(actor, "Good\udcffday.").text == "Good day."


@pytest.mark.usefixtures("_installed")
def test_a_voice_is_looked_for_before_sentences(actor):
    with pytest.raises(DataError, match="a voice of espeak-ng"):
        take.talk(actor, 5.0, voice="klingon")
    with pytest.raises(DataError, match="en, de, fr, es"):
        take.talk(actor, 5.0, voice="it")


@pytest.mark.usefixtures("_installed")
def test_ten_thousand_words_are_refused_before_they_are_spoken(actor, monkeypatch):
    spoken = []
    monkeypatch.setattr(take.espeak, "speak", lambda *a, **k: spoken.append(a))
    with pytest.raises(DataError, match="10,000 words"):
        take.say(actor, "one two three four five. " * 2000)
    assert not spoken


def test_articulation_belongs_to_the_actor(actor):
    """Another manner of speaking moves other lips to the same phonemes."""
    said = (Phoneme("", 0, 0.2), Phoneme("ɑː", 0.2, 0.5), Phoneme("m", 0.5, 0.6))
    shifted = population.cast(1, world=population.SHIFTED)
    curves = [
        visemes.articulate(said, 25, coarticulation=each.coarticulation).jaw
        for each in (actor, shifted)
    ]
    assert np.abs(curves[0] - curves[1]).max() > 0.05
