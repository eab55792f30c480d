import jax
import jax.numpy as jnp
import numpy as np

from emojax.puppet import edges
from emojax.puppet.masks import Region

SIZE = 8


def _flat(value):
    return jnp.full(SIZE * SIZE, value)


def _halves(left, right):
    columns = np.arange(SIZE * SIZE) % SIZE
    return jnp.where(columns < SIZE // 2, left, right)


def _find(color, distance, region):
    found = edges.find([color] * 3, distance, region.astype(jnp.uint8), SIZE)
    return np.asarray(found).reshape(SIZE, SIZE)


def test_outlines_that_show_are_edges_on_both_sides():
    shade = _halves(0.2, 0.8)
    found = _find(shade, _flat(5.0), _halves(Region.SKIN, Region.BACKGROUND))
    assert found[:, SIZE // 2 - 1 : SIZE // 2 + 1].all()
    assert found.sum() == 2 * SIZE
    jump = _find(shade, _halves(5.0, 5.2), _flat(Region.SKIN))
    np.testing.assert_array_equal(jump, found)


def test_paint_and_what_cannot_be_told_apart_are_none():
    shade = _halves(0.2, 0.8)
    assert not _find(shade, _flat(5.0), _halves(Region.SKIN, Region.LIPS)).any()
    assert not _find(shade, _flat(5.0), _flat(Region.SKIN)).any()
    assert not _find(_flat(0.5), _flat(5.0), _halves(Region.SKIN, Region.HAIR)).any()


def test_four_rays_go_through_every_pixel_at_an_edge():
    edge = jnp.zeros(SIZE * SIZE, bool).at[jnp.array([9, 20])].set(True)
    u, v, count = edges.rays(edge, SIZE, SIZE * SIZE)
    assert count == 8
    np.testing.assert_array_equal(np.floor(u[:8]) + SIZE * np.floor(v[:8]), [9] * 4 + [20] * 4)
    np.testing.assert_allclose(np.mean(u[:4]), 1.5)
    np.testing.assert_allclose(np.mean(v[:4]), 1.5)
    assert len({(float(a), float(b)) for a, b in zip(u[:4], v[:4], strict=True)}) == 4


def test_more_edges_than_there_is_room_for_are_left_as_they_are():
    edge = jnp.ones(SIZE * SIZE, bool)
    u, _, count = edges.rays(edge, SIZE, SIZE * SIZE)
    assert count == len(u) == SIZE * SIZE
    values = tuple(jnp.ones(SIZE * SIZE) for _ in range(3))
    color = edges.smooth([_flat(0.0)] * 3, edge, values)
    np.testing.assert_array_equal(color[0], np.arange(SIZE * SIZE) < SIZE * SIZE // edges.RAYS)


def test_a_smooth_pixel_has_the_mean_of_its_rays():
    edge = jnp.zeros(SIZE * SIZE, bool).at[5].set(True)
    values = jax.random.uniform(jax.random.key(0), (3, SIZE * SIZE))
    color = edges.smooth([_flat(0.25)] * 3, edge, tuple(values))
    for channel, value in zip(color, values, strict=True):
        np.testing.assert_allclose(channel[5], value[:4].mean(), rtol=1e-6)
        assert (np.delete(channel, 5) == 0.25).all()
