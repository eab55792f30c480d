"""Experiments as a user starts them."""

import contextlib
import functools
import importlib
import os
import pathlib
import signal
import subprocess
import sys
import types
from unittest import mock

from absl import flags

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def start(name: str, *arguments: object) -> subprocess.Popen:
    """Starts experiments/NAME.py with some arguments; its output is text, and it hears Ctrl-C."""
    # Shells make what runs in the background deaf to it, and all that this starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "experiments" / f"{name}.py"), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    finally:
        signal.signal(signal.SIGINT, before)


def run(name: str, *arguments: object) -> subprocess.CompletedProcess:
    """Runs experiments/NAME.py with some arguments; its output is text."""
    with start(name, *arguments) as process:
        output, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def module(name: str) -> types.ModuleType:
    """Returns experiments/NAME.py as a module, for its functions; its flags are its own."""
    own = flags.FlagValues()
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(sys, "path", [str(ROOT / "experiments"), *sys.path]))
        for define in (attribute for attribute in dir(flags) if attribute.startswith("DEFINE_")):
            bound = functools.partial(getattr(flags, define), flag_values=own)
            stack.enter_context(mock.patch.object(flags, define, bound))
        return importlib.import_module(name)
