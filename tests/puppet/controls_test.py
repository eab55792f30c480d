import jax
import numpy as np
import pytest

from emojax.puppet import controls


def test_at_rest_nothing_acts():
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(controls.Controls.neutral()))


def test_units_are_found_by_their_number():
    assert [controls.unit(number) for number in (1, 25, 45)] == [0, 14, 16]
    with pytest.raises(ValueError, match="tuple"):
        controls.unit(3)
