"""Limits are ordered and each is explained."""

import dataclasses

import pytest

from emojax.data.checkup.thresholds import Thresholds

FIELDS = dataclasses.fields(Thresholds)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_limit_is_explained(field):
    assert f"\n      {field.name}: " in Thresholds.__doc__


def test_thresholds_cannot_be_changed_but_replaced():
    limits = Thresholds()
    with pytest.raises(dataclasses.FrozenInstanceError):
        limits.cuts = (1, 2)
    assert dataclasses.replace(limits, cuts=(1, 2)).cuts == (1, 2)
