"""Events of espeak-ng -> phonemes and words with their times, seconds.

An event marks where a phoneme's own sound begins. For a voiceless stop that is the burst: its
closure is silence at the end of whatever came before. Here the closure belongs to the stop, as in
phonetics, and `Phoneme.burst` keeps the event. All other times are the events', exact to a sample.

Phonemes follow each other without gaps from 0 to the end of the sound; silence is one of them.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from emojax.speech import phonemes

# Of a pause, silence is what stays this far below the loud level, dB, to its end, if it lasts MIN
# seconds. What sounds before is the end of the phoneme before: an echo, or a glide between vowels,
# which espeak-ng marks as a pause, too.
PAUSE_DB, MIN_PAUSE = -45.0, 0.03
LOUD_PERCENTILE = 95
# Closures of voiceless stops. Samples of int16 up to LEVEL are silence; a shorter silence than MIN,
# s, is none; of a pause before a word, only as much as MAX, s, belongs to the stop. Closures last
# 50 to 120 ms: Umeda 1977, "Consonant duration in American English", J. Acoust. Soc. Am. 61.
CLOSURE_LEVEL, MIN_CLOSURE, MAX_CLOSURE = 3, 0.01, 0.08


@dataclasses.dataclass(frozen=True)
class Phoneme:
    """One sound of speech.

    Attributes:
      symbol: IPA with stress and length marks; "" is silence. `phonemes.units` splits it.
      start: seconds.
      end: seconds.
      burst: when a voiceless stop opens, seconds; None for all others.
    """

    symbol: str
    start: float
    end: float
    burst: float | None = None


@dataclasses.dataclass(frozen=True)
class Word:
    """One word, as written; where the language joins words in speech, the first of them.

    Attributes:
      text: its letters.
      start: seconds.
      end: seconds.
    """

    text: str
    start: float
    end: float


def from_events(
    events: list, samples: np.ndarray, rate: int, text: str
) -> tuple[tuple[Phoneme, ...], tuple[Word, ...]]:
    """Returns the phonemes and words of a spoken text.

    Args:
      events: [sample, symbol or None for a word, position from 1, length] in espeak-ng's order;
        position and length of a word, in characters of the text.
      samples: int16 [S], the sound.
      rate: its samples a second.
      text: that was spoken.
    """
    sounds, marks, word_end = [(0, phonemes.SILENCE)], [], 0
    for event, symbol, position, length in events:
        # Where espeak-ng squeezes finished sound (voice "fast"), events may fall back by 30 ms.
        place = min(max(event, sounds[-1][0]), len(samples))
        if symbol is None:
            # A number is several words to espeak-ng, each a part of the first.
            if position > word_end:
                marks.append((place, text[position - 1 : position - 1 + length]))
                word_end = position + length - 1
        elif phonemes.units(symbol) and not symbol.startswith("("):
            # Left out: modifiers alone, the sound before goes on; "(en)", the language changes.
            sounds.append((place, symbol))
    found = _phonemes(sounds, samples, rate)
    return found, _words(marks, found, len(samples), rate)


def _phonemes(sounds: list, samples: np.ndarray, rate: int) -> tuple[Phoneme, ...]:
    """Phonemes of (event's sample, symbol)."""
    quiet = _quiet_level(samples, rate)
    ends = [place for place, _ in sounds[1:]] + [len(samples)]
    result = []  # (symbol, start, burst)
    for (place, symbol), end in zip(sounds, ends, strict=True):
        if symbol == phonemes.SILENCE:
            is_new = not result or result[-1][0] != phonemes.SILENCE
            start = place + _fade(samples[place:end], quiet, rate) if result else place
            if is_new and (end - start >= MIN_PAUSE * rate or not result):
                result.append((symbol, start, None))
            continue
        first = phonemes.features(phonemes.units(symbol)[0])
        start = place
        if first.is_stop and not first.is_voiced and result:
            is_pause = result[-1][0] == phonemes.SILENCE
            start = _closure(samples, result[-1][1], place, rate, is_pause=is_pause)
        if result and result[-1][1] == start:
            result.pop()  # a pause that was all closure
        result.append((symbol, start, place if start < place else None))
    bounds = [start for _, start, _ in result] + [len(samples)]
    return tuple(
        Phoneme(symbol, start / rate, end / rate, None if burst is None else burst / rate)
        for (symbol, start, burst), end in zip(result, bounds[1:], strict=True)
    )


def _closure(samples: np.ndarray, first: int, burst: int, rate: int, *, is_pause: bool) -> int:
    """The sample at which the silence before a burst begins, at or after `first`."""
    # A sound keeps at least a third of its span, whatever its own level.
    floor = first if is_pause else first + (burst - first) // 3
    floor = max(floor, burst - round(MAX_CLOSURE * rate))
    loud = np.flatnonzero(np.abs(samples[floor:burst].astype(np.int32)) > CLOSURE_LEVEL)
    start = floor + (int(loud[-1]) + 1 if len(loud) else 0)
    return start if burst - start >= MIN_CLOSURE * rate else burst


def _fade(samples: np.ndarray, quiet: float, rate: int) -> int:
    """Samples of a pause that still sound."""
    levels, size = _levels(samples, rate)
    loud = np.flatnonzero(levels > quiet)
    return (int(loud[-1]) + 1) * size if len(loud) else 0


def _quiet_level(samples: np.ndarray, rate: int) -> float:
    """The level below which a pause is silent, relative to the loud parts of the speech."""
    levels, _ = _levels(samples, rate)
    loud = np.percentile(levels, LOUD_PERCENTILE) if len(levels) else 0.0
    return float(loud) * 10 ** (PAUSE_DB / 20)


def _levels(samples: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    """(root mean square of each whole block of 10 ms, samples of a block)."""
    size = max(1, rate // 100)
    blocks = samples[: len(samples) // size * size].reshape(-1, size)
    return np.sqrt(np.mean(np.square(blocks, dtype=np.float32), axis=1)), size


def _words(
    marks: list, found: tuple[Phoneme, ...], num_samples: int, rate: int
) -> tuple[Word, ...]:
    """Words of (event's sample, text): from their first sound to their last."""
    sounding = [p for p in found if p.symbol != phonemes.SILENCE]
    events = np.array([p.start if p.burst is None else p.burst for p in sounding])
    # Half a sample of slack: the events were whole samples.
    places = np.array([place for place, _ in marks] + [num_samples]) / rate - 0.5 / rate
    bounds = np.searchsorted(events, places)
    return tuple(
        Word(text, sounding[first].start, sounding[last - 1].end)
        for (_, text), first, last in zip(marks, bounds[:-1], bounds[1:], strict=True)
        if last > first
    )
