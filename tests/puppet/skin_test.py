import jax
import jax.numpy as jnp
import numpy as np

from emojax.puppet import identity, muscles, palette, skin
from emojax.puppet.masks import Region
from tests.puppet import filmed


def test_paint_knows_what_it_covers():
    person = identity.average()
    posed, looks = muscles.pose(person, filmed.act()), palette.look(person)
    eye = posed.eye
    points = {
        Region.LIPS: (0.0, -0.287, 0.33),
        Region.BROW: (0.12, float(posed.brow.middle) - 0.022, 0.28),
        Region.SKIN: (0.1, 0.2, 0.27),
        Region.EYE: (float(eye.ball_x), 0.0, float(eye.ball_z + eye.radius)),
        Region.HAIR: (0.0, 0.53, -0.1),
    }
    x, y, z = jnp.array(list(points.values())).T
    found = jax.jit(lambda *p: skin.paint(posed, looks, *p))(x, y, z)
    assert [Region(r) for r in np.asarray(found.region)] == list(points)
    color = np.stack(found.color)
    assert color[:, 1].mean() < color[:, 2].mean()  # brow, forehead
    assert color[:, 3].max() < 0.1  # pupil


def test_bare_skin_and_cloth_are_those_of_neck_and_torso():
    person = identity.average()
    posed, looks = muscles.pose(person, filmed.act()), palette.look(person)
    x, y, z = jnp.array([[0.0, 0.3], [-0.62, -0.85], [0.07, 0.12]])
    found = jax.jit(lambda *p: skin.paint(posed, looks, *p))(x, y, z)
    assert list(np.asarray(found.region)) == [Region.NECK, Region.TORSO]
    shown = np.stack(found.color)
    np.testing.assert_allclose(np.stack(skin.bare(looks, x, y, z))[:, 0], shown[:, 0], rtol=0.1)
    np.testing.assert_allclose(
        np.stack(skin.cloth(posed, looks, x, y, z))[:, 1], shown[:, 1], rtol=1e-3
    )
