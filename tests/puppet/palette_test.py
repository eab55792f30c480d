import jax
import jax.numpy as jnp
import numpy as np

from emojax.puppet import identity, palette

PEOPLE = jax.vmap(identity.sample)(jax.random.split(jax.random.key(0), 64))
LOOKS = jax.vmap(palette.look)(PEOPLE)


def test_colours_are_reflectances():
    for name in ("skin", "lip", "iris", "hair", "brow", "whisker", "cloth"):
        color = np.stack(getattr(LOOKS, name))
        assert np.isfinite(color).all(), name
        assert color.min() >= 0, name
        assert color.max() <= 1, name


def test_pigment_darkens_and_every_skin_is_redder_than_blue():
    color = np.stack(LOOKS.skin)
    assert np.corrcoef(PEOPLE.melanin, color.mean(axis=0))[0, 1] < -0.9
    assert (color[0] > color[1]).all()
    assert (color[1] > color[2]).all()


def test_blending_goes_from_one_colour_to_the_other():
    black, white = (0.0, 0.0, 0.0), (1.0, 0.8, 0.6)
    assert palette.blend(black, white, jnp.float32(0)) == black
    np.testing.assert_allclose(palette.blend(black, white, jnp.float32(1)), white)
