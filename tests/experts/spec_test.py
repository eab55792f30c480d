"""Entries of layouts."""

from emojax.experts import spec


def test_entries_are_those_of_pytorch():
    assert spec.conv("a", 8, 4, 3) == {"a.weight": (8, 4, 3, 3), "a.bias": (8,)}
    assert spec.conv("a", 8, 4, 5, 7, bias=False) == {"a.weight": (8, 4, 5, 7)}
    assert spec.dense("a", 8, 4) == {"a.weight": (8, 4), "a.bias": (8,)}
    names = {"a.weight", "a.bias", "a.running_mean", "a.running_var"}
    assert spec.norm("a", 8) == dict.fromkeys(names, (8,))
