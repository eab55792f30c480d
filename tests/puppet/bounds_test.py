import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.puppet import bounds, identity, muscles, shape
from tests.puppet.filmed import ACTS

FIELD = jax.jit(lambda posed, x, y, z: shape.field(posed, x, y, z, fine=True))
BOTTOM = -0.95  # head heights; no portrait shows what is lower


@pytest.mark.parametrize("name", ["rest", "open", "turned"])
def test_nothing_of_anybody_sticks_out(name):
    people = jax.vmap(identity.sample)(jax.random.split(jax.random.key(3), 6))
    posed = jax.vmap(muscles.pose, in_axes=(0, None))(people, ACTS[name])
    rng = np.random.default_rng(0)
    at = np.float32(rng.uniform((-1.2, BOTTOM, -1.0), (1.2, 0.9, 0.8), (20_000, 3)).T)

    def outside(one):
        inside = jnp.zeros(at.shape[1], bool)
        for center, radii in bounds.ellipsoids(one):
            q = sum(((at[k] - center[k]) / radii[k]) ** 2 for k in range(3))
            inside |= q < 1
        return jnp.where(inside, jnp.inf, FIELD(one, *at))

    assert np.asarray(jax.vmap(outside)(posed)).min() > 0


def test_rays_come_near_between_start_and_end_and_others_never():
    posed = muscles.pose(identity.average(), ACTS["rest"])
    origin = tuple(jnp.float32(x) for x in (0, 0, 5))
    direction = tuple(jnp.array(x) for x in ([0.0, 0.0], [0.0, 0.8], [-1.0, -0.6]))
    start, end = bounds.along(posed, origin, direction, margin=0.0)
    assert 4.2 < start[0] < 4.65  # before the nose
    assert end[0] > 5.3
    assert start[1] > end[1]
    wider, farther = bounds.along(posed, origin, direction, margin=0.02)
    assert wider[0] < start[0]
    assert farther[0] > end[0]
