"""A course that follows another is found with its lag; a stranger is not."""

import numpy as np
import pytest

from emojax.data.checkup import following


def _walk(seed, count, length=400):
    """Smooth random courses [length, count]."""
    noise = np.random.default_rng(seed).standard_normal((length + 20, count))
    return np.stack([np.convolve(x, np.hanning(7), "same") for x in noise.T], axis=1)[10:-10]


@pytest.mark.parametrize("lag", [-7, 0, 4])
def test_the_lag_of_a_mixture_is_found(lag):
    features = _walk(0, 6)
    target = np.roll(features @ [1, -2, 0.5, 0, 1, 3], lag) + 0.5 * _walk(1, 1)[:, 0]
    found = following.follow(features, target)
    assert found.lag == lag
    assert found.correlation > 0.8
    assert found.clarity > 5


def test_strangers_are_not_clear():
    clarity = [following.follow(_walk(s, 6), _walk(s + 50, 1)[:, 0]).clarity for s in range(8)]
    assert max(clarity) < 4.5


def test_what_stands_still_follows_nothing():
    assert following.follow(np.ones((400, 3)), _walk(0, 1)[:, 0]) is None
    assert following.follow(_walk(0, 3), np.ones(400)) is None
    assert following.follow(_walk(0, 3)[:50], _walk(0, 1)[:50, 0]) is None


def test_constant_features_beside_others_do_no_harm():
    features = np.concatenate([_walk(0, 3), np.full((400, 2), 7.0)], axis=1)
    assert following.follow(features, features[:, 1]).correlation > 0.99


def test_principal_parts_keep_what_varies():
    strong = _walk(0, 2)
    mixing = np.random.default_rng(1).standard_normal((2, 30))
    features = strong @ mixing + 1e-3 * _walk(2, 30)
    parts = following.principal_parts(features, 4)
    assert parts.shape == (400, 4)
    rest = strong - parts @ np.linalg.lstsq(parts, strong, rcond=None)[0]
    assert np.abs(rest - rest.mean(axis=0)).max() < 0.05 * strong.std()
