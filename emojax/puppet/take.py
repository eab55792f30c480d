"""A take: one actor, one sound, and what the actor does while it is heard. Not yet filmed.

Sound is 16 kHz and exactly as long as the T frames at 25 fps; frame t shows the instant t / 25 s of
it. Speech comes from espeak-ng with the times of its phonemes, sentence by sentence: each is spoken
with the rate, pitch and range of the emotion at its time. Of any other sound nobody knows the
phonemes: lips follow its energy, and `Take.phonemes` is None.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence

import jax
import numpy as np

from emojax.data import audio, files
from emojax.data.errors import DataError
from emojax.puppet import acting, mood, visemes
from emojax.puppet import voice as voices
from emojax.puppet.acting import Performance
from emojax.puppet.mood import Course
from emojax.puppet.population import Actor
from emojax.puppet.visemes import Articulation
from emojax.speech import espeak, sentences
from emojax.speech.timing import Phoneme, Word

HOP = audio.RATE // files.FPS  # samples a frame
LEAD, TRAIL = 0.4, 0.5  # seconds of silence around speech
PAUSE = 0.30  # seconds between sentences, besides what espeak-ng leaves
SHORTEST = 1.0  # seconds of a film
LONGEST = espeak.MAX_SECONDS
_HOPELESS = 1.5  # a text whose estimate exceeds the limit so far is not even begun
_ROUNDING = 1e-6  # frames that are none


@dataclasses.dataclass(frozen=True)
class Take:
    """What is to be filmed.

    Attributes:
      actor: who.
      performance: what he does in T frames.
      articulation: of his lips, T frames.
      samples: float32 [640 T] at 16 kHz, mono.
      phonemes: with their times, or None where they are not known.
      words: with their times; none where they are not known.
      text: that is spoken, "" where it is not known.
      voice: that speaks, "" where it is not known.
    """

    actor: Actor
    performance: Performance
    articulation: Articulation
    samples: np.ndarray
    phonemes: tuple[Phoneme, ...] | None
    words: tuple[Word, ...]
    text: str
    voice: str

    def __len__(self) -> int:
        """Number of frames T."""
        return len(self.performance.va)


def say(
    actor: Actor,
    text: str,
    *,
    voice: str | None = None,
    course: Course = mood.neutral,
    seconds: float | None = None,
) -> Take:
    """Returns a take of an actor who speaks a text.

    Args:
      actor: who speaks.
      text: plain.
      voice: of espeak-ng; the actor's own by default.
      course: of emotion, asked for the number of frames.
      seconds: length of the film; as long as the text takes by default. What is left is silent.

    Raises:
      DataError: nothing to say, more than `LONGEST` seconds or than `seconds`, no such voice, or
        espeak-ng is not installed.
    """
    # Of marks alone espeak-ng reads some aloud ("%"), and says of the others what is wrong.
    parts = _split(text) or (text,)
    return _spoken(actor, parts, voice or actor.voice, course, seconds)


def talk(
    actor: Actor,
    seconds: float,
    *,
    voice: str | None = None,
    course: Course = mood.neutral,
) -> Take:
    """Returns a take of an actor who speaks sentences of the package for so many seconds.

    Args:
      actor: who speaks; the seed also chooses the sentences.
      seconds: length of the film.
      voice: of espeak-ng; the actor's own by default.
      course: of emotion, asked for the number of frames.

    Raises:
      DataError: a length out of range, no such voice, no sentences in its language, or espeak-ng is
        not installed.
    """
    _check_length(seconds)
    _, voice = espeak.find_voice(voice or actor.voice)
    chosen = sentences.pick(actor.seed, voice, 1.6 * seconds + 5)
    return _spoken(actor, chosen, voice, course, seconds, fill=True)


def sound(
    actor: Actor,
    samples: np.ndarray,
    *,
    course: Course = mood.neutral,
    seconds: float | None = None,
) -> Take:
    """Returns a take of an actor whose lips follow the energy of a sound.

    Args:
      actor: who moves.
      samples: float32 [N] at 16 kHz, mono, -1 to 1.
      course: of emotion, asked for the number of frames.
      seconds: length of the film, whose last frame is whole; as long as the sound by default. What
        is left is silent, and of a longer sound only the beginning is heard.

    Raises:
      DataError: the length is out of range.
    """
    lasts = len(samples) / audio.RATE if seconds is None else seconds
    _check_length(lasts)
    num_frames = _count(lasts)
    samples = _whole_frames(samples, num_frames)
    moved = visemes.from_energy(samples, num_frames)
    performance = _perform(actor, moved, samples, course(num_frames))
    return Take(actor, performance, moved, samples, None, (), "", "")


def _spoken(actor, parts, name, course, seconds, *, fill=False) -> Take:
    """A take of sentences; `fill` leaves out those that do not fit, and cuts the first."""
    if seconds is not None:
        _check_length(seconds)
    limit = LONGEST if seconds is None else seconds
    count = len(" ".join(parts).split())
    if not fill and _estimate(parts, name) > _HOPELESS * limit:
        raise _too_long(limit, seconds, count)
    # How a sentence sounds depends on when it is said, and that on how fast those before were.
    # Of an unknown length, twice the estimate: keyframes near the end must not seem beyond it.
    guess = math.ceil(files.FPS * (seconds or 2 * _estimate(parts, name)))
    plan = course(guess)
    blocks, phonemes, words, said, now = [np.zeros(round(LEAD * audio.RATE))], [], [], [], LEAD
    for part in parts:
        moment = plan[min(int(now * files.FPS), len(plan) - 1)]
        settings = voices.voice_settings(float(moment[0]), float(moment[1]))
        options = voices.espeak_options(settings, rate=actor.rate, pitch=actor.pitch)
        speech = espeak.speak(part, voice=name, **options)
        if now + speech.duration + TRAIL > limit:
            if not fill:
                raise _too_long(limit, seconds, count)
            if said:
                break
        phonemes += _moved(speech.phonemes, now)
        words += _moved(speech.words, now)
        pause = np.zeros(round(PAUSE * audio.RATE))
        blocks += [speech.samples, pause]
        said.append(speech.text)
        now += speech.duration + len(pause) / audio.RATE
        if now > limit:
            break
    samples = np.float32(np.concatenate(blocks))
    num_frames = _count(max(seconds or now - PAUSE + TRAIL, SHORTEST))
    samples = _whole_frames(samples, num_frames)
    phonemes, words = (_until(num_frames / files.FPS, items) for items in (phonemes, words))
    moved = visemes.articulate(phonemes, num_frames, coarticulation=actor.coarticulation)
    performance = _perform(actor, moved, samples, course(num_frames))
    return Take(actor, performance, moved, samples, phonemes, words, " ".join(said), name)


def _perform(actor: Actor, moved: Articulation, samples, va) -> Performance:
    """What the actor does; the seed decides blinks, gaze, head and brows."""
    key = jax.random.fold_in(jax.random.key(actor.seed), 1)
    return acting.perform(key, moved, samples, va, style=actor.style)


def _split(text: str) -> tuple[str, ...]:
    """The sentences of a text; marks without a word belong to nobody."""
    parts = re.split(r"(?<=[.!?…。！？])\s+|\n\s*\n", text)
    return tuple(part.strip() for part in parts if any(c.isalnum() for c in part))


def _estimate(parts: Sequence[str], name: str) -> float:
    """Seconds that sentences will take, roughly."""
    pace = sentences.PACE.get(name[:2], 0.06)
    return LEAD + TRAIL + pace * sum(map(len, parts))


def _moved(items, by: float) -> list:
    """Phonemes or words, later."""
    result = []
    for item in items:
        change = {"start": item.start + by, "end": item.end + by}
        if getattr(item, "burst", None) is not None:
            change["burst"] = item.burst + by
        result.append(dataclasses.replace(item, **change))
    return result


def _until(end: float, items) -> tuple:
    """Phonemes or words that begin before the film's end, nothing of them after it."""
    result = []
    for item in items:
        if item.start < end:
            is_unheard = (getattr(item, "burst", None) or 0.0) > end
            change = {"burst": None} if is_unheard else {}
            result.append(dataclasses.replace(item, end=min(item.end, end), **change))
    return tuple(result)


def _count(seconds: float) -> int:
    """Frames of a film; the last is whole."""
    return math.ceil(seconds * files.FPS - _ROUNDING)


def _whole_frames(samples: np.ndarray, num_frames: int) -> np.ndarray:
    """Sound cut or continued by silence to whole frames."""
    samples = np.asarray(samples, np.float32)[: num_frames * HOP]
    return np.pad(samples, (0, num_frames * HOP - len(samples)))


def _check_length(seconds: float) -> None:
    """Refuses lengths that no film can have."""
    if not SHORTEST <= seconds <= LONGEST:
        raise DataError(
            expected=f"a length from {SHORTEST:g} to {LONGEST:g} seconds",
            got=f"{seconds:g} s",
            fix="Split what is longer into several films; 60 s give a good head.",
        )


def _too_long(limit: float, seconds: float | None, count: int) -> DataError:
    """What to say of a text that does not fit."""
    fix = "Shorten it, or split it into several films."
    return DataError(
        expected=f"a text that is spoken in {limit:g} s",
        got=f"one of {count:,} words that lasts longer",
        fix=fix if seconds is None else f"{fix[:-1]}, or leave the length out.",
    )
