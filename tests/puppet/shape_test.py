import jax
import jax.numpy as jnp
import numpy as np

from emojax.puppet import identity, muscles, raycast, shape
from tests.puppet import filmed

# In the slit between shut lips the skin is this near on both sides.
TOUCHING = 6e-4
PARTS = jax.jit(lambda posed, x, y, z: shape.distances(posed, x, y, z, fine=True))


def _at(posed, *point):
    found = PARTS(posed, *(jnp.full(1, value, jnp.float32) for value in point))
    return jax.tree.map(lambda leaf: float(leaf[0]), found)


def test_parts_are_where_they_belong():
    posed = muscles.pose(identity.average(), filmed.act())
    assert _at(posed, 0, 0.1, 0).skin < 0
    assert _at(posed, 0, 0, 2).skin > 0.5
    assert _at(posed, 0.14, 0, 0.18).eye < 0
    assert _at(posed, 0, -0.28, float(posed.mouth.teeth_z) - 0.01).teeth < 0
    assert _at(posed, 0, 0.52, -0.1).hair < 0
    assert _at(posed, 0, -1.1, -0.1).cloth < 0
    assert _at(posed, 0, -0.65, -0.12).neck < 0


def test_an_open_mouth_is_hollow_and_a_shut_one_solid():
    lips = (0, -0.315, 0.30)
    assert _at(muscles.pose(identity.average(), filmed.act()), *lips).skin < 0
    assert _at(muscles.pose(identity.average(), filmed.act(a25=5.0, a26=5.0)), *lips).skin > 0


def test_teeth_stay_inside_the_shut_head():
    """No tooth pokes through skin."""
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(0, 0.08, 9), np.linspace(-0.38, -0.24, 15)))
    people = jax.vmap(identity.sample)(jax.random.split(jax.random.key(4), 12))
    for action in (filmed.act(), filmed.act(a20=5.0), filmed.act(pucker=1.0), filmed.act(a15=5.0)):
        posed = jax.vmap(muscles.pose, in_axes=(0, None))(people, action)

        def margin(one):
            z = one.mouth.teeth_z - 2.4 * x**2 + 0.002
            found = PARTS(one, jnp.float32(x), jnp.float32(y), z)
            return jnp.where(found.teeth < 0.002, found.skin, -1.0)

        assert np.asarray(jax.vmap(margin)(posed)).max() < TOUCHING


def test_distances_change_slowly_enough_to_step_by():
    """The field's slope stays near 1, or rays would step through thin parts."""
    posed = muscles.pose(identity.average(), filmed.act(a25=4.0, a26=3.0))
    rng = np.random.default_rng(0)
    at = np.float32(rng.uniform((-0.4, -0.9, -0.5), (0.4, 0.6, 0.5), (20000, 3)))
    field = jax.jit(lambda p: shape.field(posed, p[:, 0], p[:, 1], p[:, 2], fine=False))
    here = np.asarray(field(at))
    toward = np.float32([0, 0, -1e-3])
    slope = np.abs(np.asarray(field(at + toward)) - here)[(here > 0.002) & (here < 0.2)] / 1e-3
    assert raycast.RELAX * np.quantile(slope, 0.95) < 1


def test_the_body_frame_is_the_head_frame_of_a_straight_head():
    posed = muscles.pose(identity.average(), filmed.act())
    np.testing.assert_allclose(shape.to_body(posed, 0.1, -0.2, 0.3), (0.1, -0.2, 0.3), atol=1e-6)


def test_the_body_alone_is_the_body_of_the_whole():
    posed = muscles.pose(identity.average(), filmed.act(rotation=(0.1, 0.2, 0.0)))
    rng = np.random.default_rng(1)
    x, y, z = np.float32(rng.uniform((-0.9, -1.1, -0.5), (0.9, -0.5, 0.4), (500, 3)).T)
    neck, cloth = shape.body(posed, x, y, z)
    whole = PARTS(posed, x, y, z)
    np.testing.assert_allclose(neck, whole.neck, atol=1e-5)
    np.testing.assert_allclose(cloth, whole.cloth, atol=1e-5)
    assert (np.asarray(whole.skin) <= np.asarray(neck) + 1e-5).all()


def test_teeth_never_come_through_thin_flesh():
    """Below the lips and in their corners, where the skin is nearest to the teeth."""
    people = jax.vmap(identity.sample)(jax.random.split(jax.random.key(6), 12))
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(0, 0.1, 11), np.linspace(-0.45, -0.31, 15)))
    z = np.linspace(0.16, 0.36, 101)
    x, y, z = np.float32(np.broadcast_arrays(x[:, None], y[:, None], z))
    posed = jax.vmap(muscles.pose, in_axes=(0, None))(people, filmed.act())
    found = jax.vmap(lambda one: PARTS(one, x, y, z))(posed)

    def front(distance):
        """The farthest point in front that belongs to a part, [people, columns]."""
        return np.where(np.asarray(distance) < 0, z, 0).max(axis=-1)

    has_tooth = front(found.teeth) > 0
    assert has_tooth.any()
    assert (front(found.skin) - front(found.teeth))[has_tooth].min() > 0.002
