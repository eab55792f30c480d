import json
import sys

import pytest

from emojax.training import logs
from emojax.training.logs import Log


def _lines(run):
    return [json.loads(line) for line in (run / logs.LINES).read_text().splitlines()]


def _write(run, *places, before=None):
    with Log(run, before=before) as log:
        for stage, step in places:
            log.write(stage, step, {"loss": 0.5, "terms": {"l1": 0.1}}, total_step=step)


def test_one_line_a_dispatch(tmp_path):
    _write(tmp_path, ("mouth", 2), ("mouth", 4))
    assert _lines(tmp_path)[1] == {
        "stage": "mouth", "step": 4, "total_step": 4, "loss": 0.5, "terms": {"l1": 0.1}
    }  # fmt: skip


def test_going_on_drops_what_is_taken_again(tmp_path):
    _write(tmp_path, ("mouth", 2), ("mouth", 4), ("face", 2), ("face", 4), ("fuse", 2))
    with (tmp_path / logs.LINES).open("a") as file:
        file.write('{"stage": "fu')  # killed here
    _write(tmp_path, ("face", 4), before={"mouth": 4, "face": 2})
    found = [(line["stage"], line["step"]) for line in _lines(tmp_path)]
    assert found == [("mouth", 2), ("mouth", 4), ("face", 2), ("face", 4)]


def test_a_new_run_begins_anew(tmp_path):
    _write(tmp_path, ("mouth", 2))
    _write(tmp_path, ("face", 2))
    assert [line["stage"] for line in _lines(tmp_path)] == ["face"]


def test_without_tensorboard_the_lines_are_written_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    with Log(tmp_path) as log:
        assert not log.has_tensorboard
        log.write("face", 2, {"loss": 1.0}, total_step=2)
    assert len(_lines(tmp_path)) == 1


def test_events_can_be_read_back(tmp_path):
    pytest.importorskip("tensorboard", reason="needs the extra tensorboard")
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    _write(tmp_path, ("mouth", 2), ("mouth", 4))
    (path,) = (tmp_path / logs.EVENTS).iterdir()
    found = {}
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            found[value.tag, event.step] = value
    assert {("mouth/loss", 2), ("mouth/loss", 4), ("mouth/terms/l1", 4)} <= set(found)
