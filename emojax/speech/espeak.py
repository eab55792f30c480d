"""Text -> speech by espeak-ng: sound at 16 kHz, and when each phoneme and word is said.

Optional: `pip install 'emojax[speech]'` brings espeak-ng as a library (package espeakng_loader),
with 140 languages and 100 voice variants, offline. espeak-ng is under the GPL, version 3: nothing
of it is part of this package, and the package works without it.

Each call runs the library in a process of its own (`engine.py` says why): the same arguments give
the same bits, whatever was spoken before or is spoken at the same time, from any thread, and a
voice that crashes the library ends in an error instead of in the user's program. A call costs about
0.05 s, and a second for ten minutes of speech.

Times are seconds, exact to a sample of espeak-ng's 22.05 kHz; `timing.py` says what they mark.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import pathlib
import subprocess
import sys

import numpy as np

from emojax.data import audio
from emojax.data.errors import DataError
from emojax.speech.timing import Phoneme, Word, from_events

RATE = audio.RATE
# Options' ranges in espeak-ng's documentation; range is that of the pitch. From 450 words a minute
# on it squeezes finished sound instead, and its events lose their places.
LIMITS = {"rate": (80, 449), "pitch": (0, 99), "range": (0, 100), "volume": (0, 200)}
DEFAULT_VOICE = "en-gb"
MAX_SECONDS = 1800.0  # about 5,000 words, and less than 1 GB of memory
TIMEOUT = 120.0  # seconds for an answer; the longest speech takes 3
LAST = 255  # the priority that comes after all of espeak-ng's
INSTALL = "Install the extra: pip install 'emojax[speech]'"


@dataclasses.dataclass(frozen=True)
class Speech:
    """A text that was spoken.

    Attributes:
      samples: float32 [N] at 16 kHz, mono, in [-1, 1].
      phonemes: without gaps from 0 to `duration`, silence included.
      words: ascending.
      voice: that spoke, "en-gb+f3".
      text: that was spoken.
    """

    samples: np.ndarray = dataclasses.field(repr=False, compare=False)
    phonemes: tuple[Phoneme, ...]
    words: tuple[Word, ...]
    voice: str
    text: str

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / RATE


@dataclasses.dataclass(frozen=True)
class Voice:
    """A language or dialect that can be spoken, or a variant of the voice.

    Attributes:
      code: what `speak` takes: "en-gb", "de"; of a variant what follows the "+": "f3".
      name: in words.
      gender: "male", "female" or "".
      codes: all that name it, with espeak-ng's priority; lower wins.
      identifier: espeak-ng's own.
    """

    code: str
    name: str
    gender: str
    codes: tuple[tuple[int, str], ...] = dataclasses.field(repr=False)
    identifier: str = dataclasses.field(repr=False)


def speak(
    text: str,
    *,
    voice: str = DEFAULT_VOICE,
    rate: float = 175,
    pitch: float = 50,
    range: float = 50,
    volume: float = 100,
) -> Speech:
    """Returns a text, spoken.

    Args:
      text: plain; punctuation makes pauses. Read as written, without markup.
      voice: a code of `voices`, and after a "+" one of `variants` if wanted: "en-gb+f3". Case does
        not matter.
      rate: words a minute, 80 to 449.
      pitch: of the voice, 0 to 99.
      range: of the pitch over a sentence, 0 (monotone) to 100.
      volume: 0 to 200; beyond 100 loud sounds are squeezed.

    Raises:
      DataError: the extra is not installed, there is no such voice, an option is out of range, the
        text has nothing to say or lasts longer than `MAX_SECONDS`, or the library failed.
    """
    options = {"rate": rate, "pitch": pitch, "range": range, "volume": volume}
    for name, value in options.items():
        low, high = LIMITS[name]
        if not low <= value <= high:
            raise DataError(
                expected=f"{name} from {low} to {high}", got=f"{value}", fix=f"Set {name} there."
            )
    identifier, voice = find_voice(voice)
    # Control characters are espeak-ng's own commands. One for one: words keep their places.
    text = "".join(c if c.isprintable() else " " for c in text).strip()
    if not text:
        raise _nothing(text)
    answer, samples = _ask(
        task="speak",
        text=text,
        voice=identifier,
        max_seconds=MAX_SECONDS,
        **{name: round(value) for name, value in options.items()},
    )
    if answer["is_cut"]:
        raise DataError(
            expected=f"at most {MAX_SECONDS / 60:.0f} minutes of speech",
            got=f"a text of {len(text.split())} words that lasts longer",
            fix="Split it into chapters and speak them one by one.",
        )
    found, words = from_events(answer["events"], samples, answer["rate"], text)
    if not any(phoneme.symbol for phoneme in found):
        raise _nothing(text)
    waveform = audio.resample(samples.astype(np.float32) / 32768, answer["rate"], RATE)
    return Speech(np.clip(waveform, -1, 1), found, words, voice, text)


def pad(speech: Speech, *, before: float = 0.0, after: float = 0.0) -> Speech:
    """Returns speech with silence around it.

    Args:
      speech: any.
      before: seconds of silence, rounded to samples.
      after: seconds of silence, rounded to samples.
    """
    lead, trail = round(before * RATE), round(after * RATE)
    shift, duration = lead / RATE, (lead + len(speech.samples) + trail) / RATE
    moved = [
        dataclasses.replace(
            phoneme,
            start=phoneme.start + shift,
            end=phoneme.end + shift,
            burst=None if phoneme.burst is None else phoneme.burst + shift,
        )
        for phoneme in speech.phonemes
    ]
    first, last = moved[0], moved[-1]
    quiet = [Phoneme("", 0.0, first.start)] if lead else []
    rest = [Phoneme("", last.end, duration)] if trail else []
    words = (dataclasses.replace(w, start=w.start + shift, end=w.end + shift) for w in speech.words)
    return dataclasses.replace(
        speech,
        samples=np.pad(speech.samples, (lead, trail)),
        phonemes=(*quiet, *moved, *rest),
        words=tuple(words),
    )


def voices() -> tuple[Voice, ...]:
    """Returns the languages and dialects that can be spoken, by code.

    Raises:
      DataError: the extra is not installed, or the library failed.
    """
    return _listed()[0]


def variants() -> tuple[Voice, ...]:
    """Returns the variants of the voice, by code: `speak(text, voice="de+" + code)`.

    Raises:
      DataError: the extra is not installed, or the library failed.
    """
    return _listed()[1]


@functools.cache
def _listed() -> tuple[tuple[Voice, ...], tuple[Voice, ...]]:
    """(voices, variants), each sorted by code."""
    answer, _ = _ask(task="voices")
    result = []
    for kind in ("voices", "variants"):
        found = []
        for entry in answer[kind]:
            file = entry["identifier"].split("/")[-1].lower()
            codes = [(priority, code.lower()) for priority, code in entry["languages"]]
            # A variant is known by its file alone; a language's file names it, too, unless a
            # language has that code.
            codes = [(LAST, file)] if kind == "variants" else [*codes, (LAST, file)]
            is_taken = any(codes[0][1] == voice.code for voice in found)
            code = file if is_taken else codes[0][1]
            name, gender, identifier = entry["name"], entry["gender"], entry["identifier"]
            found.append(Voice(code, name, gender, tuple(codes), identifier))
        result.append(tuple(sorted(found, key=lambda voice: voice.code)))
    return result[0], result[1]


def find_voice(name: str) -> tuple[str, str]:
    """Returns espeak-ng's identifier of a voice, and its name in `speak`'s spelling.

    Args:
      name: as `speak` takes it, "en-GB+F3".

    Raises:
      DataError: no such voice, the extra is not installed, or the library failed.
    """
    language, plus, variant = name.lower().partition("+")
    ranked = [(p, v.identifier, v) for v in voices() for p, code in v.codes if code == language]
    if not ranked:
        raise _no_voice(name, language, [c for v in voices() for _, c in v.codes], "voices")
    found = min(ranked)[2]
    if not plus:
        return found.identifier, language
    for other in variants():
        if other.code == variant:
            # espeak-ng takes the name of the variant's file as it is written.
            file = other.identifier.split("/")[-1]
            return f"{found.identifier}+{file}", f"{language}+{other.code}"
    raise _no_voice(name, variant, [v.code for v in variants()], "variants")


def _no_voice(name: str, part: str, known: list[str], function: str) -> DataError:
    """What to say of a voice that does not exist; `function` lists those that do."""
    near = difflib.get_close_matches(part, known, n=4, cutoff=0.3) or sorted(set(known))[:4]
    return DataError(
        expected=f"a voice of espeak-ng, such as {DEFAULT_VOICE!r} or 'de+f3'",
        got=f"{name!r}",
        fix=f"Instead of {part!r} take {', '.join(dict.fromkeys(near))}; "
        f"emojax.speech.espeak.{function}() lists all.",
    )


def _nothing(text: str) -> DataError:
    """What to say of a text without anything to speak."""
    shown = repr(text if len(text) < 40 else text[:40] + "...")
    return DataError(
        expected="a text with words to speak",
        got=shown if text else "an empty text",
        fix="Write at least one word in the language of the voice.",
    )


def _ask(**task) -> tuple[dict, np.ndarray]:
    """(answer, samples int16) of the library in a process of its own."""
    library, data = _installed()
    script = pathlib.Path(__file__).with_name("engine.py")
    request = json.dumps({"library": library, "data": data, **task}).encode()
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(script)],
            input=request,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(task, f"no answer within {TIMEOUT:.0f} s") from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise _failed(task, lines[-1] if lines else f"its process ended with {done.returncode}")
    head, _, rest = done.stdout.partition(b"\n")
    return json.loads(head), np.frombuffer(rest, np.int16)


def _failed(task: dict, what: str) -> DataError:
    """What to say when the library fails."""
    return DataError(
        expected=f"espeak-ng to speak with voice {task.get('voice', '')!r}",
        got=what.rstrip("."),
        fix="Try another voice or text; if all fail, reinstall espeakng_loader.",
    )


def _installed() -> tuple[str, str]:
    """(path of the library, folder of its data)."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise DataError(
            expected="espeak-ng, which turns text into speech",
            got="no package espeakng_loader",
            fix=INSTALL,
        ) from error
    return espeakng_loader.get_library_path(), str(pathlib.Path(espeakng_loader.__file__).parent)
