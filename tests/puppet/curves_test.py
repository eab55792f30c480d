import jax.numpy as jnp
import numpy as np

from emojax.puppet import controls, curves, identity, muscles
from emojax.puppet.controls import Controls


def _posed(**levels):
    units = jnp.zeros(17)
    for name, level in levels.items():
        units = units.at[controls.unit(int(name[1:]))].set(level)
    return muscles.pose(identity.average(), Controls.neutral().replace(action_units=units))


def test_lips_lie_in_order_and_meet_at_the_corners():
    mouth = _posed(a25=4.0, a26=3.0).mouth
    lip = curves.lips(mouth, jnp.linspace(0, 1, 20) * mouth.half_width)
    assert (lip.upper_outer >= lip.upper_inner).all()
    assert (lip.upper_inner >= lip.lower_inner).all()
    assert (lip.lower_inner >= lip.lower_outer).all()
    np.testing.assert_allclose(lip.upper_outer[-1], lip.lower_outer[-1], atol=1e-6)
    assert lip.upper_inner[0] - lip.lower_inner[0] > 0.05


def test_shut_lips_touch_along_their_whole_length():
    mouth = _posed().mouth
    lip = curves.lips(mouth, jnp.linspace(0, 1, 20) * mouth.half_width)
    np.testing.assert_array_equal(lip.upper_inner, lip.lower_inner)


def test_shut_lids_touch_and_lie_between_the_open_ones():
    open_, shut = _posed().eye, _posed(a45=5.0).eye
    u = jnp.linspace(-1, 1, 21) * open_.half_width
    upper, lower = curves.lid_heights(shut, u)
    np.testing.assert_allclose(upper, lower, atol=1e-7)
    above, below = curves.lid_heights(open_, u)
    assert (upper <= above + 1e-7).all()
    assert (upper >= below - 1e-7).all()


def test_eye_coordinates_go_there_and_back():
    eye = _posed().eye
    u, v = jnp.array([0.03, -0.05]), jnp.array([0.01, -0.02])
    lid = curves.lids(eye, *curves.eye_point(eye, u, v))
    np.testing.assert_allclose(lid.u, u, atol=1e-6)
    np.testing.assert_allclose(lid.v, v, atol=1e-6)


def test_a_brow_is_thicker_inside_than_outside():
    brow = _posed().brow
    half = curves.brow_half(brow, jnp.array([0.1, 0.5, 1.0]))
    assert half[0] > half[2] > 0
    assert curves.brow_height(brow, jnp.float32(0)) == brow.inner
    np.testing.assert_allclose(curves.brow_height(brow, jnp.float32(1)), brow.outer)
