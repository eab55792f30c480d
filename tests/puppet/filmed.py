"""Pictures of the puppet that several tests look at, each drawn once in a process."""

import functools

import jax
import jax.numpy as jnp

from emojax.puppet import controls, identity, landmarks, picture
from emojax.puppet.controls import Controls

SIZE = 96
CAMERA = picture.portrait(SIZE, SIZE, fill=0.74)
PERSON = identity.average()


def act(**levels):
    """Controls with action units a1, a2 ... and other fields set."""
    units = jnp.zeros(len(controls.ACTION_UNITS))
    for name in [name for name in levels if name[1:].isdigit()]:
        units = units.at[controls.unit(int(name[1:]))].set(levels.pop(name))
    fields = {name: jnp.float32(value) for name, value in levels.items()}
    return Controls.neutral().replace(action_units=units, **fields)


ACTS = {
    "rest": act(),
    "open": act(a25=5.0, a26=5.0, rotation=(0.0, 0.2, 0.0)),
    "tongue": act(a25=5.0, a26=4.0, tongue=1.0),
    "pressed": act(a25=5.0, a26=2.5, press=1.0),
    "turned": act(rotation=(0.1, -0.4, 0.05)),
    "smile": act(a6=4.0, a12=5.0, a25=3.0),
    "surprise": act(a1=5.0, a2=5.0, a5=5.0),
    "blink": act(a45=5.0),
    "everything": act(**{f"a{number}": 5.0 for number in controls.ACTION_UNITS}),
}


@functools.cache
def shot(name):
    """The picture of one of `ACTS`, numpy arrays."""
    return jax.tree.map(jax.device_get, picture.draw(PERSON, ACTS[name], CAMERA))


@functools.cache
def points(name):
    """The landmarks of one of `ACTS`, numpy arrays."""
    return jax.tree.map(jax.device_get, landmarks.landmarks(PERSON, ACTS[name], CAMERA))
