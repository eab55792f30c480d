import concurrent.futures
import itertools
import sys

import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.speech import espeak, phonemes

TEXT = "Bob may pop up to the big shop above 42 maps."


@pytest.fixture
def _installed():
    pytest.importorskip("espeakng_loader", reason="needs the extra speech")


def test_without_the_extra_the_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    espeak._listed.cache_clear()
    with pytest.raises(DataError, match=r"pip install 'emojax\[speech\]'"):
        espeak.speak("hello")


@pytest.mark.usefixtures("_installed")
def test_speech_has_sound_phonemes_and_words():
    speech = espeak.speak(TEXT, voice="en-GB+F3")
    assert speech.samples.dtype == np.float32
    assert 0.1 < np.abs(speech.samples).max() <= 1
    assert speech.voice == "en-gb+f3"
    assert [word.text for word in speech.words] == TEXT[:-1].split()
    assert all(a.end <= b.end for a, b in zip(speech.words, speech.words[1:], strict=False))
    found = speech.phonemes
    assert found[0].start == 0
    assert all(a.end == b.start for a, b in itertools.pairwise(found))
    assert abs(sum(p.end - p.start for p in found) - speech.duration) < 1e-4
    units = [u for p in found for u in phonemes.units(p.symbol)]
    assert sum(phonemes.features(u).closes_lips for u in units) == 11  # b b m p p p b p b m p


@pytest.mark.usefixtures("_installed")
def test_sound_is_where_the_phonemes_are():
    speech = espeak.speak("Papa, a map. Tea at six.")
    squares = speech.samples.astype(np.float64) ** 2

    def level(start, end):
        first, last = round(start * espeak.RATE), round(end * espeak.RATE)
        return 10 * np.log10(np.mean(squares[first:last]) + 1e-10)

    for phoneme in speech.phonemes:
        middle, edge = (phoneme.start + phoneme.end) / 2, 0.005
        kind = phonemes.features(phonemes.units(phoneme.symbol)[0]).kind
        if kind == "vowel":
            assert level(middle - 0.02, middle + 0.02) > -30
        elif kind == "silence" and phoneme.end - phoneme.start > 0.05:
            assert level(phoneme.start + edge, phoneme.end - edge) < -60
        elif phoneme.burst is not None:
            assert level(phoneme.start + edge, phoneme.burst - edge) < -60
            assert level(phoneme.burst, phoneme.burst + 0.02) > -45


@pytest.mark.usefixtures("_installed")
def test_the_same_call_gives_the_same_bits_whatever_else_is_said():
    voices = ["en-gb", "de+f3", "fr+klatt", "en-us+whisper"]
    first = {voice: espeak.speak(TEXT, voice=voice) for voice in voices}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = [(voice, pool.submit(espeak.speak, TEXT, voice=voice)) for voice in voices[::-1]]
    for voice, job in jobs:
        assert job.result() == first[voice]
        np.testing.assert_array_equal(job.result().samples, first[voice].samples)


@pytest.mark.usefixtures("_installed")
def test_options_change_the_speech():
    plain = espeak.speak(TEXT)
    assert espeak.speak(TEXT, rate=260).duration < 0.8 * plain.duration
    quiet = espeak.speak(TEXT, volume=50).samples
    assert np.abs(quiet).max() < 0.6 * np.abs(plain.samples).max()
    for option in ({"pitch": 80}, {"range": 90}):
        other = espeak.speak(TEXT, **option)
        assert [p.symbol for p in other.phonemes] == [p.symbol for p in plain.phonemes]
        assert abs(other.duration - plain.duration) < 0.1
        assert not np.array_equal(other.samples[:20000], plain.samples[:20000])


@pytest.mark.usefixtures("_installed")
def test_voices_are_listed_and_found():
    codes = [voice.code for voice in espeak.voices()]
    assert {"en-gb", "en-us", "de", "es", "it"} <= set(codes)
    assert len(codes) == len(set(codes)) > 100
    variants = {voice.code: voice for voice in espeak.variants()}
    assert variants["f3"].gender == "female"
    assert len(variants) > 90
    assert espeak.find_voice("fr") == ("roa/fr", "fr")
    assert espeak.find_voice("en") == ("gmw/en", "en")
    assert espeak.find_voice("de+mr serious")[0] == "gmw/de+Mr serious"


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": ""}, "an empty text"),
        ({"text": " \n\t\0"}, "an empty text"),
        ({"text": "... ?!"}, "words to speak"),
        ({"text": "hi", "voice": "en-gbb"}, "en-gb"),
        ({"text": "hi", "voice": "en-gb+f33"}, "f3"),
        ({"text": "hi", "voice": ""}, "voices()"),
        ({"text": "hi", "rate": 20}, "rate from 80 to 449"),
        ({"text": "hi", "pitch": float("nan")}, "pitch from 0 to 99"),
        ({"text": "hi", "range": 101}, "range from 0 to 100"),
        ({"text": "hi", "volume": -1}, "volume from 0 to 200"),
    ],
)
def test_what_cannot_be_spoken_is_refused(arguments, message):
    with pytest.raises(DataError) as caught:
        espeak.speak(**arguments)
    assert message in str(caught.value)


@pytest.mark.usefixtures("_installed")
def test_a_text_that_lasts_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(espeak, "MAX_SECONDS", 60.0)
    with pytest.raises(DataError, match="10000 words") as caught:
        espeak.speak("word " * 10_000)
    assert "chapters" in caught.value.fix


@pytest.mark.usefixtures("_installed")
def test_a_crash_of_the_library_is_an_error(monkeypatch):
    monkeypatch.setattr(espeak, "_installed", lambda: ("missing.so", "."))
    with pytest.raises(DataError, match=r"missing\.so"):
        espeak.speak("hi")


@pytest.mark.usefixtures("_installed")
def test_control_characters_and_brackets_are_read_as_text():
    plain = espeak.speak("one two three")
    assert espeak.speak("one\x01two\n three").phonemes == plain.phonemes
    assert [p.symbol for p in espeak.speak("[[hello]] <b>Pam</b>").phonemes if p.symbol][-1] != ""


@pytest.mark.usefixtures("_installed")
def test_padding_moves_everything():
    speech = espeak.speak("Pam")
    padded = espeak.pad(speech, before=0.5, after=0.25)
    assert len(padded.samples) == len(speech.samples) + 12000
    assert padded.phonemes[0].symbol == padded.phonemes[-1].symbol == ""
    first, moved = speech.phonemes[0], padded.phonemes[1]
    assert moved.start == first.start + 0.5
    assert moved.burst == first.burst + 0.5
    assert padded.words[0].start == speech.words[0].start + 0.5
    assert padded.phonemes[-1].end == padded.duration
    assert espeak.pad(speech) == speech
