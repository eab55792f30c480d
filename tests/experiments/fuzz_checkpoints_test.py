"""The fuzzer in its short form, and the control: it does find a reader that runs code."""

import json

from tests.experiments import command


def test_no_mutated_file_does_harm():
    done = command.run("fuzz_checkpoints", "--count=3000")
    report = json.loads(done.stdout)
    assert done.returncode == 0, report
    assert report["read"] + report["refused"] == 3000
    assert report["read"] > 100
    assert report["refused"] > 1000
    assert report["megabytes_grown"] < 100


def test_pythons_own_reader_is_found_out(tmp_path):
    done = command.run("fuzz_checkpoints", "--count=300", "--control", f"--keep={tmp_path}")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert any("code ran" in outcome for _, outcome in report["harmful"])
    assert len(list(tmp_path.iterdir())) == report["harm"]


def test_a_seed_makes_the_same_file_again():
    fuzz = command.module("fuzz_checkpoints")
    files = {"a.pkl": b"(lp0\nI1\na.", "b.pb": bytes(40)}
    assert fuzz.mutated(files, 5) == fuzz.mutated(files, 5)
    assert len({fuzz.mutated(files, seed) for seed in range(50)}) > 30


def test_no_folder_is_one_readable_line(tmp_path):
    done = command.run("fuzz_checkpoints", f"--files={tmp_path / 'none'}")
    assert done.returncode == 1
    assert done.stderr.startswith("fuzz_checkpoints: ")
    assert done.stderr.count("\n") == 1
