"""`python -m emojax.experts`."""

import runpy
import sys

import pytest


def _run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["emojax.experts", *arguments])
    runpy.run_module("emojax.experts", run_name="__main__")


def test_the_list_is_printed(monkeypatch, capsys):
    _run(monkeypatch)
    assert "emonet_8" in capsys.readouterr().out


def test_an_unknown_name_ends_with_an_error(monkeypatch):
    with pytest.raises(SystemExit, match="emonet_8"):
        _run(monkeypatch, "emonet_9")
