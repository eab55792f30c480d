"""Experiments as a user starts them."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def start(name: str, *arguments: object) -> subprocess.Popen:
    """Starts experiments/NAME.py with some arguments; its output is text."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "experiments" / f"{name}.py"), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def run(name: str, *arguments: object) -> subprocess.CompletedProcess:
    """Runs experiments/NAME.py with some arguments; its output is text."""
    with start(name, *arguments) as process:
        output, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)
