"""The whole chain at once: a picture is fitted from a random start, by either implementation."""

import json

import numpy as np
import pytest

from emojax import gaussians, native
from tests.experiments import command

cv2 = pytest.importorskip("cv2", reason="OpenCV needs libGL here", exc_type=ImportError)


@pytest.mark.parametrize("implementation", ["native", "xla"])
def test_thirty_decibels_from_a_random_start(implementation, tmp_path, monkeypatch):
    # Plain XLA runs for long enough here to be worth compiling well.
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "0")
    if implementation == "native" and not native.available():
        pytest.skip("needs CPU kernels")
    done = command.run("fit_picture", f"--out={tmp_path}", f"--implementation={implementation}")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["psnr"] >= 30
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape == (192, 5 * 192, 3)
    assert sheet[:, :384].std() > 20, "target and rendering are no blank pictures"
    cloud = gaussians.ply.load(tmp_path / "cloud.ply")
    assert int(cloud.count()) == 400


def test_nothing_is_overwritten_unasked(tmp_path):
    (tmp_path / "report.json").write_text("mine")
    done = command.run(
        "fit_picture", f"--out={tmp_path}", "--steps=1", "--num_gaussians=4", "--size=16"
    )
    assert done.returncode != 0
    assert "already holds report.json" in done.stderr
    assert (tmp_path / "report.json").read_text() == "mine"


def test_bad_picture_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"not a picture")
    done = command.run(
        "fit_picture", f"--out={tmp_path / 'out'}", f"--picture={tmp_path / 'a.png'}"
    )
    assert done.returncode != 0
    assert "is not a picture that OpenCV can read" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_picture_of_ones_own(tmp_path):
    picture = np.full((40, 60, 3), (30, 120, 200), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    done = command.run("fit_picture",
        f"--out={tmp_path / 'out'}", f"--picture={tmp_path / 'a.png'}", "--size=16", "--steps=60",
        "--num_gaussians=80",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out" / "report.json").read_text())["psnr"] > 25
