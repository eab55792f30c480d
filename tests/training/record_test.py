import json

import pytest

from emojax.data.errors import DataError
from emojax.training import record
from tests.training import small


@pytest.fixture
def run(tmp_path):
    record.write(tmp_path, small.recipe(), {"data": "clip", "seed": 0})
    return tmp_path


def test_recipe_and_facts_come_back(run):
    recipe, facts = record.read(run)
    assert recipe == small.recipe()
    assert facts["data"] == "clip"
    record.write_facts(run, facts | {"data": "moved"})
    assert record.read(run) == (recipe, facts | {"data": "moved"})


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"a run with config\.json"):
        record.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("config.json", {"size": "big"}, "size: expected int"),
        ("config.json", {"nmae": 3}, r"did you mean name.*\? Write it again"),
        ("run.json", {"format": 99}, "format 99"),
    ],
)
def test_another_versions_files_are_refused(run, name, change, message):
    path = run / name
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=message) as caught:
        record.read(run)
    assert "of this version" in str(caught.value)


def test_a_digest_names_what_comes_back_from_a_file(run):
    assert record.digest(record.read(run)[0]) == record.digest(small.recipe())
    assert record.digest(small.recipe(small.fuse_stage())) != record.digest(small.recipe())


def test_a_fingerprint_names_what_decides_a_runs_bits(run):
    recipe, facts = record.read(run)
    name = record.fingerprint(recipe, facts)
    assert len(name) == record.DIGITS
    assert record.fingerprint(recipe, facts | {"data": "moved", "jax": "9"}) == name
    assert record.fingerprint(recipe, facts | {"seed": 1}) != name
    assert record.fingerprint(recipe, facts | {"clip": "0123"}) != name
    assert record.fingerprint(small.recipe(small.fuse_stage()), facts) != name
