"""Blending: one splat by hand, lists of every length, and the bookkeeping around it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.splatting import constants, project, rasterize, tiles
from tests import synthetic
from tests.splatting import oracle


def _splat(opacity, *, used=True, features=(1.0, 0.5), attached=(1.0, 1.0)):
    return rasterize.Splat(
        mean=jnp.array([3.0, 4.0]),
        conic=jnp.array([0.5, 0.1, 0.25]),
        opacity=jnp.asarray(opacity),
        features=jnp.array(features),
        attached=jnp.array(attached),
        tap=jnp.zeros(4),
        used=jnp.asarray(used),
    )


def _pixels(transmittance=1.0):
    return rasterize.Pixels(jnp.zeros((2, 2)), jnp.full(2, transmittance), jnp.zeros(2, bool))


CENTERS = jnp.array([[3.0, 4.0], [4.0, 2.0]])  # the mean, and one to the right and two above


def _blend(state, splat):
    return rasterize.blend_one(state, splat, CENTERS, alpha_max=0.999)


def test_one_splat_by_hand():
    out = _blend(_pixels(0.5), _splat(0.8))
    sigma = 0.5 * (0.5 * 1 + 0.25 * 4) + 0.1 * -1 * 2
    alpha = 0.8 * np.exp([0, -sigma])
    np.testing.assert_allclose(out.transmittance, 0.5 * (1 - alpha), rtol=1e-6)
    np.testing.assert_allclose(out.color, 0.5 * alpha[:, None] * [1.0, 0.5], rtol=1e-6)
    assert not out.stopped.any()


@pytest.mark.parametrize(
    ("transmittance", "opacity", "why"),
    [(1.0, 0.0039, "below 1/255"), (1.01e-4, 0.5, "would stop the pixel")],
)
def test_a_splat_that_does_not_count(transmittance, opacity, why):
    out = _blend(_pixels(transmittance), _splat(opacity))
    np.testing.assert_array_equal(out.transmittance, np.float32(transmittance), err_msg=why)
    np.testing.assert_array_equal(out.color, 0)
    assert bool(out.stopped[0]) == (transmittance < 1)


def test_a_stopped_pixel_stays_as_it_is():
    state = _pixels(0.5)._replace(stopped=jnp.array([True, False]))
    out = _blend(state, _splat(0.8))
    assert out.transmittance[0] == 0.5
    assert out.transmittance[1] < 0.5


def test_padding_is_not_blended():
    out = _blend(_pixels(), _splat(0.8, used=False))
    np.testing.assert_array_equal(out.transmittance, 1)


def test_a_detached_channel_moves_nothing():
    def color(mean, channel):
        splat = _splat(0.8, attached=(1.0, 0.0))._replace(mean=mean)
        return _blend(_pixels(), splat).color[:, channel].sum()

    gradient = jax.grad(color)
    assert np.any(gradient(jnp.array([3.3, 4.1]), 0))
    np.testing.assert_array_equal(gradient(jnp.array([3.3, 4.1]), 1), 0)


@pytest.mark.parametrize(
    "count", [1, rasterize._CHUNK - 1, rasterize._CHUNK, 2 * rasterize._CHUNK + 1]
)
def test_lists_of_every_length(count):
    s = synthetic.scene(count, 20, 18, sigma=5.0, seed=count)
    size = {"width": 20, "height": 18}

    @jax.jit
    def run(*arrays):
        splats = project.project(*arrays[:4], s.camera)
        bins = tiles.bin_splats(splats, **size)
        return rasterize.blend(splats, arrays[4], bins, **size)

    color, transmittance = run(*s[:5])
    expected = oracle.render(s)
    clear = expected.margin > 1e-4
    np.testing.assert_allclose(color[clear], expected.color[clear], atol=2e-5)
    np.testing.assert_allclose(transmittance[clear], expected.transmittance[clear], atol=2e-5)


def test_indices_of_a_bitmap_row():
    bits = np.zeros(70, bool)
    bits[[0, 5, 31, 32, 69]] = True
    indices, count = rasterize._list(tiles._pack(jnp.asarray(bits)), 70)
    assert count == 5
    np.testing.assert_array_equal(indices[:5], [0, 5, 31, 32, 69])


def test_pixel_centres_of_a_tile():
    centers = rasterize._centers(3, jnp.int32(4), jnp.float32)  # second row, second column
    np.testing.assert_array_equal(centers[0], [16.5, 16.5])
    np.testing.assert_array_equal(centers[-1], [31.5, 31.5])
    np.testing.assert_array_equal(centers[constants.TILE_SIZE], [16.5, 17.5])
