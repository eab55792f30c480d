"""Offset and confidence: parity with syncnet_python, known offsets, what is refused."""

import jax
import numpy as np
import pytest

from emojax.experts import lip_sync
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden


def test_the_arithmetic_is_the_originals():
    data = golden.data("syncnet")
    table = lip_sync.distances(data["in.dist_feat_video"], data["in.dist_feat_audio"], max_shift=10)
    golden.check("syncnet", "out.dist_matrix", table)
    found = lip_sync.evaluate(table)
    golden.check("syncnet", "out.mean_dist", found.mean_distances)
    golden.check("syncnet", "out.min_dist", found.distance[None])
    golden.check("syncnet", "out.confidence", found.confidence[None])
    golden.check("syncnet", "out.framewise_conf_medfilt9", found.framewise)
    assert int(found.offset) == data["out.av_offset"][0]


@pytest.mark.parametrize("shift", [-3, 0, 7])
def test_a_known_offset_is_found(shift):
    video = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    found = lip_sync.evaluate(lip_sync.distances(video, np.roll(video, -shift, axis=0)))
    assert int(found.offset) == shift
    assert float(found.confidence) > 1
    assert float(found.distance) < 0.5


def test_unrelated_features_have_no_confidence():
    video, sound = np.random.default_rng(1).normal(size=(2, 500, 32)).astype(np.float32)
    found = lip_sync.evaluate(lip_sync.distances(video, sound))
    assert float(found.confidence) < 0.2


def test_the_loss_pulls_embeddings_together():
    lips, sound = np.random.default_rng(2).normal(size=(2, 3, 16)).astype(np.float32)
    assert float(lip_sync.loss(lips, lips)) == 0
    gradient = jax.grad(lip_sync.loss)(lips, sound)
    np.testing.assert_allclose(gradient, 2 * (lips - sound) / lips.size, rtol=1e-5)
    np.testing.assert_allclose(lip_sync.cosine(lips, lips), 1, rtol=1e-6)


@pytest.mark.parametrize("shapes", [((0, 4), (0, 4)), ((5, 4), (6, 4)), ((5,), (5,))])
def test_features_that_do_not_pair_are_refused(shapes):
    with pytest.raises(CheckpointError, match="same number of windows"):
        lip_sync.distances(*(np.zeros(shape) for shape in shapes))
