"""The command as a user gives it; what it makes is tested in tests/data/pipeline_test.py."""

import json
import subprocess
import sys

import pytest

from emojax.data import files
from tests.data import actor, folders
from tests.experiments import command


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    film = actor.film(num_frames=30, size=64, seed=3)
    return folders.write_folder(film, tmp_path_factory.mktemp("data") / "mit Leerzeichen Ü")


def test_stages_of_a_folder_made_elsewhere(folder):
    arguments = (f"--out={folder}", "--stages=background,torso")
    refused = command.run("preprocess", *arguments)
    assert refused.returncode != 0
    assert "--overwrite" in refused.stderr
    done = command.run("preprocess", *arguments, "--overwrite")
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
        (["--stages="], "stages among decode"),
        (["--stages=landmarks"], "the stage decode, with --video"),
        ([], "the stage decode, with --video"),
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
    failed = command.run("preprocess", f"--out={tmp_path / 'out'}", *arguments)
    assert failed.returncode != 0
    assert message in failed.stderr
    assert "Traceback" not in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_every_flag_is_in_the_help():
    text = command.run("preprocess", "--help").stdout
    flags = "video out size stages margin crop focal parsing teeth_mask au audio_features seed"
    for flag in [*flags.split(), "overwrite"]:
        assert f"--{flag}" in text or f"--[no]{flag}" in text


def test_an_unfinished_overwrite_goes_on_with_the_same_command(folder):
    arguments = (f"--out={folder}", "--stages=background,features", "--overwrite")
    sound = folder / files.SOUND
    data = sound.read_bytes()
    sound.write_bytes(b"RIFF nothing")
    assert command.run("preprocess", *arguments).returncode != 0
    stamp = (folder / files.BACKGROUND).stat().st_mtime_ns
    sound.write_bytes(data)
    done = command.run("preprocess", *arguments)
    assert done.returncode == 0, done.stderr
    assert (folder / files.BACKGROUND).stat().st_mtime_ns == stamp


def test_the_table_does_without_memory_where_the_system_tells_none():
    stage = {"done": True, "seconds": 1.0, "cpu_seconds": 1.0, "frames": 30}
    stages = {"torso": {**stage, "peak_memory_mb": None}}
    # In a process of its own: the flags of two experiments do not go together.
    text = f"from experiments import preprocess; print(preprocess._table({{'stages': {stages}}}))"
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, cwd=command.ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split() == ["torso", "1.0", "1.0", "33.3", "?"]
