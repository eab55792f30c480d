"""Phonemes: IPA symbols -> how they are articulated, and how they look.

The alphabet is the IPA chart (International Phonetic Association, Handbook, 1999; chart of 2020)
and the mnemonics that espeak-ng leaves untranslated in some languages. One alphabet serves every
language, so there is no table per language. A phoneme's name may hold several units ("aɪ", "tʃ",
"əl"): `units` splits it, `features` and `viseme` tell of one unit.

The 13 visemes join what lips, teeth and tongue tip show alike. Classes of consonants follow Fisher
1968, "Confusions among visually perceived consonants", J. Speech Hearing Res. 11 (p b m; f v;
w; sh ch; t d n s z l k g together) and Walden et al. 1977, "Effects of training on the visual
recognition of consonants", J. Speech Hearing Res. 20 (th; sh zh; alveolars apart from velars).
"""

from __future__ import annotations

import dataclasses
import unicodedata

VISEMES = (
    "sil",  # nothing to hear
    "pbm",  # lips touch, or nearly (β)
    "fv",  # lower lip at the upper teeth
    "th",  # tongue between the teeth
    "tdnszl",  # tongue tip behind the upper teeth
    "sh",  # teeth close, lips forward
    "kgh",  # all behind: lips follow their neighbours
    "r",  # English r: tip up, lips slightly forward
    "wuy",  # lips narrow and forward
    "o",  # lips rounded, open
    "a",  # wide open
    "ei",  # spread
    "schwa",  # neutral
)
SILENCE = ""
NEUTRAL = "ə"  # what stands for a symbol that is not known at all


@dataclasses.dataclass(frozen=True)
class Features:
    """How one unit is articulated.

    Attributes:
      kind: "silence", "vowel" or "consonant".
      place: of a consonant, "bilabial" to "glottal"; "" otherwise.
      manner: of a consonant, "plosive", "nasal", ...; "" otherwise.
      height: of a vowel, 0 close to 1 open in sixths (the chart's seven rows); 0 otherwise.
      backness: of a vowel, 0 front, 0.5 central, 1 back; 0 otherwise.
      is_rounded: lips are.
      is_voiced: vocal folds swing.
    """

    kind: str
    place: str = ""
    manner: str = ""
    height: float = 0.0
    backness: float = 0.0
    is_rounded: bool = False
    is_voiced: bool = False

    @property
    def is_stop(self) -> bool:
        """Whether the mouth is closed for a moment, and opens at once."""
        return self.manner in ("plosive", "implosive", "click")

    @property
    def closes_lips(self) -> bool:
        """Whether the lips touch all along: p b m and their like."""
        return self.place == "bilabial" and self.manner not in ("", "fricative")


