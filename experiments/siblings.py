"""Running one experiment from another, as a user would."""

import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent


def run(script: str, *arguments: object, quiet: bool = False) -> float:
    """Runs experiments/SCRIPT.py and returns the seconds it took; exits with its error if it fails.

    Args:
      script: its name.
      *arguments: its flags.
      quiet: keep what it prints to itself, but for the last line of an error.
    """
    command = [sys.executable, str(HERE / f"{script}.py"), *map(str, arguments)]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=quiet, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1] if quiet and done.stderr.strip() else ""
        sys.exit(last or done.returncode)
    return time.perf_counter() - start
