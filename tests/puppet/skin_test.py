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
