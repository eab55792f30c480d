"""The main job from a video to a speaking head, as the README's first command does it."""

import json

import av
import pytest

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
    assert "PSNR" in (out / "report.txt").read_text()
    with av.open(str(out / "held_out.mp4")) as film:
        frames = sum(1 for _ in film.decode(video=0))
        assert film.streams.audio
    held_out = len(json.loads((out / "data" / "transforms_val.json").read_text())["frames"])
    assert abs(frames - held_out) <= 1


def test_a_missing_file_is_named_before_any_work(tmp_path):
    done = command.run("quickstart", "--video=nowhere.mp4", f"--out={tmp_path / 'out'}")
    assert done.returncode == 1
    assert "nowhere.mp4" in done.stderr
    assert not (tmp_path / "out").exists()


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
