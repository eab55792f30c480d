"""Limits: a small file cannot cost much, a large one may cost in proportion."""

import pytest

from emojax.experts.checkpoint import limits
from emojax.experts.checkpoint.refusal import CheckpointError


def test_steps_end():
    budget = limits.Budget(10, steps=3)
    budget.spend(3)
    with pytest.raises(CheckpointError, match="more parts"):
        budget.spend(1)


def test_bytes_end_in_proportion_to_the_file():
    small, large = limits.Budget(10), limits.Budget(1 << 30)
    large.spend(1, copied=4 << 30)
    with pytest.raises(CheckpointError, match="a bomb"):
        small.spend(1, copied=4 << 30)


@pytest.mark.parametrize("key", ["a", b"a", 5, True, None, ("a", 1)])
def test_plain_values_are_keys(key):
    assert limits.key(key) == key


@pytest.mark.parametrize("key", [[], {}, 1.5, 1 << 63, ((),), tuple(range(9))], ids=repr)
def test_others_are_none(key):
    with pytest.raises(CheckpointError, match="key"):
        limits.key(key)
