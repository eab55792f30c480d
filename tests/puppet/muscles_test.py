import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax.puppet import controls, identity, muscles, rig
from emojax.puppet.controls import Controls

POSE = jax.jit(muscles.pose)
REST = Controls.neutral()


def _act(**levels):
    """Controls with action units a1, a2 ... and other fields set."""
    units = REST.action_units
    for name in [name for name in levels if name[1:].isdigit()]:
        units = units.at[controls.unit(int(name[1:]))].set(levels.pop(name))
    fields = {name: jnp.float32(value) for name, value in levels.items()}
    return REST.replace(action_units=units, **fields)


def _posed(**levels):
    return POSE(identity.average(), _act(**levels))


def test_every_number_of_a_rig_is_finite_at_the_ends_of_all_controls():
    everything = _act(**{f"a{n}": 5.0 for n in controls.ACTION_UNITS}, pucker=1, bite=1, tongue=1)
    people = jax.vmap(identity.sample)(jax.random.split(jax.random.key(1), 50))
    posed = jax.vmap(muscles.pose, in_axes=(0, None))(people, everything)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(posed))


@pytest.mark.parametrize("jaw", [0.0, 1.5, 3.0])
def test_press_shuts_the_lips_whatever_opens_them(jaw):
    mouth = _posed(a25=5.0, a26=jaw, a10=5.0, bite=1.0, press=1.0).mouth
    gap = float(mouth.open_up + mouth.open_low) * rig.METERS
    assert gap < 0.3e-3


def test_the_jaw_opens_the_mouth_and_takes_its_teeth_along():
    rest, drop = _posed(), _posed(a26=5.0)
    assert drop.mouth.open_low - rest.mouth.open_low > 0.06
    assert drop.mouth.drop > 0.06
    assert drop.face.chin.y < rest.face.chin.y - 0.035
    assert drop.mouth.tongue.y < rest.mouth.tongue.y - 0.02


def test_units_move_what_facs_says():
    rest = _posed()
    assert _posed(a1=5.0).brow.inner > rest.brow.inner + 0.02
    assert _posed(a2=5.0).brow.outer > rest.brow.outer + 0.02
    assert _posed(a4=5.0).brow.inner < rest.brow.inner - 0.02
    assert _posed(a5=5.0).eye.upper > rest.eye.upper
    assert _posed(a6=5.0).eye.lower < rest.eye.lower
    assert _posed(a6=5.0).face.cheek.y > rest.face.cheek.y
    assert _posed(a7=5.0).eye.lower < rest.eye.lower
    assert _posed(a9=5.0).face.wing.y > rest.face.wing.y
    assert _posed(a10=5.0).mouth.y > rest.mouth.y
    assert _posed(a10=5.0).face.wing.y > rest.face.wing.y
    assert _posed(a12=5.0).mouth.lift > rest.mouth.lift
    assert _posed(a12=5.0).mouth.half_width > rest.mouth.half_width
    assert _posed(a14=5.0).folds.dimple > rest.folds.dimple
    assert _posed(a14=5.0).mouth.lift > rest.mouth.lift
    assert _posed(a15=5.0).mouth.lift < rest.mouth.lift
    assert _posed(a17=5.0).mouth.y > rest.mouth.y
    assert _posed(a20=5.0).mouth.half_width > rest.mouth.half_width
    assert _posed(a23=5.0).mouth.upper < rest.mouth.upper
    assert _posed(a25=5.0).mouth.open_up > rest.mouth.open_up == 0
    assert _posed(a25=5.0).mouth.open_low > rest.mouth.open_low == 0
    assert _posed(a45=5.0).eye.closure == 1
    assert _posed(pucker=1.0).mouth.half_width < rest.mouth.half_width
    assert _posed(bite=1.0).mouth.low_shift < rest.mouth.low_shift


@pytest.mark.parametrize("number", [1, 2, 4, 5, 6, 7, 45])
def test_brows_and_lids_leave_the_mouth_alone(number):
    rest, moved = _posed().mouth, _posed(**{f"a{number}": 5.0}).mouth
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: bool(a == b), rest, moved)))