# place, manner, voiceless symbols, voiced symbols
_CONSONANTS = (
    ("bilabial", "plosive", "p", "b"),
    ("bilabial", "nasal", "", "m"),
    ("bilabial", "trill", "", "ʙ"),
    ("bilabial", "fricative", "ɸ", "β"),
    ("bilabial", "implosive", "", "ɓ"),
    ("bilabial", "click", "ʘ", ""),
    ("labiodental", "nasal", "", "ɱ"),
    ("labiodental", "tap", "", "ⱱ"),
    ("labiodental", "fricative", "f", "v"),
    ("labiodental", "approximant", "", "ʋ"),
    ("dental", "fricative", "θ", "ð"),
    ("dental", "click", "ǀ", ""),
    ("alveolar", "plosive", "t", "d"),
    ("alveolar", "nasal", "", "n"),
    ("alveolar", "trill", "", "r"),
    ("alveolar", "tap", "", "ɾɺ"),
    ("alveolar", "fricative", "s", "z"),
    ("alveolar", "lateral", "ɬ", "lɮɫ"),
    ("alveolar", "approximant", "", "ɹ"),
    ("alveolar", "implosive", "", "ɗ"),
    ("alveolar", "click", "ǃǁ", ""),
    ("postalveolar", "fricative", "ʃɕɧ", "ʒʑ"),
    ("retroflex", "plosive", "ʈ", "ɖ"),
    ("retroflex", "nasal", "", "ɳ"),
    ("retroflex", "tap", "", "ɽ"),
    ("retroflex", "fricative", "ʂ", "ʐ"),
    ("retroflex", "lateral", "", "ɭ"),
    ("retroflex", "approximant", "", "ɻ"),
    ("retroflex", "implosive", "", "ᶑ"),
    ("palatal", "plosive", "c", "ɟ"),
    ("palatal", "nasal", "", "ɲ"),
    ("palatal", "fricative", "ç", "ʝ"),
    ("palatal", "lateral", "", "ʎ"),
    ("palatal", "approximant", "", "j"),
    ("palatal", "implosive", "", "ʄ"),
    ("palatal", "click", "ǂ", ""),
    ("velar", "plosive", "k", "ɡ"),
    ("velar", "nasal", "", "ŋ"),
    ("velar", "fricative", "x", "ɣ"),
    ("velar", "lateral", "", "ʟ"),
    ("velar", "approximant", "", "ɰ"),
    ("velar", "implosive", "", "ɠ"),
    ("uvular", "plosive", "q", "ɢ"),
    ("uvular", "nasal", "", "ɴ"),
    ("uvular", "trill", "", "ʀ"),
    ("uvular", "fricative", "χ", "ʁ"),
    ("uvular", "implosive", "", "ʛ"),
    ("pharyngeal", "fricative", "ħʜ", "ʕʢ"),
    ("pharyngeal", "plosive", "ʡ", ""),
    ("glottal", "plosive", "ʔ", ""),
    ("glottal", "fricative", "h", "ɦ"),
    ("labiovelar", "approximant", "ʍ", "w"),
    ("labiopalatal", "approximant", "", "ɥ"),
)
# row of the chart in sixths; front, central, back; unrounded and rounded of each
_VOWELS = (
    (0, "i", "y", "ɨ", "ʉ", "ɯ", "u"),
    (1, "ɪ", "ʏ", "ᵻ", "ᵿ", "", "ʊ"),
    (2, "e", "ø", "ɘ", "ɵ", "ɤ", "o"),
    (3, "", "", "ə", "", "", ""),
    (4, "ɛ", "œ", "ɜ", "ɞ", "ʌ", "ɔ"),
    (5, "æ", "", "ɐ", "", "", ""),
    (6, "a", "ɶ", "", "", "ɑ", "ɒ"),
)
# Ligatures, small letters, look-alikes, and espeak-ng's mnemonics where it gives no IPA.
_ALIASES = {
    "g": "ɡ",
    "ε": "ɛ",
    "ʦ": "ts",
    "ʣ": "dz",
    "ʧ": "tʃ",
    "ʤ": "dʒ",
    "ʨ": "tɕ",
    "ʥ": "dʑ",
    "ɚ": "əɹ",
    "ɝ": "ɜɹ",
    "ʷ": "w",
    "ᵐ": "m",
    "ⁿ": "n",
    "ᵑ": "ŋ",
    "?": "ʔ",
    "A": "ɑ",
    "N": "ŋ",
    "S": "ʃ",
    "Z": "ʒ",
    "X": "χ",
}
# Stress, length, tone, secondary articulation, ties: change a unit, are none.
_MODIFIERS = frozenset("ˈˌːˑ.ʲʰʱʼˠˤᵝ˞˺‿|-+_`'\"*#^[];:!~%ˀˡ˥˦˧˨˩↗↘↓↑0123456789" + " \u200d\u0361")
_PRIMARY, _SECONDARY = "ˈ", "ˌ"


