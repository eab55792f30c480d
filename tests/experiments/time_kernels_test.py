"""The benchmark's own arithmetic, and its main on a tiny grid."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from emojax import native

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def test_main_writes_tables_and_numbers(tmp_path):
    if not native.available():
        pytest.skip("needs CPU kernels")
    command = [sys.executable, str(ROOT / "experiments" / "time_kernels.py")]
    done = subprocess.run(
        [*command, f"--out={tmp_path / 'run'}", "--grid=tiny", "--rounds=1"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "yardstick skipped: no --probe" in done.stdout
    report = json.loads((tmp_path / "run.json").read_text())
    assert {row["implementation"] for row in report["rows"]} == {"native", "xla"}
    assert all(row["ms"] > 0 for row in report["rows"])
    assert report["ratios"]["encode, XLA / kernel"] > 0
    assert report["ratios"]["forward / yardstick"] is None
    assert "| not measured |" in (tmp_path / "run.md").read_text()
    assert (tmp_path / "run.png").stat().st_size > 1000
