import pytest

from emojax.emotion import circumplex
from emojax.puppet import voice
from emojax.speech import espeak


def test_neutral_is_the_voices_own():
    assert voice.voice_settings(0, 0) == (1, 1, 1)


def test_arousal_raises_all_three():
    low, high = voice.voice_settings(0, -1), voice.voice_settings(0, 1)
    assert all(a < 1 < b for a, b in zip(low, high, strict=True))


@pytest.mark.parametrize("name", ["happy", "anger", "fear", "surprise"])
def test_excited_emotions_are_higher_and_wider(name):
    settings = voice.voice_settings(*circumplex.centre(name))
    assert settings.pitch > 1.04
    assert settings.range > 1.05


def test_sadness_is_slightly_slower_lower_and_narrower():
    settings = voice.voice_settings(*circumplex.centre("sad"))
    assert 0.9 < settings.rate < 1
    assert 0.9 < settings.pitch < 1
    assert 0.75 < settings.range < 1


def test_a_voice_stays_one_speakers():
    for point in circumplex.POINTS:
        rate, pitch, extent = voice.voice_settings(*point)
        assert 0.8 < rate < 1.25
        assert 0.8 < pitch < 1.3
        assert 0.6 < extent < 1.8


def test_options_are_espeaks():
    usual = voice.espeak_options(voice.voice_settings(0, 0))
    assert usual == {"rate": 175, "pitch": 50, "range": 50}
    excited = voice.espeak_options(voice.voice_settings(0, 1), rate=440, pitch=95, range=90)
    assert excited == {name: espeak.LIMITS[name][1] for name in excited}
    higher = voice.espeak_options(voice.VoiceSettings(1, 2 ** (1 / 12), 1), pitch=50)
    assert 55 < higher["pitch"] < 58  # a semitone
