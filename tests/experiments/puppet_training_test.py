"""The aims of training on puppets, and the table."""

import copy

import pytest

from emojax.metrics.scenarios import HEAD, SHUFFLED, STATIC, TRUTH
from tests.experiments import command

puppet_training = command.module("puppet_training")
GOOD = {"psnr": 37.0, "psnr_head": 32.0, "psnr_mouth": 31.0, "lmd": 0.3, "lip_correlation": 0.8,
        "silent_motion": 0.4}  # fmt: skip


@pytest.fixture
def report():
    films = {
        name: {metric: {"mean": value, "low": 0.9 * value, "high": 1.1 * value, "count": 137}
               for metric, value in GOOD.items()}
        for name in puppet_training.FILMS
    }  # fmt: skip
    films[STATIC]["lmd"]["mean"] = 0.75
    films[SHUFFLED]["lmd"]["mean"] = 0.6
    return {"films": films}


def test_a_good_head_reaches_all_aims(report):
    assert all(puppet_training.judge(report)["aims"].values())


@pytest.mark.parametrize(
    ("film", "metric", "value", "aim"),
    [
        (HEAD, "psnr", 29.9, "PSNR"),
        (HEAD, "lmd", 0.38, "still face"),
        (HEAD, "silent_motion", 0.7, "silence"),
        (SHUFFLED, "lmd", 0.32, "shuffled"),
        (TRUTH, "silent_motion", 0.0, "silence"),
    ],
)
def test_each_aim_can_fail(report, film, metric, value, aim):
    bad = copy.deepcopy(report)
    bad["films"][film][metric]["mean"] = value
    lost = [name for name, ok in puppet_training.judge(bad)["aims"].items() if not ok]
    assert len(lost) == 1
    assert aim in lost[0]


def test_the_table_names_what_fails(report):
    report["films"][HEAD]["psnr"]["mean"] = 20.0
    text = puppet_training.to_text({"3": puppet_training.judge(report)})
    assert "puppet 3: 137 held-out frames" in text
    assert "FAILS: PSNR at least 30 dB" in text
    assert text.count("holds") == 3
