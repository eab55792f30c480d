"""Evaluation as a command, on an untrained head: the four files, and mistakes in one line."""

import csv
import json
import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

from emojax.data import files
from tests.data import actor, folders

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# The command with a run that needs no training: a small head that knows nothing.
PROGRAM = textwrap.dedent(
    """
    import runpy, types
    from emojax.training import checkpoints
    from tests.metrics.heads import random_head

    def load_run(run):
        return types.SimpleNamespace(
            head=random_head(), clip_folder=run, size=128, features="mel",
            place=checkpoints.Place("face", 7), recipe=types.SimpleNamespace(name="none"),
            notes=(), forced=False,
        )

    checkpoints.load_run = load_run
    runpy.run_path("experiments/evaluate.py", run_name="__main__")
    """
)


# The same, and the user stops it while it measures.
STOPPED = """
from emojax.metrics import scenarios

def stop(*arguments, **options):
    raise KeyboardInterrupt

scenarios.self_reconstruction = stop
"""


def _run(*arguments, program=PROGRAM):
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "EMOJAX_WEIGHTS": str(ROOT / "no weights")},
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    film = actor.film(num_frames=44, size=128, seed=1)
    return folders.write_folder(film, tmp_path_factory.mktemp("talk") / "größe 1")


def test_a_head_is_measured_and_reported(folder, tmp_path):
    pytest.importorskip("dlib", reason="needs the extra face: dlib-bin")
    out = tmp_path / "new" / "report.json"
    done = _run(f"--run={folder}", "--scenario=self", f"--out={out}", "--max_frames=3")
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text())
    assert report["about"]["trained_to"] == {"stage": "face", "step": 7}
    assert report["about"]["head"]["face_gaussians"] == 40
    assert report["films"]["head"]["psnr"]["count"] == 3
    assert report["films"]["head"]["psnr"]["mean"] < 40
    assert report["against"]["mean picture"]["psnr"]["gain"] < 0
    assert report["against"]["mean picture"]["psnr"]["verdict"] == "unknown"  # of three frames
    assert out.with_suffix(".txt").read_text(encoding="utf-8") in done.stdout
    assert report["judges"] == {}
    assert list(report["judges_missing"]) == ["syncnet", "fan"]
    assert "Not judged by syncnet: its weights are not installed." in done.stdout
    with out.with_suffix(".csv").open() as lines:
        assert len(list(csv.reader(lines))) == 1 + 3 * len(report["films"])
    assert files.read_picture(out.with_suffix(".png")).shape == (20 + 3 * 256, 5 * 256, 3)
    again = _run(f"--run={folder}", f"--out={out}")
    assert again.returncode == 1
    assert "add --overwrite" in again.stderr


def test_a_stopped_evaluation_says_so(folder, tmp_path):
    out = tmp_path / "report.json"
    done = _run(f"--run={folder}", f"--out={out}", "--max_frames=2", program=STOPPED + PROGRAM)
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == "evaluate: stopped; no report was written"
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_mistakes_are_one_readable_line(folder, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "taken.csv").mkdir()
    for arguments, said in (
        ((f"--out={tmp_path / 'report.txt'}",), "--out=NAME.json"),
        ((f"--out={tmp_path / 'file' / 'r.json'}",), "place to write to"),
        ((f"--out={tmp_path / 'taken.json'}", "--overwrite"), "got a folder"),
        ((f"--out={tmp_path / 'r.json'}", "--lpips=nowhere.npz"), "holds no LPIPS weights"),
    ):
        done = _run(f"--run={folder}", *arguments)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_a_head_with_emotions_is_asked_for_twelve_of_them(folder, tmp_path):
    pytest.importorskip("dlib", reason="needs the extra face: dlib-bin")
    out = tmp_path / "emotion.json"
    program = PROGRAM.replace("random_head", "emotional_head")
    done = _run(
        f"--run={folder}", "--scenario=emotion", f"--out={out}", "--max_frames=2", program=program
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text())
    assert len(report["points"]) == 12
    assert report["films"]["head"]["valence"]["count"] == 2
    assert report["films"]["head"]["psnr"]["mean"] is None  # of a clip without twins
    assert "No twins" in done.stdout
    assert "Not judged by emonet_8" in done.stdout
    assert files.read_picture(out.with_suffix(".png")).shape == (4 * (20 + 160), 3 * 4 * 160, 3)
    sound = folder / "aud.wav"
    heard = tmp_path / "heard.json"
    done = _run(
        f"--run={folder}", "--scenario=emotion", f"--out={heard}", "--max_frames=1",
        f"--audio={sound}", program=program,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "with another sound" in done.stdout


def test_a_head_without_emotions_is_not_asked_for_them(folder, tmp_path):
    out = f"--out={tmp_path / 'r.json'}"
    for arguments, said in (
        (("--scenario=emotion",), "trained with emotions"),
        (("--audio=speech.wav",), "--audio with --scenario emotion"),
    ):
        done = _run(f"--run={folder}", out, *arguments)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr
