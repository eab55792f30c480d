"""The table of real clips: what holds is said, and what does not."""

import numpy as np
import pytest
import soundfile

from tests.experiments import command


@pytest.fixture(scope="module")
def real_clips():
    return command.module("real_clips")


def _report(real_clips, *, head, shuffled, psnr_head=30.0):
    def film(lmd, psnr):
        row = {name: {"mean": 1.0, "count": 40} for name in real_clips.SHOWN}
        return row | {
            "lmd": {"mean": lmd, "count": 40},
            "psnr": {"mean": psnr, "count": 40},
            "psnr_head": {"mean": psnr_head, "count": 40},
            "silent_gap": {"mean": None, "count": 0},
        }

    films = {name: film(2.0, 25.0) for name in real_clips.CONTROLS}
    return {"films": films | {"head": film(head, 33.0), "sound shuffled": film(shuffled, 32.0)}}


def test_a_good_head_reaches_all_aims(real_clips):
    reports = [_report(real_clips, head=lmd, shuffled=1.3) for lmd in (0.8, 0.82, 0.78)]
    found = real_clips.judge(reports)
    assert set(found["aims"].values()) == {True}
    assert found["frames"] == 40
    assert found["lmd_spread_of_seeds"] == pytest.approx(0.02)
    text = real_clips.to_text({"clip": {"verdict": "good", "minutes": [{"train": 20.0}], **found}})
    assert text.count("holds:") == 4


def test_a_deaf_and_blurred_head_fails(real_clips):
    reports = [
        _report(real_clips, head=lmd, shuffled=1.31, psnr_head=26.0) for lmd in (1.2, 1.3, 1.4)
    ]
    aims = real_clips.judge(reports)["aims"]
    assert aims["head at least 27 dB"] is False
    assert aims["true sound beats shuffled by more than the spread of seeds"] is False
    one = real_clips.judge(reports[:1])["aims"]
    assert one["true sound beats shuffled by more than the spread of seeds"] is None


def test_what_a_head_does_not_beat_is_named(real_clips):
    report = _report(real_clips, head=1.2, shuffled=1.1)
    aims = real_clips.judge([report])["aims"]
    assert aims["better than every control in LMD"] == "sound shuffled"
    report["films"]["head"]["lmd"]["mean"] = None
    assert real_clips.judge([report])["aims"]["better than every control in LMD"] == "no lmd"


def test_a_clip_that_fails_is_named_with_its_cause(tmp_path):
    for folder in ("clips", "audio"):
        (tmp_path / folder).mkdir()
    (tmp_path / "clips" / "bad.mp4").write_bytes(b"")
    soundfile.write(tmp_path / "audio" / "speech.wav", np.zeros(16_000), 16_000)
    done = command.run(
        "real_clips", f"--clips={tmp_path / 'clips'}", f"--audio={tmp_path / 'audio'}",
        f"--out={tmp_path / 'out'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "bad: FAILED: preprocess: expected" in done.stdout


def test_an_empty_folder_is_named(tmp_path):
    done = command.run(
        "real_clips", f"--clips={tmp_path}", f"--audio={tmp_path}", f"--out={tmp_path / 'out'}"
    )
    assert done.returncode == 1
    assert (
        done.stderr == f"real_clips: expected .mp4 files in {tmp_path}; got none. Check the path.\n"
    )
