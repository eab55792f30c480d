"""One experiment runs another: how that ends is how it ends itself."""

import sys
import warnings

import pytest

from tests.experiments import command


@pytest.fixture
def siblings(monkeypatch):
    """The module, with a line of Python in place of an experiment."""
    module = command.module("siblings")
    monkeypatch.setattr(module, "command", lambda code: [sys.executable, "-c", code])
    return module


def test_what_fails_ends_with_its_message(siblings):
    siblings.run("pass")
    with pytest.raises(siblings.FailedError) as caught:
        siblings.run("raise SystemExit(3)")
    assert caught.value.code == 3
    with pytest.raises(siblings.FailedError, match="the reason"):
        siblings.run("print('...'); raise SystemExit('a note\\nthe reason')", quiet=True)


BY_CTRL_C = "import signal; signal.signal(2, signal.SIG_DFL); signal.raise_signal(2)"


@pytest.mark.parametrize("code", ["raise SystemExit(130)", BY_CTRL_C])
def test_what_was_stopped_stops_its_caller(siblings, monkeypatch, capsys, code):
    monkeypatch.setattr(siblings.signal, "signal", lambda *_: None)  # the test's own stays
    assert siblings.until_stopped("name", lambda: siblings.run(code, quiet=True)) == 130
    assert capsys.readouterr().err == "name: stopped; the same command goes on\n"


def test_a_command_is_shown_as_one_would_type_it(monkeypatch):
    module = command.module("siblings")
    monkeypatch.chdir(command.ROOT)
    monkeypatch.setattr(sys, "executable", str(command.ROOT / ".venv" / "bin" / "python"))
    expected = ".venv/bin/python experiments/train.py '--run=a b'"
    assert module.shown("train", "--run=a b") == expected


def test_warnings_are_notes_and_only_for_a_while():
    module = command.module("siblings")
    before = warnings.formatwarning
    with module.warnings_as_notes():
        moved = warnings.formatwarning(UserWarning("it was moved"), UserWarning, "a.py", 3)
        old = warnings.formatwarning(DeprecationWarning("old"), DeprecationWarning, "a.py", 3)
    assert moved == "note: it was moved\n"
    assert old.startswith("a.py:3: DeprecationWarning: old")
    assert warnings.formatwarning is before
