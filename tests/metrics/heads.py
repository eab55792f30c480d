"""A small head of random numbers, which takes no compilation to make."""

import dataclasses

import jax
import numpy as np

from emojax import head as heads
from emojax.encoders import TriplaneConfig
from emojax.head import Head, HeadConfig

_GRID = TriplaneConfig(
    num_levels=2,
    num_features=1,
    base_resolution=4,
    finest_resolution=8,
    log2_table_size=10,
    bound=0.15,
)
NUM_GAUSSIANS = 40
_CONFIG = HeadConfig(
    face_points=NUM_GAUSSIANS,
    mouth_points=NUM_GAUSSIANS,
    face_capacity=NUM_GAUSSIANS,
    mouth_capacity=NUM_GAUSSIANS,
    face_grid=_GRID,
    mouth_grid=_GRID,
)


def emotional_head() -> Head:
    """Returns such a head with normals, and with emotions that move it."""
    head = _random(dataclasses.replace(_CONFIG, emotion="raw", emotion_grid=_GRID, normals=True))
    strong = jax.tree.map(lambda leaf: 20 * leaf, head.emotion_motion)
    return head.replace(emotion_motion=strong)


def random_head() -> Head:
    """Returns a head of 40 Gaussians, 7 mm in size, in each branch."""
    return _random(_CONFIG)


def _random(config: HeadConfig) -> Head:
    """A head of random numbers."""
    rng = np.random.default_rng(0)

    def fill(leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        if leaf.dtype == bool:
            return np.ones(leaf.shape, bool)
        return (0.04 * rng.normal(size=leaf.shape)).astype(leaf.dtype)

    shapes = jax.eval_shape(lambda key: heads.init(key, config), jax.random.key(0))
    head = jax.tree.map(fill, shapes)
    clouds = {
        branch: getattr(head, branch).replace(scales=np.full((NUM_GAUSSIANS, 3), -5, np.float32))
        for branch in heads.BRANCHES
    }
    return head.replace(**clouds)
