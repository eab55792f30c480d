"""Phonemes and their times -> what lips, jaw and tongue tip show, with coarticulation.

Two kinds of movement. Postures (lips_part, jaw, width, pucker) are blended: every sound has a
target, and a dominance that is 1 around its middle and falls exponentially before and after; the
posture is the mean of the targets, weighted by strength times dominance:

    posture(t) = sum_s strength_s D_s(t) target_s / sum_s strength_s D_s(t),   D = exp(-rate |tau|)

Cohen & Massaro 1993, "Modeling coarticulation in synthetic visual speech", after Löfqvist 1990,
"Speech as audible gestures". A sound that says nothing of an articulator has a small strength there
and takes its neighbours' posture. Here tau counts from the sound's core, not from its middle as in
the paper: long vowels and pauses hold their target.

Contacts (press, bite, tongue) touch or do not, and means with neighbours would never close: each is
the greatest of its sounds' curves, exactly its target during the hold and Gaussian outside. A hold
shorter than a picture is stretched to one, about its middle, so that every closure is seen.

In silence everything rests, exactly 0, from a quarter of a second after a sound to a fifth of a
second before the next. Frame i shows the instant i / fps. Nothing moves faster than `MAX_STEP`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from emojax.data import audio
from emojax.puppet import postures
from emojax.speech import phonemes as inventory
from emojax.speech.timing import Phoneme


class Articulation(NamedTuple):
    """What a mouth does in each frame; every field float32 [T].

    Attributes:
      lips_part: 0 touching to 1 widest apart, of speech; the lips' share, beyond the jaw's.
      jaw: 0 teeth together to 1 as far down as in a loud "ah".
      width: -1 narrowed as in "oo" to 1 spread as in "ee".
      pucker: 0 to 1 lips as far forward as in "oo".
      press: 0 to 1 lips held together: p b m.
      bite: 0 to 1 lower lip at the upper teeth: f v.
      tongue: 0 to 1 tip up, at or between the upper teeth: th l t d n.
    """

    lips_part: np.ndarray
    jaw: np.ndarray
    width: np.ndarray
    pucker: np.ndarray
    press: np.ndarray
    bite: np.ndarray
    tongue: np.ndarray


@dataclasses.dataclass(frozen=True)
class Coarticulation:
    """The constants of a way of speaking; another set is another speaker.

    Attributes:
      attack: of lips_part, jaw, width, pucker before a sound, 1/s: how late it is prepared.
        Rounding begins early, some 0.1 to 0.3 s ahead: Perkell & Matthies 1992, "Temporal measures
        of anticipatory labial coarticulation for the vowel /u/", J. Acoust. Soc. Am. 91.
      decay: the same after a sound.
      closing: width of a contact's Gaussian flank before the hold, s.
      opening: the same after the hold; releases are faster than closings.
      effort: scales jaw and lips_part, 1 is clear speech, 0.6 mumbled.
      stress: the same for vowels without, with secondary, with primary stress: de Jong 1995, "The
        supraglottal articulation of prominence in English", J. Acoust. Soc. Am. 97.
      rise: a mouth leaves rest this long before the first sound, s.
      fall: it is back at rest this long after the last sound, s.
    """

    attack: tuple[float, float, float, float] = (24.0, 18.0, 18.0, 14.0)
    decay: tuple[float, float, float, float] = (24.0, 16.0, 18.0, 18.0)
    closing: float = 0.032
    opening: float = 0.028
    effort: float = 1.0
    stress: tuple[float, float, float] = (0.88, 1.0, 1.12)
    rise: float = 0.20
    fall: float = 0.25


# Most that a field changes in a frame of 40 ms. With 15 mm between wide open lips, 20 mm of jaw, 10
# mm from neutral to the widest, and 10 mm of protrusion, these are 0.26, 0.15, 0.15 and 0.09 m/s.
# Lips meet in stops at up to about 0.25 m/s: Löfqvist & Gracco 1997, "Lip and jaw kinematics in
# bilabial stop consonant production", J. Speech Lang. Hear. Res. 40. Contacts may come within one
# frame: they are the end of a way, not the way.
MAX_STEP = Articulation(0.7, 0.3, 0.6, 0.35, 1.0, 1.0, 1.0)

# A sound's core begins this share of it, at most so many seconds, after its start; ends likewise.
CORE_SHARE, CORE_SECONDS = 0.3, 0.04
# Holds. Where the burst of a voiceless stop is not known, it comes after this share of the stop;
# voiced stops open this many seconds before their voice's vowel begins.
BURST_SHARE, VOICED_RELEASE = 0.55, 0.01
SLACK = 1e-6  # seconds; smaller gaps and overlaps are rounding
REACH = 1.0  # seconds; dominance beyond is below exp(-10)

# Sound without phonemes. Levels relative to the loud ones, dB, at which lips are shut and open.
SHUT_DB, OPEN_DB = -30.0, 0.0
SILENT_DB = -60.0  # dBFS, whatever the loud level is
WINDOW = 0.050  # seconds
# Bands, Hz. The first formant moves from the first to the second as the jaw falls; the second
# formant of spread vowels fills the third, rounded ones leave it empty; the last is hiss.
CLOSE_BAND, OPEN_BAND, SPREAD_BAND, HISS_BAND = (150, 600), (600, 1100), (1200, 3500), (3500, 7800)
# Medians and spreads of ratios of bands, dB, over espeak-ng's vowels in four languages.
JAW_RATIO, JAW_SPREAD = -9.0, 14.0
WIDTH_RATIO, WIDTH_SPREAD = -9.0, 12.0


@dataclasses.dataclass(frozen=True)
class _Sound:
    """One unit of a phoneme, in time."""

    start: float
    end: float  # of the hold; the breath after a burst already goes to the next sound
    posture: postures.Posture


def articulate(
    phonemes: Sequence[Phoneme],
    num_frames: int,
    *,
    fps: float = 25.0,
    coarticulation: Coarticulation = Coarticulation(),
) -> Articulation:
    """Returns the movements of a mouth that says phonemes.

    Args:
      phonemes: ascending; time that none covers is silent.
      num_frames: T.
      fps: frames a second; frame i shows the instant i / fps.
      coarticulation: the speaker's constants.

    Raises:
      ValueError: phonemes overlap, or end before they start.
    """
    sounds = _sounds(phonemes, num_frames / fps, coarticulation)
    time = np.arange(num_frames) / fps
    top, bottom = np.zeros((num_frames, 4)), np.zeros((num_frames, 4))
    contacts = np.zeros((num_frames, 3))
    attack, decay = np.array(coarticulation.attack), np.array(coarticulation.decay)
    for sound in sounds:
        first, last = np.searchsorted(time, (sound.start - REACH, sound.end + REACH))
        near = time[first:last]
        edge = min(CORE_SHARE * (sound.end - sound.start), CORE_SECONDS)
        before = np.maximum(sound.start + edge - near, 0)[:, None]
        after = np.maximum(near - sound.end + edge, 0)[:, None]
        weight = sound.posture.strength * np.exp(-attack * before - decay * after)
        top[first:last] += weight * sound.posture.target
        bottom[first:last] += weight
        if any(sound.posture.contacts):
            curve = _contact(near, sound, 1 / fps, coarticulation)[:, None]
            np.maximum(
                contacts[first:last], curve * sound.posture.contacts, out=contacts[first:last]
            )
    awake = _awake(time, sounds, 1 / fps, coarticulation)[:, None]
    blended, contacts = awake * top / np.maximum(bottom, 1e-30), awake * contacts
    blended[:, 0] *= 1 - contacts[:, 0]
    return _clipped(blended, contacts)


def from_energy(samples: np.ndarray, num_frames: int, *, fps: float = 25.0) -> Articulation:
    """Returns movements for a sound whose phonemes are not known: a rough guess.

    Loudness opens the mouth, the band of the first formant says how far the jaw falls, the
    spectrum's tilt spreads or rounds the lips, hiss raises the jaw. Which stops close the lips, and
    f from s, cannot be told by energy: press, bite and tongue stay 0.

    Args:
      samples: float32 [S] at 16 kHz, mono, in [-1, 1].
      num_frames: T.
      fps: frames a second; frame i shows the instant i / fps.
    """
    size = round(WINDOW * audio.RATE)
    centres = np.round(np.arange(num_frames) / fps * audio.RATE).astype(int)
    needed = max(len(samples), int(centres.max(initial=0))) + size
    padded = np.pad(np.asarray(samples, np.float64), (size // 2, needed - len(samples)))
    window = np.hanning(size)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[centres] * window
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 / np.sum(window**2) / size
    hertz = np.fft.rfftfreq(size, 1 / audio.RATE)

    def level(low: float, high: float) -> np.ndarray:
        inside = (hertz >= low) & (hertz < high)
        return 10 * np.log10(2 * power[:, inside].sum(axis=1) + 1e-12)

    loudness = level(CLOSE_BAND[0], HISS_BAND[1])
    loud = max(np.percentile(loudness, 95), SILENT_DB + 20) if num_frames else 0.0
    is_heard = _smooth((loudness - SILENT_DB) / 10)
    opening = is_heard * _smooth((loudness - loud - SHUT_DB) / (OPEN_DB - SHUT_DB))
    spread, low = level(*SPREAD_BAND), level(CLOSE_BAND[0], OPEN_BAND[1])
    hiss = _smooth((level(*HISS_BAND) - np.maximum(low, spread)) / 12 + 0.5)
    fall = np.clip((level(*OPEN_BAND) - level(*CLOSE_BAND) - JAW_RATIO) / JAW_SPREAD, -1, 1)
    tilt = np.clip((spread - low - WIDTH_RATIO) / WIDTH_SPREAD, -1, 1) * (1 - hiss)
    jaw = opening * (1 - 0.7 * hiss) * (0.35 + 0.25 * fall)
    lips = opening * (1 - 0.3 * hiss) * (0.45 + 0.15 * fall)
    width, pucker = 0.5 * opening * tilt, 0.5 * opening * np.maximum(-tilt, 0)
    moved = _even(np.stack([lips, jaw, width, pucker], axis=1))
    return _clipped(moved, np.zeros((num_frames, 3)))


def _clipped(blended: np.ndarray, contacts: np.ndarray) -> Articulation:
    """Float32 fields within their bounds."""
    low = np.array([0, 0, -1, 0, 0, 0, 0])
    values = np.clip(np.concatenate([blended, contacts], axis=1), low, 1).astype(np.float32)
    return Articulation(*np.ascontiguousarray(values.T))


def _sounds(phonemes: Sequence[Phoneme], duration: float, how: Coarticulation) -> list[_Sound]:
    """Units of all phonemes, and silence where there are none, from well before to well after."""
    silence = postures.posture(inventory.SILENCE)
    result, now = [], -2 * REACH
    for phoneme in phonemes:
        if phoneme.end < phoneme.start or phoneme.start < now - SLACK:
            raise ValueError(f"phonemes overlap or end before they start: {phoneme}")
        if phoneme.start > now + SLACK:
            result.append(_Sound(now, phoneme.start, silence))
        result += _split(phoneme, how)
        now = phoneme.end
    end = max(duration, now) + 2 * REACH
    return [*result, _Sound(now, end, silence)]


def _split(phoneme: Phoneme, how: Coarticulation) -> list[_Sound]:
    """The units of a phoneme: a burst ends the first, the rest share the time."""
    units = inventory.units(phoneme.symbol)
    stress = how.effort * how.stress[inventory.stress(phoneme.symbol)]
    count = len(units)
    bounds = np.linspace(phoneme.start, phoneme.end, count + 1)
    if phoneme.burst is not None and count > 1:
        bounds[1:] = np.linspace(phoneme.burst, phoneme.end, count)
    result = []
    for index, unit in enumerate(units):
        start, end = float(bounds[index]), float(bounds[index + 1])
        found = inventory.features(unit)
        if found.is_stop and found.is_voiced:
            end = max(start, end - VOICED_RELEASE)
        elif found.is_stop and phoneme.burst is not None and index == 0:
            end = phoneme.burst
        elif found.is_stop and index == count - 1:
            end = start + BURST_SHARE * (end - start)
        scale = stress if found.kind == "vowel" else how.effort
        posture = postures.posture(unit)
        target = posture.target * np.array([scale, scale, 1, 1])
        result.append(_Sound(start, end, posture._replace(target=target)))
    return result


def _contact(time: np.ndarray, sound: _Sound, shortest: float, how: Coarticulation) -> np.ndarray:
    """1 during a hold of at least `shortest` seconds, Gaussian flanks."""
    missing = max(shortest * (1 + 1e-6) - (sound.end - sound.start), 0) / 2
    before = np.maximum(sound.start - missing - time, 0) / how.closing
    after = np.maximum(time - sound.end - missing, 0) / how.opening
    return np.exp(-(before**2) - after**2)


def _awake(
    time: np.ndarray, sounds: list[_Sound], shortest: float, how: Coarticulation
) -> np.ndarray:
    """0 at rest, 1 while anything sounds or is held, smooth between."""
    margin = shortest / 2  # a stretched hold reaches so far beyond its sound
    result = np.zeros(len(time))
    spoken = [sound for sound in sounds if not sound.posture.is_silent]
    for sound in spoken:
        first, last = np.searchsorted(
            time, (sound.start - margin - how.rise, sound.end + margin + how.fall)
        )
        near = time[first:last]
        rest = np.maximum(sound.start - margin - near, 0) / how.rise
        rest = rest + np.maximum(near - sound.end - margin, 0) / how.fall
        np.maximum(result[first:last], 1 - _smooth(rest), out=result[first:last])
    return result


def _smooth(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, with zero slope at both."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _even(values: np.ndarray) -> np.ndarray:
    """Means of three frames [T, C], weights 1 2 1: a mouth is slower than energy."""
    padded = np.pad(values, ((1, 1), (0, 0)), mode="edge" if len(values) else "constant")
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
