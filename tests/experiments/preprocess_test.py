"""The command as a user gives it; what it makes is tested in tests/data/pipeline_test.py."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from tests.data import actor, folders

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def _run(name, *arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "experiments" / f"{name}.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    film = actor.film(num_frames=30, size=64, seed=3)
    return folders.write_folder(film, tmp_path_factory.mktemp("data") / "mit Leerzeichen Ü")


def test_stages_of_a_folder_made_elsewhere(folder):
    arguments = (f"--out={folder}", "--stages=background,torso")
    refused = _run("preprocess", *arguments)
    assert refused.returncode != 0
    assert "--overwrite" in refused.stderr
    done = _run("preprocess", *arguments, "--overwrite")
    assert done.returncode == 0, done.stderr
    for word in ("background", "torso", "ms CPU a frame", "peak MB"):
        assert word in done.stdout
    manifest = json.loads((folder / "preprocess.json").read_text())
    assert manifest["stages"]["torso"]["done"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--video=absent.mp4"], "no file absent.mp4"),
        (["--stages=masques"], "stages among decode"),
        (["--video=TEXT"], "preprocess: expected"),
        (["--video=EMPTY"], "preprocess: expected"),
    ],
)
def test_user_errors_are_one_readable_line(tmp_path, arguments, message):
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    places = {"TEXT": tmp_path / "text.mp4", "EMPTY": tmp_path / "empty.mp4"}
    for word, place in places.items():
        arguments = [argument.replace(word, str(place)) for argument in arguments]
    failed = _run("preprocess", f"--out={tmp_path / 'out'}", *arguments)
    assert failed.returncode != 0
    assert message in failed.stderr
    assert "Traceback" not in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_every_flag_is_in_the_help():
    text = _run("preprocess", "--help").stdout
    flags = "video out size stages margin crop focal parsing teeth_mask au audio_features seed"
    for flag in [*flags.split(), "overwrite"]:
        assert f"--{flag}" in text or f"--[no]{flag}" in text
