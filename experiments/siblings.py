"""Running one experiment from another, as a user would; what all of them have in common."""

import contextlib
import pathlib
import shlex
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator

from emojax.data.errors import DataError
from emojax.training import record

HERE = pathlib.Path(__file__).absolute().parent
CONFIGS = sorted(path.stem for path in (HERE / "configs").glob("[!_]*.py"))
RECOMMENDED = "fast"  # what is trained where nothing is asked for
INTERRUPTED = 130  # exit code of shells for SIGINT
GRACE = 5.0  # seconds in which an experiment notices Ctrl-C, which a terminal sends to all
PATIENCE = 30.0  # seconds until one that only we have stopped is killed: it is deaf to Ctrl-C


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
      KeyboardInterrupt: it was stopped; it has ended by then.
    """
    pipe = subprocess.PIPE if quiet else None
    with subprocess.Popen(command(script, *arguments), stdout=pipe, stderr=pipe, text=True) as done:
        try:
            _, errors = done.communicate()
        except KeyboardInterrupt:
            _end(done)
            raise
    if done.returncode in (INTERRUPTED, -signal.SIGINT):
        raise KeyboardInterrupt
    if done.returncode:
        last = errors.strip().splitlines()[-1] if quiet and errors.strip() else ""
        raise FailedError(last or done.returncode)


def command(script: str, *arguments: object) -> list[str]:
    """Returns the command that runs experiments/SCRIPT.py with some flags."""
    return [sys.executable, str(HERE / f"{script}.py"), *map(str, arguments)]


def shown(script: str, *arguments: object) -> str:
    """Returns that command as one would type it where we are."""
    here = pathlib.Path.cwd()

    def near(word: str) -> str:
        path = pathlib.Path(word)
        return str(path.relative_to(here)) if path.is_relative_to(here) else word

    python, place, *rest = command(script, *arguments)
    return shlex.join([near(python), near(place), *rest])


def resume(folder: pathlib.Path) -> list[str]:
    """Returns the flag of train.py that goes on with the run in a folder, none where none began."""
    return ["--resume"] if (folder / record.CONFIG).exists() else []


def until_stopped(name: str, work: Callable[[], None]) -> int:
    """Does the work of an experiment that runs others, and returns its exit code.

    Args:
      name: of the experiment.
      work: to do; the same command goes on with it.
    """
    # A polite stop ends the experiment that is running, too; it would go on alone.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        work()
    except DataError as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        print(f"{name}: stopped; the same command goes on", file=sys.stderr)
        return INTERRUPTED
    return 0


@contextlib.contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Says the package's warnings as notes, without the line of code that gives them."""
    before = warnings.formatwarning

    def plain(message, category, *rest) -> str:
        return f"note: {message}\n" if category is UserWarning else before(message, category, *rest)

    warnings.formatwarning = plain
    try:
        yield
    finally:
        warnings.formatwarning = before


def _end(process: subprocess.Popen) -> None:
    """Waits for an experiment that a terminal has stopped with us; otherwise stops it."""
    for patience, next_signal in ((GRACE, signal.SIGINT), (PATIENCE, signal.SIGTERM)):
        try:
            process.communicate(timeout=patience)
            return
        except subprocess.TimeoutExpired:
            process.send_signal(next_signal)
    process.communicate()
