"""Experiments as a user starts them."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def run(name: str, *arguments: object) -> subprocess.CompletedProcess:
    """Runs experiments/NAME.py with some arguments; its output is text."""
    return subprocess.run(
        [sys.executable, str(ROOT / "experiments" / f"{name}.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
