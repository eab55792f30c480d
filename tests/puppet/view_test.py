import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.puppet import light, view
from tests.puppet.filmed import ACTS, CAMERA, PERSON, SIZE, shot


@pytest.fixture(scope="module")
def scouted():
    """Cells of two pictures, and distances along the rays of their pixels."""

    def look(act):
        seen = view.View(PERSON, act, CAMERA, light.studio(jax.random.key(0)))
        index = jnp.arange(SIZE * SIZE)
        u, v = index % SIZE + 0.5, index // SIZE + 0.5
        cells, direction = seen.scout(), seen.directions(u, v)
        number = cells.at(u, v)
        return cells.free[number], cells.hit[number], seen.along(direction), jnp.stack(direction)

    look = jax.jit(look)
    return {name: jax.device_get(look(ACTS[name])) for name in ("open", "turned")}


@pytest.mark.parametrize("name", ["open", "turned"])
def test_no_cone_misses_what_a_ray_meets(scouted, name):
    free, hit, along, _ = scouted[name]
    depth = shot(name).depth.reshape(-1)
    met = np.isfinite(depth)
    assert hit[met].all()
    distance = depth[met] / 0.23 / along[met]
    # Where the field is steeper than a distance, a cone may end just under the surface: rays that
    # start there come back (raycast.FINE_STEPS).
    assert (free[met] < distance + 0.02).all()
    assert np.mean(free[met] < distance) > 0.99
    # And they are of use: most of the wall is not marched, most of the way to a face is done.
    assert hit.mean() < met.mean() + 0.16
    assert np.median(distance - free[met]) < 0.08


def test_directions_have_unit_length_and_the_middle_ray_goes_along_the_axis(scouted):
    _, _, along, direction = scouted["turned"]
    np.testing.assert_allclose(np.linalg.norm(direction, axis=0), 1, rtol=1e-5)
    assert along.max() > 0.9999
    middle = np.abs(along - along.max()).argmin()
    assert abs(middle % SIZE - SIZE / 2) <= 1
    assert abs(middle // SIZE - SIZE / 2) <= 1


def test_points_of_the_picture_lie_in_their_cells():
    cells = view.Cells(jnp.zeros(6), jnp.zeros(6, bool), 3)
    u = jnp.array([0.5, 3.9, 4.1, 11.9, 0.2])
    v = jnp.array([0.5, 3.9, 0.5, 3.5, 4.2])
    np.testing.assert_array_equal(cells.at(u, v), [0, 0, 1, 2, 3])
