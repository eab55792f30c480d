import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from emojax.speech import engine


def _run(task):
    loader = pytest.importorskip("espeakng_loader", reason="needs the extra speech")
    task = {
        "library": loader.get_library_path(),
        "data": str(pathlib.Path(loader.__file__).parent),
        **task,
    }
    command = [sys.executable, "-I", "-S", engine.__file__]
    return subprocess.run(command, input=json.dumps(task).encode(), capture_output=True)


def _speak(**changes):
    task = {"task": "speak", "text": "Good morning, Pam.", "voice": "gmw/en", "max_seconds": 60}
    options = {"rate": 175, "pitch": 50, "range": 50, "volume": 100}
    return _run({**task, **options, **changes})


def test_it_answers_with_events_and_samples():
    head, _, rest = _speak().stdout.partition(b"\n")
    answer, samples = json.loads(head), np.frombuffer(rest, np.int16)
    assert answer["rate"] == 22050
    assert not answer["is_cut"]
    symbols = [symbol for _, symbol, _, _ in answer["events"] if symbol]
    assert "".join(symbols).replace("ˈ", "").replace("ː", "") == "ɡʊdmɔnɪŋpam"
    words = [event[2:] for event in answer["events"] if event[1] is None]
    assert words == [[1, 4], [6, 7], [15, 3]]
    places = [event[0] for event in answer["events"]]
    assert places == sorted(places)
    assert places[-1] <= len(samples) < 3 * 22050
    assert np.abs(samples.astype(int)).max() > 5000


def test_it_lists_voices():
    answer = json.loads(_run({"task": "voices"}).stdout)
    assert {
        "name": "German",
        "identifier": "gmw/de",
        "languages": [[5, "de"]],
        "gender": "male",
    } in (answer["voices"])
    assert any(v["identifier"] == "!v/f3" and v["gender"] == "female" for v in answer["variants"])


def test_it_stops_in_time():
    head = _speak(text="word " * 500, max_seconds=2).stdout.partition(b"\n")[0]
    assert json.loads(head)["is_cut"]


def test_it_fails_aloud():
    done = _speak(voice="gmw/nobody")
    assert done.returncode != 0
    assert b"gmw/nobody" in done.stderr
    assert _speak(library="missing.so").returncode != 0
