"""What training says while it goes on."""

import types

import numpy as np
import pytest

from tests.experiments import command
from tests.training import small


@pytest.fixture(scope="module")
def progress():
    return command.module("progress")


def _reports(stage, *, first=0):
    for step in range(first + 2, stage.steps + 1, 2):
        yield types.SimpleNamespace(
            step=step,
            rows=np.zeros(2),
            info=types.SimpleNamespace(loss=np.full(2, 0.25)),
            state=types.SimpleNamespace(head=None),
        )


def test_without_a_terminal_there_is_a_line_each_minute(progress, capsys):
    recipe = small.recipe()
    face = recipe.stages[1]
    ticks = iter(range(0, 10_000, 40))
    passed = progress.lines(recipe, face, _reports(face), clock=lambda: next(ticks))
    assert [report.step for report in passed] == [2, 4, 6, 8, 10, 12]
    # 40 s for two steps; 4 of 20 steps belong to the stage before, 4 to the one after.
    assert capsys.readouterr().err.splitlines() == [
        "train: face: step 4 of 12, loss 0.2500, about 4 minutes left for 12 steps in all",
        "train: face: step 8 of 12, loss 0.2500, about 3 minutes left for 8 steps in all",
        "train: face: step 12 of 12, loss 0.2500, about a minute left for 4 steps in all",
    ]


def test_the_bar_shows_the_loss_in_few_words(progress, capsys):
    stage = small.recipe().stages[0]
    assert len(list(progress.bar(stage, _reports(stage, first=2), 2))) == 1
    assert "loss 0.2500" in capsys.readouterr().err
