import dataclasses
import json
import os

import pytest

from emojax.data import files, record
from emojax.data.errors import DataError
from emojax.data.job import Settings


def test_no_record_is_an_empty_one(tmp_path):
    content = record.read(tmp_path / "absent")
    assert content == record.empty()
    record.write(tmp_path, content | {"video": {"fps": 25}})
    assert record.read(tmp_path)["video"] == {"fps": 25}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        "3",
        '{"format": 99}',
        '{"format": 2}',
        '{"format": 2, "sources": {}, "stages": []}',
        '{"format": 2, "sources": {}, "stages": {"torso": 1}}',
        '{"format": 2, "sources": {}, "stages": {"torso": {}}}',
        '{"format": 2, "sources": {}, "stages": {"torso": {"done": true}}}',
    ],
)
def test_damaged_records_are_named(tmp_path, content):
    (tmp_path / files.MANIFEST).write_text(content)
    with pytest.raises(DataError, match=files.MANIFEST):
        record.read(tmp_path)


def test_a_file_written_later_or_earlier_is_the_users(tmp_path):
    path = tmp_path / "au.csv"
    path.write_text("ours")
    time = path.stat().st_mtime_ns
    stage = {"done": True, "written": [time, time]}
    content = {"sources": {"action_units": "landmarks"}, "stages": {"action_units": stage}}
    assert record.is_ours(stage, path)
    assert record.source(content, "action_units", path) == "landmarks"
    for other in (time - 10**9, time + 10**9):
        os.utime(path, ns=(other, other))
        assert not record.is_ours(stage, path)
        assert record.source(content, "action_units", path) is None
    assert not record.is_ours({"done": False}, path)
    assert not record.is_ours(stage, tmp_path / "absent")


def test_given_files_are_known_by_name_and_content(tmp_path):
    paths = [tmp_path / "a" / "au.csv", tmp_path / "b" / "au.csv"]
    for path in paths:
        path.parent.mkdir()
        path.write_text("one")
    first, second = (record.of_settings(Settings(au=path)) for path in paths)
    assert first == second
    assert json.loads(json.dumps(first)) == first
    paths[1].write_text("two")
    assert record.of_settings(Settings(au=paths[1])) != first
    assert set(first) == {field.name for field in dataclasses.fields(Settings)}


def test_given_files_are_the_same_by_content_whatever_their_names(tmp_path):
    for name, text in (("a.csv", "one"), ("b.csv", "one"), ("c.csv", "two")):
        (tmp_path / name).write_text(text)
    one, namesake, other = (
        record.of_settings(Settings(au=tmp_path / name))["au"]
        for name in ("a.csv", "b.csv", "c.csv")
    )
    assert record.same(one, namesake)
    assert not record.same(one, other)
    assert not record.same(one, None)
    assert record.same(512, 512)
    assert [record.shown(value) for value in (one, None, 512)] == ["a.csv", "none", "512"]


def test_what_is_to_be_done_again_is_told_but_for_the_verdict():
    done, undone = {"done": True}, {"done": False}
    content = {"stages": {"decode": done, "torso": undone, "doctor": undone}}
    assert record.undone(content) == ["torso"]
