"""Findings are graded on both sides, and reports put what is wrong first."""

import math

import pytest

from emojax.data.checkup import report


def _least(value, limits=(10, 5), **options):
    return report.at_least("a", "A", value, limits, advice="Do.", **options)


@pytest.mark.parametrize(
    ("value", "level"),
    [(10, "good"), (9.9, "usable"), (5, "usable"), (4.9, "not usable"), (None, "unknown")],
)
def test_more_is_better(value, level):
    finding = _least(value)
    assert finding.level == level
    assert finding.advice == ("Do." if level in ("usable", "not usable") else "")


@pytest.mark.parametrize(
    ("value", "level"), [(1, "good"), (2, "usable"), (3, "not usable"), (math.nan, "unknown")]
)
def test_less_is_better(value, level):
    finding = report.at_most("a", "A", value, (1, 2), advice="Do.")
    assert finding.level == level
    assert (finding.good, finding.usable) == ("at most 1", "at most 2")


def test_without_a_second_limit_nothing_is_not_usable():
    assert _least(-1e9, (10, None)).level == "usable"


def test_shares_are_shown_as_percentages():
    finding = _least(0.123, (0.5, 0.1), unit="%")
    assert report.shown(finding) == "12.3 %"
    assert finding.good == "at least 50"


def test_the_verdict_is_the_worst_level_and_unknown_does_not_count():
    good, usable, bad, unknown = _least(11), _least(7), _least(1), _least(None)
    assert report.verdict([good, unknown]) == "good"
    assert report.verdict([good, usable, unknown]) == "usable"
    assert report.verdict([bad, good, usable]) == "not usable"


def test_text_says_what_is_wrong_first_and_what_to_do():
    text = report.to_text("clip", [_least(11), _least(1), _least(7)])
    assert text.startswith("clip: not usable")
    assert text.index("NOT USABLE") < text.index("USABLE", 40) < text.index("GOOD\n")
    assert text.count("-> Do.") == 2
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1234.5, "1234"), (0.012345, "0.0123"), (12.345, "12.3")]
)
def test_numbers_have_three_significant_digits(value, text):
    assert report.number(value) == text
