"""The doctor as a command: what it prints and writes, and its exit codes."""

import json

import pytest

from emojax.data import files
from tests.data import actor, folders
from tests.experiments import command


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    film = actor.film(num_frames=205, size=128)
    return folders.write_folder(film, tmp_path_factory.mktemp("doctor") / "größe 1")


def test_a_usable_folder_gets_its_three_reports(folder):
    done = command.run("doctor", f"--data={folder}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("größe 1: usable")
    assert json.loads((folder / "doctor.json").read_text())["verdict"] == "usable"
    assert (folder / "doctor.txt").read_text(encoding="utf-8") in done.stdout
    assert files.read_picture(folder / "doctor.png").shape[1] == 1600
    (folder / files.TRANSFORMS[0]).unlink()
    done = command.run("doctor", f"--data={folder}")
    assert done.returncode == 1
    assert done.stderr.startswith("doctor: ")
    assert "is not usable: head poses" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads((folder / "doctor.json").read_text())["verdict"] == "not usable"


def test_no_folder_is_one_readable_line(tmp_path):
    done = command.run("doctor", f"--data={tmp_path / 'nowhere'}")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("doctor: expected the folder of a data set")


def test_a_folder_of_something_else_is_not_littered(tmp_path):
    (tmp_path / "snd").mkdir()
    (tmp_path / "snd" / "speech.wav").touch()
    done = command.run("doctor", f"--data={tmp_path / 'snd'}")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "holds nothing of one. Name another, or add --out" in done.stderr
    assert [path.name for path in (tmp_path / "snd").iterdir()] == ["speech.wav"]
    done = command.run("doctor", f"--data={tmp_path / 'snd'}", f"--out={tmp_path / 'new'}")
    assert done.returncode == 1
    assert done.stdout.startswith("snd: not usable")
    names = {"doctor.json", "doctor.txt", "doctor.png"}
    assert {path.name for path in (tmp_path / "new").iterdir()} == names
    assert [path.name for path in (tmp_path / "snd").iterdir()] == ["speech.wav"]


def test_a_folder_that_cannot_be_written_to_still_gets_its_verdict(tmp_path):
    folder = folders.write_folder(actor.film(num_frames=30, size=64), tmp_path / "data")
    (folder / "doctor.png").mkdir()
    done = command.run("doctor", f"--data={folder}")
    assert done.returncode == 1
    assert done.stdout.startswith("data: not usable")
    assert "place to write to" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_early_costs_nothing(tmp_path):
    folder = folders.write_folder(actor.film(num_frames=30, size=64), tmp_path / "data")
    with command.start("doctor", f"--data={folder}") as process:
        process.stdout.close()  # as `| head` does
        errors = process.stderr.read()
    assert process.returncode == 1
    assert errors.startswith("doctor: ")
    assert "Traceback" not in errors
    assert "Broken" not in errors
    assert (folder / "doctor.png").exists()
