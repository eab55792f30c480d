"""The espeak-ng library at work: a script that runs in a process of its own, one task a process.

The library keeps state that no call resets (the phase of its noise, the flutter of its voices, the
last voice): even after `espeak_Terminate` the same text differs in bits and by milliseconds. It is
neither thread safe nor re-entrant, sets the locale of its process, and seeds itself by the clock.
A fresh process with a set seed gives the same bits always, and can be killed.

`python -I -S engine.py` reads one JSON object from its standard input and writes one line of JSON,
then samples (int16, native order), to its standard output. Standard library only: it starts in
40 ms. The task is {"library": path, "data": folder that holds espeak-ng-data, "task": "voices"} or
"task": "speak" with text, voice (espeak's identifier), rate, pitch, range, volume, max_seconds.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

# speak_lib.h of espeak-ng 1.52
SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT
PHONEME_EVENTS, IPA, DONT_EXIT = 1, 2, 0x8000  # options of espeak_Initialize
UTF8 = 1  # flag of espeak_Synth
WORD, PHONEME = 1, 7  # espeak_EVENT_TYPE
PARAMETERS = {"rate": 1, "volume": 2, "pitch": 3, "range": 4}  # espeak_PARAMETER
MAX_SYMBOL = 8  # bytes of a phoneme's name in an event; no end mark when all are used
SEED = 1
GENDERS = ("", "male", "female")


class Event(ctypes.Structure):
    """espeak_EVENT; its last field is a union, as wide as `symbol`."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # characters, from 1
        ("length", ctypes.c_int),  # of a word, characters
        ("audio_position", ctypes.c_int),  # ms
        ("sample", ctypes.c_int),  # from the beginning of the text
        ("user_data", ctypes.c_void_p),
        ("symbol", ctypes.c_ubyte * MAX_SYMBOL),
    )


class Voice(ctypes.Structure):
    """espeak_VOICE."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),  # (priority byte, text, 0)..., 0
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event)
)


def open_library(path: str, data: str) -> tuple[ctypes.CDLL, int]:
    """Returns the library, ready to speak, and its samples a second.

    Args:
      path: of the shared library.
      data: the folder that holds `espeak-ng-data`; becomes the working folder, because the library
        cuts paths at 160 bytes.

    Raises:
      OSError: not a library, or its data are missing.
    """
    os.chdir(data)
    library = ctypes.CDLL(path)
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, b".", PHONEME_EVENTS | IPA | DONT_EXIT)
    if rate <= 0:
        raise OSError(f"espeak_Initialize returned {rate}")
    library.espeak_ng_SetRandSeed(ctypes.c_long(SEED))
    return library, rate


def list_voices(library: ctypes.CDLL, *, variants: bool) -> list[dict]:
    """Returns name, identifier, languages as [priority, code], and gender of every voice.

    Args:
      library: ready.
      variants: the "+f3" of voices instead of languages.
    """
    wanted = Voice()
    code = ctypes.create_string_buffer(b"variant")
    wanted.languages = ctypes.cast(code, ctypes.c_void_p)
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(Voice))
    entries = library.espeak_ListVoices(ctypes.byref(wanted) if variants else None)
    found = []
    for entry in entries:
        if not entry:
            return found
        voice, languages = entry[0], []
        place = voice.languages
        while priority := ctypes.string_at(place, 1)[0]:
            text = ctypes.string_at(place + 1)
            languages.append([priority, text.decode()])
            place += len(text) + 2
        found.append(
            {
                "name": voice.name.decode().strip(),
                "identifier": voice.identifier.decode(),
                "languages": languages,
                "gender": GENDERS[voice.gender] if voice.gender < len(GENDERS) else "",
            }
        )


def speak(library: ctypes.CDLL, rate: int, task: dict) -> tuple[dict, bytes]:
    """Returns the events of a text and its sound.

    Args:
      library: ready, has not spoken before.
      rate: its samples a second.
      task: see the module.

    Returns:
      {"rate", "is_cut": whether max_seconds ended it, "events": [sample, symbol or null, position,
      length]} in espeak's order, and int16 samples.
    """
    samples, events = bytearray(), []
    max_bytes = int(task["max_seconds"] * rate) * 2

    def receive(block, count: int, found) -> int:
        if count > 0:
            samples.extend(ctypes.string_at(block, 2 * count))
        for event in found:
            if event.type == 0:
                break
            if event.type in (WORD, PHONEME):
                symbol = None
                if event.type == PHONEME:
                    symbol = bytes(event.symbol).split(b"\0")[0].decode(errors="ignore")
                events.append([event.sample, symbol, event.text_position, event.length])
        return int(len(samples) > max_bytes)

    callback = CALLBACK(receive)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(task["voice"].encode()):
        raise OSError(f"espeak_SetVoiceByName refused {task['voice']!r}")
    for name, number in PARAMETERS.items():
        library.espeak_SetParameter(number, task[name], 0)
    text = task["text"].encode(errors="replace") + b"\0"
    size = ctypes.c_size_t(len(text))
    library.espeak_Synth(text, size, 0, 1, 0, UTF8, None, None)
    library.espeak_Synchronize()
    answer = {"rate": rate, "is_cut": len(samples) > max_bytes, "events": events}
    return answer, bytes(samples)


def main() -> None:
    """Does the task that stands on the standard input."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the library prints is no part of the answer
    task = json.load(sys.stdin.buffer)
    library, rate = open_library(task["library"], task["data"])
    samples = b""
    if task["task"] == "voices":
        answer = {
            "voices": list_voices(library, variants=False),
            "variants": list_voices(library, variants=True),
        }
    else:
        answer, samples = speak(library, rate, task)
    output.write(json.dumps(answer).encode() + b"\n")
    output.write(samples)
    output.close()


if __name__ == "__main__":
    main()
