"""OpenCV without libGL names the headless build."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def test_missing_display_library_names_the_headless_build(tmp_path):
    (tmp_path / "cv2.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
    )
    done = subprocess.run(
        [sys.executable, "-c", "import emojax.opencv"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        check=False,
    )
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "libGL.so.1" in last
    assert "pip install opencv-python-headless" in last


def test_opencv_is_the_same_module():
    cv2 = pytest.importorskip("cv2", reason="OpenCV needs libGL here", exc_type=ImportError)
    from emojax import opencv

    assert opencv.cv2 is cv2
