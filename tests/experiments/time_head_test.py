"""The head's benchmark on a small head."""

import json

from tests.experiments import command


def test_main_writes_a_table_and_numbers(tmp_path):
    done = command.run("time_head", f"--out={tmp_path / 'head'}", "--small", "--rounds=1")
    assert done.returncode == 0, done.stderr
    made = json.loads((tmp_path / "head.json").read_text())
    assert made["traces_of_step"] == 1
    assert {"frame", "frame, 8 at once", "film", "step"} <= set(made["rows"])
    assert all(row["ms"] > 0 for row in made["rows"].values())
    assert made["rows"]["film"]["times_limit"] > 0
    assert "| film |" in (tmp_path / "head.md").read_text()
