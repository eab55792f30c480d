import itertools

import numpy as np

from emojax.speech import timing

RATE = 1000


def _sound(*spans):
    """int16 noise at 1 kHz with silence in spans of seconds."""
    samples = np.random.default_rng(0).integers(1000, 3000, 1000).astype(np.int16)
    for start, end in spans:
        samples[round(start * RATE) : round(end * RATE)] = 0
    return samples


def _phoneme(time, symbol):
    return [round(time * RATE), symbol, 1, 0]


def _word(time, position, length):
    return [round(time * RATE), None, position, length]


def test_phonemes_follow_each_other_to_the_end():
    events = [_phoneme(0.1, "m"), _phoneme(0.3, "ˈa"), _phoneme(0.6, "s"), _phoneme(0.8, "")]
    found, _ = timing.from_events(events, _sound((0, 0.1), (0.8, 1.0)), RATE, "mass")
    assert [p.symbol for p in found] == ["", "m", "ˈa", "s", ""]
    assert [p.start for p in found] == [0, 0.1, 0.3, 0.6, 0.8]
    assert [p.end for p in found] == [0.1, 0.3, 0.6, 0.8, 1.0]
    assert all(p.burst is None for p in found)


def test_a_closure_belongs_to_its_stop():
    events = [_phoneme(0, "a"), _phoneme(0.5, "p"), _phoneme(0.6, "a"), _phoneme(0.7, "b")]
    found, _ = timing.from_events(events, _sound((0.45, 0.5), (0.65, 0.7)), RATE, "apab")
    assert [p.symbol for p in found] == ["a", "p", "a", "b"]
    assert (found[1].start, found[1].burst, found[1].end) == (0.45, 0.5, 0.6)
    # A voiced stop sounds while it is closed: its event is the closing.
    assert (found[3].start, found[3].burst) == (0.7, None)


def test_only_the_end_of_a_pause_is_a_closure():
    events = [_phoneme(0, "a"), _phoneme(0.2, ""), _phoneme(0.6, "t")]
    found, _ = timing.from_events(events, _sound((0.2, 0.6)), RATE, "a t")
    assert [p.symbol for p in found] == ["a", "", "t"]
    assert found[2].start == 0.6 - timing.MAX_CLOSURE
    found, _ = timing.from_events([_phoneme(0.05, "t")], _sound((0, 0.05)), RATE, "t")
    assert [(p.symbol, p.start, p.burst) for p in found] == [("t", 0, 0.05)]


def test_a_pause_that_sounds_is_none():
    events = [_phoneme(0, "a"), _phoneme(0.2, ""), _phoneme(0.4, "e"), _phoneme(0.6, "")]
    found, _ = timing.from_events(events, _sound((0.8, 1.0)), RATE, "ae")
    assert [(p.symbol, p.end) for p in found] == [("a", 0.4), ("e", 0.8), ("", 1.0)]


def test_marks_that_are_no_sounds_are_left_out():
    events = [_phoneme(0, "a"), _phoneme(0.2, "ʲ"), _phoneme(0.3, "(en)"), _phoneme(0.5, "s")]
    found, _ = timing.from_events(events, _sound(), RATE, "as")
    assert [p.symbol for p in found] == ["a", "s"]


def test_events_that_fall_back_stay_in_order():
    events = [_phoneme(0.5, "a"), _phoneme(0.47, "s"), _phoneme(0.9, "m"), _phoneme(1.2, "a")]
    found, _ = timing.from_events(events, _sound(), RATE, "asm")
    assert all(p.end >= p.start for p in found)
    assert found[-1].end == 1.0
    assert all(a.end == b.start for a, b in itertools.pairwise(found))


def test_words_span_their_sounds():
    text = "up 19"
    events = [
        _word(0.0, 1, 2),
        _phoneme(0.1, "ʌ"),
        _phoneme(0.3, "p"),
        _phoneme(0.4, ""),
        _word(0.4, 4, 2),
        _phoneme(0.6, "n"),
        _word(0.7, 5, 1),
        _phoneme(0.8, "n"),
    ]
    _, words = timing.from_events(events, _sound((0, 0.1), (0.25, 0.3), (0.4, 0.6)), RATE, text)
    assert [(w.text, w.start, w.end) for w in words] == [("up", 0.1, 0.4), ("19", 0.6, 1.0)]


def test_nothing_is_silence():
    found, words = timing.from_events([], np.zeros(50, np.int16), RATE, "")
    assert [(p.symbol, p.start, p.end) for p in found] == [("", 0, 0.05)]
    assert words == ()
