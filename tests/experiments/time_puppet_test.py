"""The puppet's benchmark on small pictures."""

import json

from tests.experiments import command


def test_main_writes_a_table_and_numbers(tmp_path):
    out = tmp_path / "puppet"
    done = command.run("time_puppet", f"--out={out}", "--sizes=64", "--frames=25", "--rounds=1")
    assert done.returncode == 0, done.stderr
    made = json.loads((tmp_path / "puppet.json").read_text())
    names = [row["what"] for row in made["rows"]]
    assert names[:3] == ["film with all truth", "draw", "landmarks"]
    assert all(row["ms"] > 0 and row["size"] == 64 for row in made["rows"])
    assert "| film with all truth |" in (tmp_path / "puppet.md").read_text()
