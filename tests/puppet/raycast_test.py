import jax
import jax.numpy as jnp
import numpy as np

from emojax.puppet import identity, muscles, raycast
from tests.puppet import filmed


def test_a_stage_is_computed_as_without_it():
    def function(a, b):
        return {"sum": a + b, "product": a * b}

    a, b = jnp.arange(3.0), jnp.ones(3)
    found = jax.jit(lambda flag: raycast.apart(flag, function, a, b))(jnp.bool_(True))
    assert jax.tree.all(jax.tree.map(jnp.array_equal, found, function(a, b)))


def test_rays_meet_the_nose_and_miss_beside_the_head():
    posed = muscles.pose(identity.average(), filmed.act())
    x = jnp.array([0.0, 0.8])
    y = jnp.array([-0.16, 0.3])
    origin = (jnp.float32(0), jnp.float32(0), jnp.float32(5))
    length = jnp.sqrt(x * x + y * y + 25)
    direction = (x / length, y / length, -5 / length)
    start, end = jnp.full(2, 4.0), jnp.full(2, 6.0)
    t, hit = jax.jit(lambda *a: raycast.march(*a, cone=1e-3))(posed, origin, direction, start, end)
    np.testing.assert_array_equal(hit, [True, False])
    np.testing.assert_allclose(5 - t[0], posed.face.tip.z + posed.face.tip.rz, atol=0.01)
    point = tuple((o + t * d)[:1] for o, d in zip(origin, direction, strict=True))
    nose = jnp.stack(raycast.normal(posed, *point))
    assert nose[2, 0] > 0.85
    lit = (0.0, 0.0, 1.0)
    open_, shadow = raycast.openness(posed, *point, tuple(nose), lit)
    assert open_[0] > 0.8
    assert shadow[0] > 0.8
