"""How a voice sounds at a point of the disc of emotions: rate, pitch and range, times the usual.

Arousal is heard, valence hardly: listeners' ratings of activation followed from 20 acoustic cues,
speech rate, mean pitch and intensity among them, those of valence did not (Laukka, Juslin & Bresin
2005, "A dimensional approach to vocal expression of emotion", Cognition & Emotion 19(5); see also
Scherer 2003, "Vocal communication of emotion", Speech Communication 40). Murray & Arnott (1993,
"Toward the simulation of emotion in synthetic speech", J. Acoust. Soc. Am. 93(2), Table 1) list for
joy, sorrow, anger and fear: pitch much higher, slightly lower, very much and very much higher;
range much wider, slightly narrower, much and much wider; rate faster or slower, slightly slower,
slightly and much faster. The functions below have these signs; their sizes are a choice of this
project, made for a voice that stays intelligible and one speaker's.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from emojax.speech import espeak

# Natural logarithm of the factor at arousal 1, and at valence 1 (pleasant voices are livelier).
RATE = (0.18, 0.03)  # a fifth faster: from 150 to 180 words a minute
PITCH = (0.24, 0.02)  # four semitones
RANGE = (0.50, 0.10)  # from two thirds to one and a half
# Calm lowers less than excitement raises ("slightly" against "much" in Murray & Arnott).
CALM_SHARE = 0.5

# What espeak-ng's options do, measured on two of its voices: one unit of `pitch` is 0.9 % of the
# fundamental frequency, its extent in semitones is proportional to `range`, and falls as the pitch
# rises (the extent in Hz stays).
PITCH_UNIT = 0.0091  # natural logarithm


class VoiceSettings(NamedTuple):
    """Factors on a voice's usual values; 1 is neutral.

    Attributes:
      rate: of words a second.
      pitch: of the mean fundamental frequency.
      range: of the extent of pitch movements about the mean.
    """

    rate: float
    pitch: float
    range: float


def voice_settings(valence: float, arousal: float) -> VoiceSettings:
    """Returns how an emotion changes a voice.

    Args:
      valence: -1 to 1.
      arousal: -1 to 1.
    """
    excited = arousal if arousal > 0 else CALM_SHARE * arousal
    return VoiceSettings(*(math.exp(a * excited + v * valence) for a, v in (RATE, PITCH, RANGE)))


def espeak_options(
    settings: VoiceSettings, *, rate: float = 175.0, pitch: float = 50.0, range: float = 50.0
) -> dict[str, float]:
    """Returns options of `emojax.speech.espeak.speak`, within its limits.

    Args:
      settings: factors on what follows.
      rate: the voice's usual words a minute.
      pitch: its usual pitch, 0 to 99.
      range: its usual range, 0 to 100.
    """
    wanted = {
        "rate": rate * settings.rate,
        "pitch": pitch + math.log(settings.pitch) / PITCH_UNIT,
        "range": range * settings.range * settings.pitch,
    }
    limits = {name: espeak.LIMITS[name] for name in wanted}
    return {name: min(max(wanted[name], low), high) for name, (low, high) in limits.items()}
