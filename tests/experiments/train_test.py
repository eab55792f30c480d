"""Training as a user starts it."""

import json
import shutil
import signal
import time
import types

import numpy as np
import pytest

from emojax.data import emotional
from emojax.data.emotional import EmotionalPicture
from emojax.emotion import estimate
from tests.data import actor, folders
from tests.experiments import command


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    film = actor.film(num_frames=33, size=64, seed=4)
    return folders.write_folder(film, tmp_path_factory.mktemp("data"))


def test_a_killed_run_ends_in_the_same_bits(data, tmp_path):
    done = command.run(
        "resume_check", f"--data={data}", f"--out={tmp_path}", "--points=1", "--seed=1"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert len(report["killed_at"]) == 1
    assert report["different"] == []
    assert report["numbers"] > 40
    run = tmp_path / "killed"
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [line["total_step"] for line in lines]
    assert steps == sorted(set(steps)), "steps that were taken again stand twice"
    assert max(line["traces"] for line in lines) <= 3  # growth of a small cloud, nothing else
    # What follows has a run to look at.
    moved = shutil.copytree(data, tmp_path / "moved")
    again = command.run("train", f"--run={run}", "--resume", f"--data={moved}")
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith(f"tiny: 210 steps at 64 pixels, {run}, which is done\n")
    facts = json.loads((run / "run.json").read_text())
    assert facts["data"] == str(moved)
    assert facts["flags"] == [f"--data={data}", f"--run={run}", "--config=tiny"]
    for arguments, message in [
        ((f"--data={data}",), "--resume"),
        (("--resume", "--config=fast"), "name: tiny -> fast"),
        (("--resume", "--seed=3"), "seed: 0 -> 3"),
        (("--resume", "--set=stages.face.rates.opacities=1"), "stages.face.rates.opacities"),
    ]:
        refused = command.run("train", f"--run={run}", *arguments)
        assert refused.returncode == 1
        assert message in refused.stderr.splitlines()[-1]


def test_a_run_has_one_process_which_ctrl_c_ends_cleanly(data, tmp_path):
    run = tmp_path / "run"
    flags = (f"--data={data}", f"--run={run}")
    with command.start("train", *flags, "--config=tiny", "--steps=20", "--size=48") as process:
        while process.poll() is None and not (run / "checkpoints").exists():
            time.sleep(0.1)
        second = command.run("train", *flags, "--resume")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate()
    assert second.returncode == 1
    assert f"another process that is training this run, {process.pid} on" in second.stderr
    assert process.returncode == 130
    assert output.startswith(f"tiny: 4,200 steps at 48 pixels, a new run in {run}\n")
    assert errors.splitlines()[-1] == f"train: stopped; go on with --run {run} --resume"
    assert "Traceback" not in errors
    assert "Fatal" not in errors
    assert not (run / "lock").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--config=tiny",), "expected --data"),
        (("--config=tiny", "--set=stages.fase.steps=3"), "did you mean fuse, face?"),
        (("--config=tiny", "--set=size=0"), "size: expected at least 1"),
        (("--config=best",), "should be one of"),
        (("--config=tiny", "--recipe=other.json"), "got both"),
        (("--config=tiny", "--steps=0"), "steps: expected a share above 0"),
        (("--config=tiny", "--set=stages.face.steps=3"), "--steps SHARE"),
        (("--resume",), "expected a run with config.json"),
        (("--config=tiny", "--data=nowhere"), "the folder of a data set"),
        (("--config=tiny", "--data=DATA", "--lpips=nowhere.npz"), "nowhere.npz"),
    ],
)
def test_user_errors_are_one_readable_line(data, tmp_path, arguments, message):
    arguments = [str(a).replace("DATA", str(data)) for a in arguments]
    done = command.run("train", f"--run={tmp_path / 'run'}", *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_clip_that_is_not_usable_is_refused(data, tmp_path):
    report = {"verdict": "not usable", "findings": [{"name": "faces", "level": "not usable"}]}
    path = data / "doctor.json"
    path.write_text(json.dumps(report))
    try:
        done = command.run("train", f"--data={data}", f"--run={tmp_path / 'run'}", "--config=tiny")
    finally:
        path.unlink()
    assert done.returncode == 1
    assert "not usable" in done.stderr.splitlines()[-1]


def test_emotions_of_a_real_clip_are_estimated_for_a_head_that_has_some(
    data, tmp_path, monkeypatch, capsys
):
    felt = shutil.copytree(data, tmp_path / "felt")
    picture = EmotionalPicture(
        frame=2,
        emotion=(0.5, 0.2),
        image=np.zeros((64, 64, 3), np.uint8),
        labels=np.zeros((64, 64), np.uint8),
        landmarks=np.zeros((68, 2), np.float32),
    )
    emotional.write(felt, [picture], source="test", facts={})
    train = command.module("train")
    monkeypatch.syspath_prepend(str(command.ROOT / "experiments"))
    given = {"_STEPS": 1.0, "_SIZE": 64, "_SET": [], "_RESUME": False, "_FORCE": False}
    given |= dict.fromkeys(["_RECIPE", "_SEED", "_LPIPS"])
    trained = []
    monkeypatch.setattr(train.runs, "train", lambda run, clip, recipe, **_: trained.append(clip))
    for folder, config in ((felt, "fast"), (data, "fast"), (felt, "tiny")):
        for name, value in (given | {"_DATA": str(folder), "_CONFIG": config}).items():
            monkeypatch.setattr(train, name, types.SimpleNamespace(value=value, name=name))
        train.train(tmp_path / f"run{len(trained)}")
    seen, *plain = [clip.valence_arousal for clip in trained]
    assert seen.shape == (len(trained[0]), 2)
    assert plain == [None, None]
    assert capsys.readouterr().out.count(estimate.NOTE) == 1
