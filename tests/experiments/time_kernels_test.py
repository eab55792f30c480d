"""The benchmark's own arithmetic, and its main on a tiny grid."""

import json

import pytest

from emojax import native
from tests.experiments import command


def test_main_writes_tables_and_numbers(tmp_path):
    if not native.available():
        pytest.skip("needs CPU kernels")
    done = command.run("time_kernels", f"--out={tmp_path / 'run'}", "--grid=tiny", "--rounds=1")
    assert done.returncode == 0, done.stderr
    assert "yardstick skipped: no --probe" in done.stdout
    report = json.loads((tmp_path / "run.json").read_text())
    assert {row["implementation"] for row in report["rows"]} == {"native", "xla"}
    assert all(row["ms"] > 0 for row in report["rows"])
    assert report["ratios"]["encode, XLA / kernel"] > 0
    assert report["ratios"]["forward / yardstick"] is None
    assert "| not measured |" in (tmp_path / "run.md").read_text()
    assert (tmp_path / "run.png").stat().st_size > 1000
