"""Running one experiment from another, as a user would."""

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


class FailedError(SystemExit):
    """An experiment failed; ends the caller with the same message, unless it is caught."""


def run(script: str, *arguments: object, quiet: bool = False) -> None:
    """Runs experiments/SCRIPT.py.

    Args:
      script: its name.
      *arguments: its flags.
      quiet: keep what it prints to itself, but for the last line of an error.

    Raises:
      FailedError: it failed.
    """
    command = [sys.executable, str(HERE / f"{script}.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=quiet, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1] if quiet and done.stderr.strip() else ""
        raise FailedError(last or done.returncode)
