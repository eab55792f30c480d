"""The command as a user gives it; what it makes is tested in tests/puppet."""

import json
import signal

import numpy as np
import pytest

from emojax.data import audio, clip
from tests.experiments import command

SMALL = ("--size=64", "--length=1")


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "beat.wav"
    time = np.arange(16000) / 16000
    audio.write_wav(path, 0.3 * np.sin(880 * time) * np.sin(9 * time) ** 2)
    return path


def test_a_sound_becomes_a_data_set_and_is_not_filmed_over(sound, tmp_path):
    out = tmp_path / "mit Leerzeichen Ü"
    arguments = (f"--out={out}", f"--wav={sound}", *SMALL, "--emotion=-0.5,0.3", "--notruth")
    done = command.run("film", *arguments)
    assert done.returncode == 0, done.stderr
    assert "phonemes of the sound are unknown" in done.stderr
    assert "25 frames of 64 pixels" in done.stdout
    assert len(clip.load(out)) == 25
    assert json.loads((out / "puppet.json").read_text())["voice"] is None
    again = command.run("film", *arguments)
    assert again.returncode == 1
    assert "Add --overwrite" in again.stderr
    assert "Traceback" not in again.stderr


def test_an_interrupted_film_leaves_nothing(sound, tmp_path):
    out = tmp_path / "out"
    arguments = (f"--out={out}", f"--wav={sound}", *SMALL)
    with command.start("film", *arguments) as process:
        assert "phonemes" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
    assert process.returncode == 130
    assert errors == "film: stopped; nothing is left of it\n"
    assert list(tmp_path.iterdir()) == []


def test_where_nobody_watches_a_line_a_minute_tells_the_time_left(capsys):
    film = command.module("film")
    ticks = iter(np.arange(0, 4000, 30.0))
    assert list(film.lines(range(8), "film", clock=lambda: next(ticks))) == list(range(8))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert said[-1].startswith("film: ")
    assert "of 8 frames, about " in said[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size=100",), "a multiple of 8; got 100. Take 96."),
        (("--text=hello", "--wav=a.wav"), "got both"),
        (("--emotion=0.9,0.9", "--outside=refuse"), "at most 1 from the origin"),
    ],
)
def test_bad_options_are_refused_in_words(tmp_path, arguments, message):
    done = command.run("film", f"--out={tmp_path / 'out'}", *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
