"""Means with intervals: by hand, coverage, gaps, the same again."""

import numpy as np

from emojax.metrics import statistics


def test_the_mean_counts_known_frames_alone():
    found = statistics.mean(np.array([1.0, np.nan, 3.0, np.nan]))
    assert (found.mean, found.count) == (2, 2)
    assert found.low <= 2 <= found.high
    assert statistics.mean(np.full(3, np.nan)) == statistics.Mean(None, None, None, 0)
    assert statistics.mean(np.zeros(0)).count == 0
    assert statistics.mean(np.array([4.0])) == statistics.Mean(4, 4, 4, 1)


def test_the_same_values_have_the_same_interval():
    values = np.random.default_rng(0).normal(size=80)
    assert statistics.mean(values) == statistics.mean(values)


def test_intervals_of_resembling_frames_are_honest():
    """Of an autoregressive course of variance 1, whose neighbours correlate with 0.9."""
    rng = np.random.default_rng(0)
    covered = single = 0
    for _ in range(100):
        x = np.empty(400)
        x[0] = rng.normal()
        for t in range(1, 400):
            x[t] = 0.9 * x[t - 1] + np.sqrt(1 - 0.81) * rng.normal()
        found = statistics.mean(x)
        covered += found.low <= 0 <= found.high
        single += abs(x.mean()) < 1.96 * x.std() / np.sqrt(400)
    assert covered > 80, "near the nominal 95 of 100"
    assert single < 60, "as frames by themselves would not be"
