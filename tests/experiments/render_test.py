"""The command on a small drawn clip and an untrained head: files, refusals, interruption."""

import importlib.util
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time
import types
from unittest import mock

import av
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from emojax.data import carriers, files
from emojax.data.provenance import Provenance
from emojax.drive import mark
from emojax.gaussians import ply
from emojax.training import checkpoints
from tests.data import actor, folders
from tests.drive import scene

ABOUT = Provenance(run="0123456789abcdef", recipe="tiny", trained_to="fuse 9")
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = textwrap.dedent(
    """
    import sys
    from tests.experiments import render_test
    render_test.stand_in(sys.argv.pop(1))
    from absl import app
    app.run(render_test.MODULE.main)
    """
)


def _module():
    spec = importlib.util.spec_from_file_location("render", ROOT / "experiments" / "render.py")
    module = importlib.util.module_from_spec(spec)
    with mock.patch.object(sys, "path", [str(ROOT / "experiments"), *sys.path]):
        spec.loader.exec_module(module)
    return module


MODULE = _module()


def stand_in(folder):
    """Puts an untrained head into the place of a run."""
    checkpoints.load_run = lambda run: types.SimpleNamespace(
        head=scene.tiny_head(),
        clip_folder=pathlib.Path(folder),
        size=64,
        features="mel",
        notes=(),
        forced=False,
        provenance=ABOUT,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    film = actor.film(num_frames=30, size=64, seed=3)
    return folders.write_folder(film, tmp_path_factory.mktemp("data") / "größe 1")


@pytest.fixture
def render(folder, monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoints, "load_run", None)
    stand_in(folder)
    scene.write_sound(tmp_path / "speech.wav", scene.speech(0.5))

    def run(**options):
        names = {"run": "r", "audio": tmp_path / "speech.wav", "out": tmp_path / "film.mp4"}
        values = {name: str(value) for name, value in {**names, **options}.items()}
        booleans = {"overwrite", "loop", "mark"}
        with flagsaver.flagsaver():
            flags.FLAGS.unparse_flags()
            flags.FLAGS(
                ["render"]
                + [f"--{k}" if k in booleans else f"--{k}={v}" for k, v in values.items()]
            )
            MODULE.main(["render"])

    return run


def test_a_film_with_pictures_and_clouds(render, tmp_path, capsys):
    for name in ("pictures/.3.png.0123.partial", "clouds/.32.ply.0123.tmp"):  # of a killed render
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    render(
        out=tmp_path / "new" / "film.mp4",
        frames=tmp_path / "pictures",
        ply=tmp_path / "clouds",
        pose="fixed",
        expression="fixed",
    )
    text = capsys.readouterr().out
    for word in (
        "13 frames, 0.50 s",
        "a second",
        "prepare",
        "draw",
        "png",
        "ply",
        "encode",
        "s of compilation",
    ):
        assert word in text
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]
    with av.open(str(tmp_path / "new" / "film.mp4")) as container:
        pictures = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    assert len(pictures) == 13
    stored = files.numbered(tmp_path / "pictures", ".png")
    assert list(stored) == list(files.numbered(tmp_path / "clouds", ".ply")) == list(range(13))
    for number in (0, 12):
        difference = pictures[number] - files.read_picture(stored[number]).astype(float)
        assert np.abs(difference).mean() < 8  # H.264 and its halved colours, 64 x 64 pixels
    assert ply.load(tmp_path / "clouds" / "12.ply").capacity == 60
    for name in ("new/film.mp4", "pictures/12.png", "clouds/12.ply"):
        assert carriers.read(tmp_path / name).about == ABOUT
    # A shorter film in the same folders leaves nothing of the longer one.
    with pytest.raises(SystemExit, match="earlier render"):
        render(frames=tmp_path / "pictures")
    scene.write_sound(tmp_path / "short.wav", scene.speech(0.1))
    render(audio=tmp_path / "short.wav", frames=tmp_path / "pictures", overwrite=True)
    assert list(files.numbered(tmp_path / "pictures", ".png")) == [0, 1, 2]


