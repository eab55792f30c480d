import dataclasses

import numpy as np
import pytest

from emojax.puppet import postures, visemes
from emojax.speech import sentences
from emojax.speech.timing import Phoneme

FPS = 25.0


def _say(symbols, *, seconds=0.1, start=0.5):
    """Phonemes of equal length, spoken after silence."""
    times = start + seconds * np.arange(len(symbols) + 1)
    spans = zip(symbols, times, times[1:], strict=False)
    return [Phoneme(symbol, a, b) for symbol, a, b in spans]


def _stack(articulation):
    return np.stack(articulation)


def _spoken(voice, rate):
    pytest.importorskip("espeakng_loader", reason="needs the extra speech")
    from emojax.speech import espeak

    text = " ".join(sentences.SENTENCES[voice[:2]])
    speech = espeak.pad(espeak.speak(text, voice=voice, rate=rate), before=0.5, after=0.5)
    return speech, int(np.ceil(speech.duration * FPS))


def _holds(phonemes, num_frames):
    """Sounds that close the lips."""
    sounds = visemes._sounds(phonemes, num_frames / FPS, visemes.Coarticulation())
    return [sound for sound in sounds if sound.posture.contacts[0] == 1]


def _is_closed(articulation, sound):
    """Whether a frame within half a frame of the hold has shut lips."""
    first = int(np.ceil((sound.start - 0.5 / FPS) * FPS - 1e-6))
    last = int(np.floor((sound.end + 0.5 / FPS) * FPS + 1e-6)) + 1
    closed = (articulation.press == 1) & (articulation.lips_part == 0)
    return closed[max(first, 0) : last].any()


@pytest.mark.parametrize("voice", ["en-gb", "de+m3", "fr+f2", "es"])
@pytest.mark.parametrize("rate", [130, 175, 300])
def test_every_p_b_m_of_every_sentence_closes_the_lips(voice, rate):
    speech, num_frames = _spoken(voice, rate)
    moved = visemes.articulate(speech.phonemes, num_frames)
    holds = _holds(speech.phonemes, num_frames)
    assert len(holds) > 40
    assert all(_is_closed(moved, sound) for sound in holds)


@pytest.mark.parametrize("voice", ["en-us+f3", "de", "fr", "es+m2"])
def test_fields_are_bounded_and_no_faster_than_people(voice):
    speech, num_frames = _spoken(voice, 175)
    moved = visemes.articulate(speech.phonemes, num_frames)
    for name, values in moved._asdict().items():
        assert values.dtype == np.float32
        assert values.shape == (num_frames,)
        assert values.min() >= (-1 if name == "width" else 0)
        assert values.max() <= 1
        assert np.abs(np.diff(values)).max() <= getattr(visemes.MAX_STEP, name), name
        assert values.std() > 0.05  # it moves


@pytest.mark.parametrize("seconds", [0.015, 0.03, 0.08])
@pytest.mark.parametrize("offset", [0.0, 0.013, 0.02, 0.027])
@pytest.mark.parametrize("symbol", ["p", "b", "m", "pʲ", "mb", "əm"])
def test_short_bilabials_close_wherever_frames_fall(symbol, seconds, offset):
    phonemes = _say(["ˈa", symbol, "ˈa"], seconds=seconds, start=0.4 + offset)
    moved = visemes.articulate(phonemes, 30)
    assert all(_is_closed(moved, sound) for sound in _holds(phonemes, 30))


def test_a_known_burst_ends_the_closure():
    stop = Phoneme("p", 0.2, 0.4, burst=0.3)
    moved = visemes.articulate([Phoneme("a", 0.0, 0.2), stop, Phoneme("a", 0.4, 0.6)], 60, fps=100)
    closed = np.flatnonzero(moved.press == 1)
    assert closed[0] in (20, 21)
    assert closed[-1] in (29, 30)
    assert moved.lips_part[38] > 0.2


def test_silence_rests_and_is_reached_smoothly():
    moved = visemes.articulate(_say(["m", "ˈa", "ʃ", "u", "f", "θ"]), 75)
    values = _stack(moved)
    assert not values[:, : int((0.5 - 0.22) * FPS)].any()
    assert not values[:, int((1.1 + 0.27) * FPS) + 1 :].any()
    assert np.abs(np.diff(values[:4])).max() < 0.6
    assert not _stack(visemes.articulate([], 10)).any()
    assert not _stack(visemes.articulate([Phoneme("", 0.0, 3.0)], 75)).any()


def test_a_long_pause_within_speech_rests():
    phonemes = [Phoneme("a", 0.0, 0.4), Phoneme("", 0.4, 9.4), Phoneme("u", 9.4, 9.8)]
    values = _stack(visemes.articulate(phonemes, 250))
    assert not values[:, round(0.7 * FPS) : round(9.1 * FPS)].any()
    assert values[3, round(9.6 * FPS)] > 0.5


