"""The main job from a video to a speaking head, as the README's first command does it."""

import json
import re
import signal

import av
import numpy as np
import pytest
import soundfile

from tests.data import actor
from tests.experiments import command

pytest.importorskip("dlib", reason="needs the extra face: dlib-bin")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "a person.mp4"
    actor.write_video(path, actor.film(num_frames=210, size=192, seed=7))
    return path


def test_from_a_video_to_a_film(video, tmp_path):
    out = tmp_path / "out"
    flags = (f"--video={video}", f"--out={out}", "--config=tiny", "--quiet")
    done = command.run("quickstart", *flags)
    assert done.returncode == 0, done.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert set(summary["minutes"]) == {"preprocess", "train", "evaluate", "render"}
    assert summary["films"] == ["held_out.mp4"]
    assert (summary["config"], summary["seed"]) == ("tiny", 0)
    assert "PSNR" in (out / "report.txt").read_text()
    with av.open(str(out / "held_out.mp4")) as film:
        frames = sum(1 for _ in film.decode(video=0))
        assert film.streams.audio
    held_out = len(json.loads((out / "data" / "transforms_val.json").read_text())["frames"])
    assert abs(frames - held_out) <= 1
    # The folder belongs to what it was begun with; a refusal leaves what is known of it.
    other = tmp_path / "other.mp4"
    other.write_bytes(b"another")
    for changed, message in [
        ((f"--video={video}", "--seed=1"), "expected --seed 0, with which"),
        ((f"--video={video}", "--config=fast"), "expected --config tiny, with which"),
        ((f"--video={other}",), "expected the video a person.mp4, with which"),
    ]:
        refused = command.run("quickstart", f"--out={out}", *changed)
        assert refused.returncode == 1
        assert message in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    assert json.loads((out / "summary.json").read_text()) == summary


@pytest.fixture
def given(tmp_path):
    """Files to name on the command line."""
    (tmp_path / "video.mp4").touch()
    (tmp_path / "text.wav").write_text("no sound")
    soundfile.write(tmp_path / "speech.wav", np.zeros(16_000), 16_000)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--video=nowhere.mp4",), "nowhere.mp4"),
        (("--video=video.mp4", "--audio=nowhere.wav"), "nowhere.wav"),
        (("--video=video.mp4", "--audio=speech.wav", "--audio=text.wav"), "text.wav"),
        (
            ("--video=video.mp4", "--config=tny"),
            "combined|default|fast|paper|talking_gaussian|tiny",
        ),
        (("--video=video.mp4", "--seed=-4"), "seed"),
        (("--video=video.mp4", "--out=text.wav"), "text.wav"),
    ],
)
def test_mistakes_of_the_command_are_named_before_any_work(given, arguments, message):
    arguments = [re.sub(r"=(\w+\.)", rf"={given}/\1", argument) for argument in arguments]
    done = command.run("quickstart", f"--out={given / 'out'}", *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (given / "out").exists()
    assert "preprocess.py" not in done.stdout


def test_ctrl_c_is_answered_in_a_line(video, tmp_path):
    with command.start("quickstart", f"--video={video}", f"--out={tmp_path / 'out'}") as process:
        assert process.stderr.readline().startswith("stage 1 of")
        process.send_signal(signal.SIGINT)  # to this one alone: it stops the one that it runs
        _, errors = process.communicate()
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "quickstart: stopped; the same command goes on"
    assert "Traceback" not in errors


def test_only_work_counts_and_nothing_known_is_lost(tmp_path):
    path, trace = tmp_path / "summary.json", tmp_path / "metrics.jsonl"
    path.write_text(json.dumps({"minutes": {"train": 3.0, "evaluate": 1.0}, "verdict": "good"}))
    clock = command.module("quickstart").Clock(path)
    with pytest.raises(SystemExit), clock("train", trace=trace):
        raise SystemExit
    with pytest.raises(SystemExit), clock.anew("evaluate"):
        raise SystemExit
    assert json.loads(path.read_text())["minutes"] == {"train": 3.0, "evaluate": 1.0}
    with clock("train", trace=trace), clock.anew("evaluate"):
        trace.write_text("a line")
    summary = json.loads(path.read_text())
    assert summary["minutes"] == {"train": 3.0, "evaluate": 0.0}
    assert summary["verdict"] == "good"


def test_a_step_that_fails_stops_with_its_message(tmp_path):
    path = tmp_path / "empty.mp4"
    path.write_bytes(b"")
    done = command.run("quickstart", f"--video={path}", f"--out={tmp_path / 'out'}", "--quiet")
    assert done.returncode == 1
    assert done.stderr.startswith("preprocess: expected")
    assert "Traceback" not in done.stderr


def test_two_sounds_of_one_name_are_refused(tmp_path):
    video = tmp_path / "video.mp4"
    video.touch()
    sounds = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        sounds.append(tmp_path / name / "same.wav")
        sounds[-1].touch()
    done = command.run(
        "quickstart", f"--video={video}", *(f"--audio={path}" for path in sounds),
        f"--out={tmp_path / 'out'}",
    )  # fmt: skip
    assert done.returncode == 1
    assert "same" in done.stderr


class EnoughError(Exception):
    """Ends a quickstart before it works."""


@pytest.fixture
def steps(tmp_path, monkeypatch):
    """A quickstart whose steps are noted; the first lays down frames, training ends it."""
    module, taken = command.module("quickstart"), []

    def step(script, *arguments):
        taken.append((script, *map(str, arguments)))
        if script == "preprocess":
            (tmp_path / "out" / "data" / "ori_imgs").mkdir(parents=True)
            for number in range(200):
                (tmp_path / "out" / "data" / "ori_imgs" / f"{number}.jpg").touch()
        if script == "train":
            raise EnoughError

    monkeypatch.setattr(module, "step", step)
    return module, taken


@pytest.mark.parametrize("config", ["fast", "tiny"])
def test_a_video_gets_emotional_pictures_where_a_head_learns_emotions(steps, given, config):
    module, taken = steps
    command.module(f"configs.{config}")  # found as beside the experiment
    own = module._VIDEO._flagvalues
    own(
        [
            "quickstart",
            f"--video={given / 'video.mp4'}",
            f"--config={config}",
            f"--out={given / 'out'}",
        ]
    )
    with pytest.raises(EnoughError):
        module.quickstart()
    names = [name for name, *_ in taken]
    if config == "tiny":
        assert names == ["preprocess", "train"]
        return
    assert names == ["preprocess", "emotional_faces", "train"]
    flags = taken[1][1:]
    assert {"--store", "--points=disc", "--frames=200", "--num_points=3"} <= set(flags)


def test_a_face_that_cannot_be_warped_stops_nothing(steps, given, capsys, monkeypatch):
    module, _ = steps
    data = given / "data"
    (data / "ori_imgs").mkdir(parents=True)
    (data / "ori_imgs" / "0.jpg").touch()

    def fail(*arguments):
        raise module.siblings.FailedError("emotional_faces: expected one face at least")

    monkeypatch.setattr(module, "step", fail)
    module.make_faces(data, given / "faces", 0)
    assert "a head without emotions: emotional_faces: expected one" in capsys.readouterr().out
    (data / "emotional").mkdir()
    module.make_faces(data, given / "faces", 0)  # made before
    assert "expected" not in capsys.readouterr().out
