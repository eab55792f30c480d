"""The doctor as a command: what it prints and writes, and its exit codes."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from emojax.data import files
from tests.data import actor, folders

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def _run(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "experiments" / "doctor.py"), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    film = actor.film(num_frames=205, size=128)
    return folders.write_folder(film, tmp_path_factory.mktemp("doctor") / "größe 1")


def test_a_usable_folder_gets_its_three_reports(folder):
    done = _run(f"--data={folder}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("größe 1: usable")
    assert json.loads((folder / "doctor.json").read_text())["verdict"] == "usable"
    assert (folder / "doctor.txt").read_text(encoding="utf-8") in done.stdout
    assert files.read_picture(folder / "doctor.png").shape[1] == 1600
    (folder / files.TRANSFORMS[0]).unlink()
    done = _run(f"--data={folder}")
    assert done.returncode == 1
    assert "is not usable: head poses" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads((folder / "doctor.json").read_text())["verdict"] == "not usable"


def test_no_folder_is_one_readable_line(tmp_path):
    done = _run(f"--data={tmp_path / 'nowhere'}")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "expected the folder of a data set" in done.stderr