def test_a_shift_by_frames_shifts_the_movement():
    symbols = ["h", "ə", "l", "ˈəʊ", "b", "ˈɒ", "b", "f", "uː", "tʃ"]
    first = _stack(visemes.articulate(_say(symbols, seconds=0.07), 80))
    later = _stack(visemes.articulate(_say(symbols, seconds=0.07, start=0.5 + 7 / FPS), 80))
    np.testing.assert_allclose(later[:, 7:], first[:, :-7], atol=1e-6)
    # By part of a frame: between the neighbouring frames' instants, sampled finely.
    fine = _stack(visemes.articulate(_say(symbols, seconds=0.07), 1600, fps=500))
    other = _stack(visemes.articulate(_say(symbols, seconds=0.07, start=0.514), 1600, fps=500))
    np.testing.assert_allclose(other[:, 7:], fine[:, :-7], atol=1e-6)


def test_the_same_input_gives_the_same_bits():
    phonemes = _say(["p", "ˈaɪ", "n", "t"])
    first, second = (_stack(visemes.articulate(phonemes, 40)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_targets_are_reached_in_slow_speech():
    for unit in "iaoussʃfθ":
        phonemes = _say(["", unit, ""], seconds=0.5)
        moved = _stack(visemes.articulate(phonemes, 60))[:, round(1.25 * FPS)]
        wanted = postures.posture(unit)
        how = visemes.Coarticulation()
        scale = how.stress[0] if unit in "iaou" else 1.0
        np.testing.assert_allclose(moved[:4], wanted.target * [scale, scale, 1, 1], atol=0.06)
        np.testing.assert_allclose(moved[4:], wanted.contacts, atol=1e-3)


def test_neighbours_colour_a_sound_and_rounding_comes_early():
    before_u = visemes.articulate(_say(["i", "t", "u"]), 50)
    before_i = visemes.articulate(_say(["i", "t", "i"]), 50)
    middle = round(0.65 * FPS)
    assert before_u.pucker[middle] > before_i.pucker[middle] + 0.2
    assert before_u.width[middle] < before_i.width[middle] - 0.3


def test_constants_make_other_speakers():
    phonemes = _say(["p", "ˈa", "p", "a", "ʃ", "u"])
    plain = visemes.articulate(phonemes, 50)
    mumbled = visemes.articulate(phonemes, 50, coarticulation=visemes.Coarticulation(effort=0.6))
    assert mumbled.jaw.max() < 0.75 * plain.jaw.max()
    assert (mumbled.press == 1).sum() == (plain.press == 1).sum()
    slow = dataclasses.replace(visemes.Coarticulation(), attack=(8.0,) * 4, decay=(8.0,) * 4)
    sluggish = visemes.articulate(phonemes, 50, coarticulation=slow)
    assert np.abs(np.diff(sluggish.jaw)).max() < np.abs(np.diff(plain.jaw)).max()
    stressed, weak = (visemes.articulate(_say(["k", s, "k"]), 50) for s in ("ˈa", "a"))
    assert stressed.jaw.max() > 1.1 * weak.jaw.max()


def test_unknown_symbols_move_the_mouth_a_little():
    moved = visemes.articulate(_say(["☃", "(x)"]), 50)
    assert np.isfinite(_stack(moved)).all()
    assert moved.jaw.max() > 0.1


def test_disorder_is_refused():
    with pytest.raises(ValueError, match="overlap"):
        visemes.articulate([Phoneme("a", 0.0, 0.5), Phoneme("b", 0.3, 0.6)], 20)
    with pytest.raises(ValueError, match="before they start"):
        visemes.articulate([Phoneme("a", 0.5, 0.2)], 20)


@pytest.mark.parametrize("num_frames", [0, 1, 2])
def test_short_films(num_frames):
    phonemes = [Phoneme("m", 0.0, 0.1)]
    assert _stack(visemes.articulate(phonemes, num_frames)).shape == (7, num_frames)
    samples = np.zeros(100, np.float32)
    assert _stack(visemes.from_energy(samples, num_frames)).shape == (7, num_frames)


def test_energy_opens_the_mouth_and_silence_shuts_it():
    speech, num_frames = _spoken("de+f4", 175)
    known = visemes.articulate(speech.phonemes, num_frames)
    guess = visemes.from_energy(speech.samples, num_frames)
    assert np.corrcoef(guess.jaw, known.jaw)[0, 1] > 0.6
    assert np.corrcoef(guess.width, known.width)[0, 1] > 0.3
    assert not guess.press.any()
    assert _stack(guess)[:4, :8].max() < 1e-3
    assert np.abs(np.diff(guess.jaw)).max() <= visemes.MAX_STEP.jaw
    # Louder sound is the same speech.
    louder = visemes.from_energy(0.3 * speech.samples, num_frames)
    np.testing.assert_allclose(louder.jaw, guess.jaw, atol=0.05)


def test_noise_of_a_microphone_is_silence():
    noise = 3e-4 * np.random.default_rng(0).normal(size=32000).astype(np.float32)
    assert np.abs(_stack(visemes.from_energy(noise, 50))).max() < 0.05
    assert not _stack(visemes.from_energy(np.zeros(32000, np.float32), 50)).any()