def test_a_mark_is_on_film_and_pictures_and_they_say_so(render, tmp_path):
    scene.write_sound(tmp_path / "short.wav", scene.speech(0.1))
    render(audio=tmp_path / "short.wav", out=tmp_path / "plain.mp4", frames=tmp_path / "plain")
    render(audio=tmp_path / "short.wav", frames=tmp_path / "marked", mark=True, mark_text="AI made")
    plain, marked = (
        files.read_picture(tmp_path / folder / "2.png") for folder in ("plain", "marked")
    )
    np.testing.assert_array_equal(marked, mark.draw(plain, "AI made"))
    for name in ("film.mp4", "marked/2.png"):
        assert carriers.read(tmp_path / name).about.mark == "AI made"
    assert carriers.read(tmp_path / "plain.mp4").about.mark is None
    with av.open(str(tmp_path / "film.mp4")) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)
    assert np.abs(picture[4:16, 30:60] - marked[4:16, 30:60]).mean() < 25
    assert np.abs(picture[4:16, 30:60] - plain[4:16, 30:60]).mean() > 40


def test_user_errors_are_one_readable_line(render, tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "poses.csv").write_text("yaw\n1\n2\n")
    (tmp_path / "old.mp4").write_bytes(b"old")
    for options, message in (
        ({"audio": tmp_path / "absent.wav"}, "expected a sound file"),
        ({"audio": tmp_path / "text.wav"}, "expected a sound file"),
        ({"out": tmp_path / "film.avi"}, "ends in .mp4"),
        ({"out": tmp_path / "old.mp4"}, "--overwrite"),
        ({"pose": tmp_path / "poses.csv"}, "--loop"),
        ({"pose": "still"}, "csv, .json or .npz"),
        ({"expression": tmp_path / "poses.csv"}, "no action unit"),
        ({"audio_features": tmp_path / "a.npy"}, "built-in"),
        ({"data": tmp_path / "absent"}, "folder of a data set"),
        ({"emotion": "happy"}, "trained with emotions"),
        ({"valence": 0.4}, "only one of the two"),
        ({"emotion": "happy", "radius": 0.3}, "--radius and --period with --emotion circle"),
        ({"mark_text": "größer"}, "1 to 40 letters, ASCII"),
        ({"mark_text": 30 * "long"}, "1 to 40 letters, ASCII"),
        ({"mark_text": 40 * "w"}, "have room for the mark"),
    ):
        with pytest.raises(SystemExit, match=message) as error:
            render(**options)
        assert len(str(error.value).splitlines()) == 1
    assert not (tmp_path / "film.mp4").exists()
    assert (tmp_path / "old.mp4").read_bytes() == b"old"


def test_the_sound_is_never_replaced(render, tmp_path):
    path = tmp_path / "speech.mp4"
    path.write_bytes((tmp_path / "speech.wav").read_bytes())
    with pytest.raises(SystemExit, match="the sound's own name"):
        render(audio=path, out=path, overwrite=True)


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_render_leaves_no_film(folder, tmp_path, kind):
    scene.write_sound(tmp_path / "long.wav", scene.speech(60.0))
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            PROGRAM,
            str(folder),
            "--run=r",
            f"--audio={tmp_path / 'long.wav'}",
            f"--out={tmp_path / 'film.mp4'}",
            f"--frames={tmp_path / 'pictures'}",
            f"--ply={tmp_path / 'clouds'}",
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )
    while not (tmp_path / "clouds" / "20.ply").exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(kind)
    text = process.communicate()[1].decode()
    assert process.returncode != 0, text
    assert not (tmp_path / "film.mp4").exists()
    left = [path.name for path in tmp_path.iterdir() if "partial" in path.name]
    assert all(not name.endswith(".mp4") for name in left)
    if kind == signal.SIGTERM:
        assert process.returncode == 130
        last = text.splitlines()[-1]
        assert last.startswith("render: stopped; no film was written; ")
        for noun, name in (("picture", "pictures/*.png"), (".ply file", "clouds/*.ply")):
            written = list(tmp_path.glob(name))
            place = f"{len(written)} {noun}s in {written[0].parent}"
            assert f"; {place}, which --overwrite replaces" in last
        assert "Traceback" not in text
        assert left == []


def test_one_is_singular():
    assert MODULE._counted(1, "frame") == "1 frame"
    assert MODULE._counted(0, "frame") == "0 frames"


def test_every_flag_is_in_the_help():
    done = subprocess.run(
        [sys.executable, str(ROOT / "experiments" / "render.py"), "--help"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    names = "run audio out pose expression loop ply frames audio_features data chunk seed overwrite"
    for name in (*names.split(), "mark", "mark_text"):
        assert f"--{name}" in done.stdout or f"--[no]{name}" in done.stdout
