"""The command as a user gives it; what it makes is tested in tests/data/pipeline_test.py."""

import json
import os
import shutil
import signal
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
    # Nobody watches: a line for each stage, and no other noise.
    assert done.stderr.splitlines() == ["stage 1 of 2: background", "stage 2 of 2: torso"]
    manifest = json.loads((folder / "preprocess.json").read_text())
    assert manifest["stages"]["torso"]["done"]
    again = command.run("preprocess", *arguments)
    assert again.returncode == 0, again.stderr
    assert again.stdout == "nothing to do: all of it is done\n"


def test_the_exit_code_tells_the_verdict(folder):
    done = command.run("preprocess", f"--out={folder}", "--stages=doctor")
    assert done.returncode == 1
    assert "verdict: not usable" in done.stdout
    assert done.stderr.splitlines()[-1].startswith("preprocess: ")
    assert "Traceback" not in done.stderr


def test_an_interrupted_run_says_how_to_go_on(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    # More than one stage: it must not be done before the signal comes, however busy the machine.
    stages = "masks,background,torso,action_units,doctor"
    arguments = (f"--out={copy}", f"--stages={stages}", "--overwrite")
    with command.start("preprocess", *arguments) as process:
        assert process.stderr.readline() == "stage 1 of 5: masks\n"
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
    assert process.returncode == 130, errors
    assert errors.endswith("preprocess: stopped; the same command goes on\n")
    assert "Traceback" not in errors


def test_progress_is_drawn_on_a_terminal_of_no_size(folder):
    pty = pytest.importorskip("pty", reason="needs terminals of Unix")
    reader, terminal = pty.openpty()
    script = str(command.ROOT / "experiments" / "preprocess.py")
    arguments = [f"--out={folder}", "--stages=torso", "--overwrite"]
    subprocess.run(
        [sys.executable, script, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env={**os.environ, "PYTHONPATH": str(command.ROOT)},
        check=True,
    )
    drawn = os.read(reader, 1 << 16).decode()
    assert "stages" in drawn
    assert "0/30" in drawn


def test_jax_does_not_tell_of_devices_that_are_not_there():
    text = "import emojax, jax; from absl import app; app.run(lambda _: print(jax.devices()))"
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, cwd=command.ROOT, check=False
    )
    assert done.returncode == 0
    assert "Unable to initialize backend" not in done.stderr


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
    assert done.stdout.splitlines()[2].split() == ["all", "1.0", "1.0", "33.3"]
