"""OpenCV without libGL names the headless build."""

import os
import pathlib
import subprocess
import sys

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
    import cv2

    from emojax import opencv

    assert opencv.cv2 is cv2
