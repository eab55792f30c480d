import itertools

import pytest

from emojax.data.errors import DataError
from emojax.speech import phonemes, sentences


def test_there_are_enough_and_none_twice():
    counts = {language: len(found) for language, found in sentences.SENTENCES.items()}
    assert counts["en"] >= 60
    assert min(counts.values()) >= 20
    for found in sentences.SENTENCES.values():
        assert len(set(found)) == len(found)
        assert all(sentence[-1] in ".?" and len(sentence.split()) >= 5 for sentence in found)


def test_seeds_decide():
    first = sentences.pick(0, "en", 30.0)
    assert first == sentences.pick(0, "en-us+f3", 30.0)
    assert first != sentences.pick(1, "en", 30.0)
    assert len(set(first)) == len(first)


def test_any_length_without_a_sentence_twice_in_a_row():
    assert len(sentences.pick(0, "de", 0.0)) == 1
    long = sentences.pick(0, "de", 600.0)
    assert set(long[: len(sentences.GERMAN)]) == set(sentences.GERMAN)
    assert all(a != b for a, b in itertools.pairwise(long))


def test_other_languages_are_refused():
    with pytest.raises(DataError, match="en, de, fr, es"):
        sentences.pick(0, "tlh", 10.0)


@pytest.mark.parametrize(("language", "voice"), [("en", "en-gb"), ("fr", "fr")])
def test_they_last_as_estimated_and_hold_every_viseme(language, voice):
    pytest.importorskip("espeakng_loader", reason="needs the extra speech")
    from emojax.speech import espeak

    speech = espeak.speak(" ".join(sentences.pick(3, language, 40.0)), voice=voice)
    assert 36 < speech.duration < 48
    whole = espeak.speak(" ".join(sentences.SENTENCES[language]), voice=voice)
    shown = {phonemes.viseme(u) for p in whole.phonemes for u in phonemes.units(p.symbol)}
    missing = {"fr": {"th", "r"}}.get(language, set())
    assert shown == set(phonemes.VISEMES) - missing
    assert not any(phonemes.unknown(p.symbol) for p in whole.phonemes)
