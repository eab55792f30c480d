import jax.numpy as jnp
import numpy as np

from emojax.data.labels import Label
from emojax.training import regions


def _landmarks(left, top, right, bottom):
    points = np.zeros((68, 2), np.float32)
    points[48:60] = [[left + 0.7, top], [right, bottom + 0.2]] * 6
    return jnp.array(points)


def test_masks_partition_the_head():
    labels = jnp.array([[kind.value for kind in Label]], jnp.uint8)
    found = regions.regions(labels, _landmarks(1, 0, 3, 0))
    names = {kind.name: i for i, kind in enumerate(Label)}
    assert set(np.flatnonzero(found.head[0])) == {names["FACE"], names["HAIR"]}
    assert set(np.flatnonzero(found.hair[0])) == {names["HAIR"]}
    assert set(np.flatnonzero(found.mouth[0])) == {names["MOUTH"], names["TEETH"]}
    np.testing.assert_array_equal(found.head + found.mouth + found.backdrop, 1)


def test_the_lips_square_is_the_originals():
    mask = np.array(regions.lip_square(_landmarks(10, 20, 18, 22), (40, 40)))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    # Centre (14, 21), half side max(8, 2) // 2 = 4, the end left out.
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (17, 24, 10, 17)


def test_the_lips_square_may_leave_the_picture():
    mask = regions.lip_square(_landmarks(-4, 0, 4, 0), (8, 8))
    assert float(mask.sum()) == 4 * 4


def test_small_gaps_close():
    mask = jnp.zeros((9, 9)).at[2:7, 2:7].set(1).at[4, 4].set(0)
    closed = regions.close_gaps(mask)
    assert float(closed[4, 4]) == 1
    assert float(closed.sum()) == 25
