import jax
import jax.numpy as jnp
import numpy as np

from emojax.splatting import composite


def test_opaque_hides_and_transparent_shows():
    image, behind = jnp.full((2, 2, 3), 0.25), jnp.full((2, 2, 3), 0.75)
    np.testing.assert_array_equal(composite.over(image, jnp.ones((2, 2)), behind), image)
    np.testing.assert_array_equal(composite.over(0 * image, jnp.zeros((2, 2)), behind), behind)


def test_is_associative():
    keys = jax.random.split(jax.random.key(0), 5)
    a, b, c = (jax.random.uniform(k, (4, 5, 3)) for k in keys[:3])
    alpha, beta = (jax.random.uniform(k, (4, 5)) for k in keys[3:])
    one_by_one = composite.over(a, alpha, composite.over(b, beta, c))
    together = composite.over(composite.over(a, alpha, b), alpha + (1 - alpha) * beta, c)
    np.testing.assert_allclose(one_by_one, together, atol=1e-6)
