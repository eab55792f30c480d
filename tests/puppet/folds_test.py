import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.puppet import controls, identity, muscles
from emojax.puppet.controls import Controls
from emojax.puppet.folds import folds

X, Y = (a.ravel() for a in np.meshgrid(np.linspace(0, 0.3, 60), np.linspace(-0.48, 0.3, 120)))
FOLDS = jax.jit(
    lambda units: folds(
        muscles.pose(identity.average(), Controls.neutral().replace(action_units=units)),
        jnp.float32(X),
        jnp.float32(Y),
        jnp.full(X.shape, 0.2, jnp.float32),
    )
)
REST = FOLDS(jnp.zeros(17))


# Where the new crease of each unit lies: |x| and y, head heights.
@pytest.mark.parametrize(
    ("number", "x", "y"),
    [
        (1, (0.0, 0.18), (0.05, 0.36)),
        (2, (0.0, 0.3), (0.05, 0.36)),
        (4, (0.0, 0.05), (0.0, 0.2)),
        (6, (0.05, 0.3), (-0.1, 0.1)),
        (9, (0.0, 0.2), (-0.35, 0.2)),
        (12, (0.04, 0.3), (-0.4, 0.1)),
        (14, (0.08, 0.2), (-0.4, -0.2)),
        (17, (0.0, 0.12), (-0.48, -0.3)),
    ],
)
def test_a_muscle_wrinkles_the_skin_where_it_pulls(number, x, y):
    crease = FOLDS(jnp.zeros(17).at[controls.unit(number)].set(5.0))[1] - REST[1]
    chosen = np.asarray(crease) > 0.1
    assert chosen.any()
    assert (X[chosen] >= x[0]).all()
    assert (X[chosen] <= x[1]).all()
    assert (Y[chosen] >= y[0]).all()
    assert (Y[chosen] <= y[1]).all()


def test_folds_are_shallow_and_only_on_the_front():
    relief, crease = FOLDS(jnp.full(17, 5.0))
    assert np.abs(relief).max() < 0.02
    assert crease.min() >= 0
    assert crease.max() <= 1
    posed = muscles.pose(identity.average(), Controls.neutral())
    behind = folds(posed, jnp.float32(X), jnp.float32(Y), jnp.full(X.shape, -0.1, jnp.float32))
    assert not np.any(behind[0])
