import jax
import jax.numpy as jnp
import numpy as np

from emojax.puppet import light
from emojax.puppet.skin import Surface

SCENE = light.studio(jax.random.key(0))
ONE, ZERO = jnp.ones(1), jnp.zeros(1)
FRONT = (ZERO, ZERO, ONE)
GRAY = Surface((0.5 * ONE,) * 3, ZERO, ZERO, ZERO, jnp.ones(1, jnp.int32))


def _shade(surface, **changes):
    options = {
        "normal": FRONT,
        "view": FRONT,
        "key": (0.0, 0.0, 1.0),
        "occlusion": ONE,
        "shadow": ONE,
        "up": (0.0, 1.0, 0.0),
        "fill": (0.0, 0.0, 1.0),
    } | changes
    return np.concatenate(light.shade(SCENE, surface, **options))


def test_shadow_and_occlusion_darken():
    lit = _shade(GRAY)
    assert (_shade(GRAY, shadow=ZERO) < lit).all()
    assert (_shade(GRAY, occlusion=ZERO) < lit).all()
    assert (_shade(GRAY, key=(0.0, 0.0, -1.0)) < lit).all()


def test_light_goes_under_soft_surfaces_red_the_farthest():
    edge = {"normal": (ONE, ZERO, ZERO), "fill": (-1.0, 0.0, 0.0)}
    gain = _shade(GRAY._replace(soft=ONE), **edge) - _shade(GRAY, **edge)
    assert gain[0] > gain[1] > gain[2] > 0


def test_the_camera_writes_numbers_between_zero_and_one_in_order():
    linear = jnp.linspace(0, 5, 100)
    (written,) = light.display((linear,))
    assert written[0] == 0
    assert written[-1] == 1
    assert (jnp.diff(written) >= 0).all()


def test_scenes_differ_by_key_and_only_by_key():
    a, b = light.studio(jax.random.key(1)), light.studio(jax.random.key(1))
    assert jax.tree.all(jax.tree.map(jnp.array_equal, a, b))
    assert not jnp.array_equal(a.wall, SCENE.wall)
    np.testing.assert_allclose(jnp.linalg.norm(a.key), 1, atol=1e-6)


def test_the_room_has_structure():
    x, y = jnp.meshgrid(jnp.linspace(-0.3, 0.3, 40), jnp.linspace(-0.25, 0.3, 40))
    assert np.std(light.room(SCENE, x, y)[0]) > 0.02


def test_a_window_lights_the_other_side():
    studio, window = light.studio(jax.random.key(2)), light.window(jax.random.key(2))
    assert studio.key[0] < 0 < window.key[0]
    np.testing.assert_allclose(np.linalg.norm(window.key), 1, rtol=1e-5)
    assert window.key_color[2] > window.key_color[0]  # cold
    assert window.fill_color[2] < window.fill_color[0]  # warm
    same, other = light.window(jax.random.key(2)), light.window(jax.random.key(3))
    assert jax.tree.all(jax.tree.map(jnp.array_equal, window, same))
    assert not jnp.array_equal(window.key, other.key)


def test_rays_see_the_wall_where_they_meet_it():
    scene = light.studio(jax.random.key(0))
    center = jnp.array([0.1, 0.0, 1.0])
    direction = (jnp.array([0.1]), jnp.array([-0.2]), jnp.array([-2.0]))
    reach = (light.WALL_Z - 1.0) / -2.0
    seen = light.wall(scene, center, direction)
    expected = light.room(scene, jnp.array([0.1 + 0.1 * reach]), jnp.array([-0.2 * reach]))
    np.testing.assert_allclose(np.stack(seen), np.stack(expected), rtol=1e-6)
    longer = light.wall(scene, center, tuple(3 * d for d in direction))
    np.testing.assert_allclose(np.stack(seen), np.stack(longer), rtol=1e-5)
