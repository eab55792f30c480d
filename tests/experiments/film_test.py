"""The command as a user gives it; what it makes is tested in tests/puppet."""

import json
import signal
import sys

import numpy as np
import pytest
from absl.testing import flagsaver

from emojax.data import audio, clip
from emojax.puppet import film as films
from emojax.speech import espeak
from tests.experiments import command

film = command.module("film")
SMALL = ("--size=64", "--length=1")


@pytest.fixture
def shoot(tmp_path):
    """Runs the experiment in this process, without the start of another."""
    own = film._OUT._flagvalues
    usual = flagsaver.save_flag_values(own)

    def run(*arguments):
        own(["film", f"--out={tmp_path / 'out'}", *arguments])
        return film.main(["film"])

    yield run
    flagsaver.restore_flag_values(usual, own)


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seed=-1",), "a seed from 0 to 4294967295; got -1"),
        (("--world=mars",), "a world of usual, shifted; got 'mars'"),
        (("--length=0",), "a length from 1 to 1800 seconds; got 0 s"),
        (("--length=nan",), "a length from 1 to 1800 seconds; got nan s"),
        (("--twins=3", "--notruth"), "--twins with truth; got --notruth"),
        (("--wav=SOUND", "--length=-0.5"), "a length from 1 to 1800 seconds; got -0.5 s"),
        (("--wav=SOUND", "--length=nan"), "a length from 1 to 1800 seconds; got nan s"),
        (("--wav=SOUND", "--voice=de"), "got one for a sound"),
        (("--wav=SOUND.lost",), "No such file"),
        (("--emotion=hapy",), "everyday, neutral, happy"),
        (("--emotion=nan,0",), "finite valence and arousal"),
        (("--wav=SOUND", "--emotion=KEYFRAMES"), "within the sound's 1.00 s"),
    ],
)
def test_bad_input_is_refused_before_any_work(shoot, sound, tmp_path, arguments, message):
    keyframes = tmp_path / "late.csv"
    keyframes.write_text("time,emotion\n0,neutral\n90,happy\n")
    named = [a.replace("SOUND", str(sound)).replace("KEYFRAMES", str(keyframes)) for a in arguments]
    with pytest.raises(SystemExit) as ended:
        shoot("--size=64", *named)
    assert message in str(ended.value)
    assert list(tmp_path.iterdir()) == [keyframes]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--voice=klingon",), "a voice of espeak-ng"),
        (("--text=Hello.", "--voice=en-gb+zz"), "a voice of espeak-ng"),
        (("--text=",), "got an empty text"),
        (("--text=" + "one two three four five. " * 2000,), "got one of 10,000 words"),
    ],
)
def test_what_cannot_be_spoken_is_refused_before_any_work(shoot, tmp_path, arguments, message):
    pytest.importorskip("espeakng_loader", reason="needs the extra speech")
    with pytest.raises(SystemExit) as ended:
        shoot("--size=64", *arguments)
    assert message in str(ended.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [(), ("--text=Hello.",)])
def test_without_the_extra_the_command_is_named(shoot, monkeypatch, tmp_path, arguments):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    espeak._listed.cache_clear()
    with pytest.raises(SystemExit, match=r"pip install 'emojax\[speech\]'"):
        shoot(*SMALL, *arguments)
    assert list(tmp_path.iterdir()) == []


def _stop(*_, **__):
    raise KeyboardInterrupt


def test_a_film_that_should_be_replaced_stays_when_the_new_one_is_stopped(
    shoot, sound, tmp_path, monkeypatch, capsys
):
    old = tmp_path / "out" / films.MANIFEST
    old.parent.mkdir()
    old.write_text("{}")
    monkeypatch.setattr(film.film, "_shoot_view", _stop)
    assert shoot(f"--wav={sound}", *SMALL, "--overwrite") == 130
    assert capsys.readouterr().err.endswith("film: stopped; nothing is left of it\n")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", films.MANIFEST]


def test_a_film_whose_twins_are_stopped_is_whole(shoot, sound, monkeypatch, capsys):
    monkeypatch.setattr(film.film, "shoot", lambda *_, **__: None)
    monkeypatch.setattr(film.emotional, "write", _stop)
    assert shoot(f"--wav={sound}", *SMALL, "--twins=2") == 130
    assert capsys.readouterr().err.endswith("stopped; the film is whole, its twins are not\n")
