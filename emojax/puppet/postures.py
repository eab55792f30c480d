"""The table of postures: what lips, jaw and tongue tip want to do for each sound of speech.

Fields and units are those of `visemes.Articulation`. Targets of vowels follow from their place in
the chart, those of consonants from their class. Orders (what is wider, what is higher than what)
follow the sources that stand beside the tables; the values were set by hand and eye.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from emojax.speech import phonemes

# Targets (lips_part, jaw, width, pucker) of vowels at the close and the open end; between them by
# height. Order after Fromkin 1964, "Lip positions in American English vowels", Language & Speech 7,
# and Abry & Boë 1986, "Laws for lips", Speech Communication 5: lips' height grows with openness,
# width shrinks and protrusion grows with rounding, most for close vowels. Values are ours.
VOWELS = {
    "front": ((0.36, 0.10, 0.75, 0.0), (0.80, 0.70, 0.25, 0.0)),
    "back": ((0.34, 0.14, 0.25, 0.0), (0.85, 0.78, 0.0, 0.0)),
    "rounded": ((0.15, 0.14, -0.90, 0.95), (0.60, 0.62, -0.35, 0.30)),
}
VOWEL_STRENGTH = (1.0, 1.0, 1.0, 1.0)
SCHWA_STRENGTH = (0.6, 0.6, 0.4, 0.4)
# Targets and strengths of the others. The jaw is highest and varies least in sibilants, is high in
# t d n f v, free in k g and h: Keating et al. 1994, "Variability in jaw height for segments in
# English and Swedish VCVs", J. Phonetics 22. Lips are free in t d n s z k g h. Values are ours.
OTHERS = {
    "silence": ((0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0)),
    "bilabial": ((0.0, 0.16, 0.0, 0.05), (1.5, 0.6, 0.15, 0.15)),
    "labiodental": ((0.12, 0.12, 0.1, 0.0), (1.2, 0.8, 0.3, 0.3)),
    "dental": ((0.32, 0.20, 0.15, 0.0), (0.6, 0.8, 0.15, 0.15)),
    "alveolar": ((0.32, 0.14, 0.2, 0.0), (0.35, 0.8, 0.1, 0.08)),
    "sibilant": ((0.34, 0.04, 0.35, 0.0), (0.6, 1.5, 0.3, 0.15)),
    "hushing": ((0.36, 0.07, -0.35, 0.65), (0.9, 1.3, 1.0, 1.3)),
    "english r": ((0.28, 0.20, -0.3, 0.4), (0.5, 0.5, 0.5, 0.6)),
    "palatal": ((0.32, 0.12, 0.55, 0.0), (0.4, 0.7, 0.4, 0.25)),
    "velar": ((0.35, 0.30, 0.0, 0.0), (0.15, 0.4, 0.04, 0.04)),
    "glottal": ((0.40, 0.35, 0.0, 0.0), (0.03, 0.03, 0.02, 0.02)),
    "labiovelar": ((0.10, 0.15, -0.9, 1.0), (1.2, 0.6, 1.5, 1.5)),
}
# How tightly a contact closes, by class; 1 is shut.
PRESS_CLOSED, PRESS_NARROW = 1.0, 0.55  # p b m; the bilabial fricatives of Spanish b
BITE_FRICATIVE, BITE_APPROXIMANT = 1.0, 0.6  # f v; Dutch and Hindi w
TONGUE = {"dental": 1.0, "lateral": 0.85, "alveolar": 0.7, "sibilant": 0.35, "english r": 0.3}


class Posture(NamedTuple):
    """What one unit of a phoneme asks for.

    Attributes:
      target: float64 [4] of lips_part, jaw, width, pucker.
      strength: float64 [4], above 0: how much it insists against its neighbours.
      contacts: press, bite, tongue, 0 to 1.
      is_silent: nothing to hear.
    """

    target: np.ndarray
    strength: np.ndarray
    contacts: tuple[float, float, float]
    is_silent: bool


@functools.cache
def posture(unit: str) -> Posture:
    """Returns the posture of a unit of a phoneme.

    Args:
      unit: one that `phonemes.units` gives; any other counts as neutral.
    """
    found = phonemes.features(unit)
    if found.kind == "vowel":
        target, strength = _vowel(found)
        return Posture(target, strength, (0.0, 0.0, 0.0), False)
    name = _class(found)
    target, strength = OTHERS[name]
    contacts = (_press(found), _bite(found), _tongue(found, name))
    return Posture(np.array(target), np.array(strength), contacts, found.kind == "silence")


def _vowel(found: phonemes.Features) -> tuple[np.ndarray, np.ndarray]:
    """(target, strength) by height; central vowels stand between front and back."""
    ends = {name: np.array(corners) for name, corners in VOWELS.items()}
    if found.is_rounded:
        corners = ends["rounded"]
    else:
        corners = (1 - found.backness) * ends["front"] + found.backness * ends["back"]
    is_schwa = found.backness == 0.5 and 0.3 < found.height < 0.6 and not found.is_rounded
    strength = SCHWA_STRENGTH if is_schwa else VOWEL_STRENGTH
    return corners[0] + found.height * (corners[1] - corners[0]), np.array(strength)


def _class(found: phonemes.Features) -> str:
    """The row of `OTHERS`."""
    if found.kind == "silence":
        return "silence"
    if found.is_rounded:
        return "labiovelar"
    if found.manner == "fricative" and found.place in ("alveolar", "postalveolar", "retroflex"):
        return "sibilant" if found.place == "alveolar" else "hushing"
    if found.manner == "approximant" and found.place in ("alveolar", "retroflex"):
        return "english r"
    rows = {"retroflex": "alveolar", "uvular": "velar", "pharyngeal": "velar"}
    return rows.get(found.place, found.place)


def _press(found: phonemes.Features) -> float:
    """How tightly the lips are held together."""
    if found.closes_lips:
        return PRESS_CLOSED
    return PRESS_NARROW if found.place == "bilabial" else 0.0


def _bite(found: phonemes.Features) -> float:
    """How near the lower lip is to the upper teeth."""
    if found.place != "labiodental":
        return 0.0
    return BITE_APPROXIMANT if found.manner == "approximant" else BITE_FRICATIVE


def _tongue(found: phonemes.Features, name: str) -> float:
    """How far the tip is up."""
    is_lateral = found.manner == "lateral" and name == "alveolar"
    return TONGUE["lateral"] if is_lateral else TONGUE.get(name, 0.0)
