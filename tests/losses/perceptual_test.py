"""Patches and crops: which pixels they hold, and what a measure makes of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.losses import perceptual


def _numbered(height, width):
    """A picture whose pixels say where they are."""
    rows, columns = np.mgrid[:height, :width]
    return jnp.asarray(np.stack([rows, columns], axis=-1), jnp.float32)


def _squared(image, target):
    return jnp.mean(jnp.square(image - target), axis=(1, 2, 3))


@pytest.mark.parametrize(("height", "width", "side"), [(64, 64, 32), (70, 45, 20), (8, 9, 8)])
def test_patches_are_whole_disjoint_squares(height, width, side):
    found = np.asarray(perceptual.patches(jax.random.key(0), _numbered(height, width), side))
    assert found.shape == ((height // side) * (width // side), side, side, 2)
    np.testing.assert_array_equal(np.diff(found[..., 0], axis=1), 1)
    np.testing.assert_array_equal(np.diff(found[..., 1], axis=2), 1)
    pixels = found.reshape(-1, 2)
    assert len(np.unique(pixels, axis=0)) == len(pixels)


def test_the_grid_moves_with_the_key_until_every_pixel_is_seen():
    image = _numbered(11, 13)
    cut = jax.jit(lambda key: perceptual.patches(key, image, 5))
    seen = np.concatenate([cut(jax.random.key(i)).reshape(-1, 2) for i in range(30)])
    assert len(np.unique(seen, axis=0)) == 11 * 13


def test_a_patch_larger_than_the_picture_is_refused():
    with pytest.raises(ValueError, match="no patch of side 32"):
        perceptual.patches(jax.random.key(0), jnp.zeros((31, 64, 3)), 32)


def test_both_pictures_are_cut_at_the_same_places():
    image = _numbered(37, 41)
    distance = perceptual.patch_distance(
        jax.random.key(3), image, image + 2, side=8, measure=_squared
    )
    assert distance == pytest.approx(4)


def test_a_crop_lies_around_its_centre_and_inside_the_picture():
    image = _numbered(20, 30)
    inside = perceptual.crop(image, jnp.array([12.0, 9.0]), 6)
    np.testing.assert_array_equal(inside[0, 0], [6, 9])
    corner = perceptual.crop(image, jnp.array([29.0, -3.0]), 6)
    np.testing.assert_array_equal(corner[0, 0], [0, 24])
    np.testing.assert_array_equal(corner[-1, -1], [5, 29])


def test_the_distance_of_a_crop_moves_only_its_pixels():
    image = _numbered(16, 16)
    gradient = jax.grad(
        lambda image: perceptual.crop_distance(
            image, jnp.zeros_like(image), jnp.array([8.0, 8.0]), side=4, measure=_squared
        )
    )(image)
    moved = np.abs(gradient).sum(axis=-1) > 0
    assert moved[6:10, 6:10].all()
    assert moved.sum() == 16
