"""A second of film that several tests look at: shot once in a process."""

import functools
import pathlib
import tempfile

import numpy as np

from emojax.puppet import film, mood, population, take
from tests.puppet import filmed

FORM = film.Format(size=filmed.SIZE, samples=1)  # shares its programs with tests/puppet/filmed.py
SECONDS = 1.0
RATE = 16000


@functools.cache
def planned(seconds=SECONDS, point="0.5,0.4"):
    """A take whose lips follow syllables."""
    time = np.arange(round(seconds * RATE)) / RATE
    sound = 0.3 * np.sin(2 * np.pi * 140 * time) * np.sin(np.pi * 3 * time) ** 2
    return take.sound(population.cast(1), np.float32(sound), course=mood.course(point, 0))


@functools.cache
def folder():
    """The data set of `planned`."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="emojax-footage-"))
    film.shoot(planned(), root / "film", form=FORM)
    return root / "film"