def _inventory() -> dict[str, Features]:
    """Every unit of the tables above."""
    found = {SILENCE: Features("silence")}
    for place, manner, *pair in _CONSONANTS:
        for is_voiced, symbols in enumerate(pair):
            is_rounded = place.startswith("labio") and place != "labiodental"
            for symbol in symbols:
                found[symbol] = Features(
                    "consonant",
                    place,
                    manner,
                    is_rounded=is_rounded,
                    is_voiced=bool(is_voiced),
                )
    for row, *symbols in _VOWELS:
        for column, symbol in enumerate(symbols):
            if symbol:
                found[symbol] = Features(
                    "vowel",
                    height=row / 6,
                    backness=column // 2 / 2,
                    is_rounded=column % 2 == 1,
                    is_voiced=True,
                )
    return found


INVENTORY = _inventory()


def units(symbol: str) -> tuple[str, ...]:
    """Returns the units of a phoneme's name, in order: "ˈaɪ" -> ("a", "ɪ").

    Stress, length, tone and diacritics are left out. A character that is not in the alphabet counts
    as its base letter, or else as `NEUTRAL`; `unknown` reports it.

    Args:
      symbol: the name; "" is silence.

    Returns:
      Keys of `INVENTORY`; none where the name holds modifiers only.
    """
    return (SILENCE,) if symbol == SILENCE else _split(symbol)[0]


def unknown(symbol: str) -> tuple[str, ...]:
    """Returns the characters of a phoneme's name that `units` had to guess.

    Args:
      symbol: the name.
    """
    return _split(symbol)[1]


def features(unit: str) -> Features:
    """Returns how a unit is articulated.

    Args:
      unit: one that `units` gives; any other counts as `NEUTRAL`.
    """
    return INVENTORY.get(unit, INVENTORY[NEUTRAL])


def viseme(unit: str) -> str:
    """Returns the viseme of a unit, one of `VISEMES`.

    Args:
      unit: one that `units` gives; any other counts as `NEUTRAL`.
    """
    found = features(unit)
    if found.kind == "silence":
        return "sil"
    return _vowel_viseme(found) if found.kind == "vowel" else _consonant_viseme(found)


def stress(symbol: str) -> int:
    """Returns 2 for primary stress, 1 for secondary, 0 for none.

    Args:
      symbol: a phoneme's name.
    """
    return 2 if _PRIMARY in symbol else int(_SECONDARY in symbol)


def _vowel_viseme(found: Features) -> str:
    """Rounded vowels by height, the others by height and place."""
    if found.is_rounded:
        return "wuy" if found.height < 0.3 else "o"
    if found.backness == 0.5 and 0.3 < found.height < 0.7:
        return "schwa"
    return "a" if found.height > (0.6 if found.backness else 0.7) else "ei"


def _consonant_viseme(found: Features) -> str:
    """By place; manner decides where a place shows in several ways."""
    if found.is_rounded:
        return "wuy"
    by_place = {"bilabial": "pbm", "labiodental": "fv", "dental": "th", "postalveolar": "sh"}
    if found.place in by_place:
        return by_place[found.place]
    if found.place in ("alveolar", "retroflex"):
        if found.manner == "approximant":
            return "r"
        is_hushing = found.place == "retroflex" and found.manner == "fricative"
        return "sh" if is_hushing else "tdnszl"
    return "kgh"


def _split(symbol: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(units, unknown characters) of a name."""
    found, guessed = [], []
    for character in unicodedata.normalize("NFC", symbol):
        base = unicodedata.normalize("NFD", character)[0]
        if character in INVENTORY:
            found.append(character)
        elif character in _ALIASES:
            found += _ALIASES[character]
        elif character in _MODIFIERS or unicodedata.combining(character):
            continue
        elif base in INVENTORY:
            found.append(base)  # a letter with diacritics
        else:
            letter = unicodedata.normalize("NFKD", character)[0].lower()
            guessed.append(character)
            found.append(letter if letter in INVENTORY else NEUTRAL)
    return tuple(found), tuple(guessed)
