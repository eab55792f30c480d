"""The table of departures: each recipe differs in what its name says, and is sound."""

import pytest

from emojax import config
from emojax.training import checks
from tests.experiments import command


@pytest.fixture(scope="module")
def ablations():
    return command.module("ablations")


def test_every_recipe_is_sound_and_differs_by_its_departure(ablations):
    found = ablations.candidates(steps=0.05, size=128)
    assert set(found) == set(ablations.NAMES)
    for made in found.values():
        checks.check(made)
    departures = [name[1:] for name in found if name.startswith("+")]
    assert departures
    for name in departures:
        assert config.differences(found["talking_gaussian"], found[f"+{name}"]), name
        assert config.differences(found["default"], found[f"-{name}"]), name


def test_the_table_has_means_and_the_spread_of_seeds(ablations):
    rows = {measure: 1.0 for measure in ablations.MEASURES}
    made = ablations.table({"a": [rows, rows | {"lmd": 3.0}], "b": [rows | {"jitter": None}]})
    assert made["means"]["a"]["lmd"] == 2.0
    assert made["means"]["b"]["jitter"] is None
    assert made["spread_of_seeds"]["lmd"] == pytest.approx(2**0.5)
    text = ablations.to_text(made)
    assert "spread of seeds" in text
    assert "-" in text.splitlines()[2]
