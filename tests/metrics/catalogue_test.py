"""The names of metrics."""

from emojax.metrics import catalogue


def test_names_are_unique_and_judged_ones_exist():
    names = [metric.name for metric in catalogue.METRICS]
    assert len(set(names)) == len(names)
    assert set(catalogue.JUDGED) <= set(names)
