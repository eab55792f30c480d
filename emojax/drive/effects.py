"""Whether a head shows what a script asks of its action units: some heads hardly learn some units.

A clip without blinks, or too little training, gives a head whose lids stay open whatever AU45 says.
So one frame is drawn again with each unit in turn at its strongest, and compared with the same
frame where all units are at their weakest.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from emojax.data.clip import Clip
from emojax.drive import frames
from emojax.drive import script as scripts
from emojax.drive.script import Script
from emojax.head import Head

# A unit that changes this little (intensity, of 5) is not asked for anything.
LEAST_CHANGE = 0.5
# Grey levels of 255: a blink changes the eyes by 50 and more, noise of a camera is about 2.
LEAST_EFFECT = 4


def effects(trained: Head, clip: Clip, script: Script, *, chunk: int = frames.CHUNK) -> np.ndarray:
    """Returns how far a pixel at most changes with each unit, grey levels of 255, int [A].

    Draws as many frames at once as `frames.render` does, which then need not compile again.

    Args:
      trained: head, of `frames.ready`.
      clip: that it was trained on.
      script: of the film; units go from the least to the most that it asks for.
      chunk: frames to a dispatch.
    """
    chunk = min(chunk, len(script))
    some = scripts.scenes(script, clip, np.zeros(chunk, int))
    weakest, strongest = script.action_units.min(axis=0), script.action_units.max(axis=0)
    count = len(weakest)
    # Row 0: all at their weakest; row k: unit k - 1 at its strongest.
    rows = np.tile(weakest, (count + 1, 1))
    rows[1 + np.arange(count), np.arange(count)] = strongest
    rows = np.concatenate([rows, np.tile(weakest, (-len(rows) % chunk, 1))])
    drawn = []
    for first in range(0, len(rows), chunk):
        condition = some.condition.replace(action_units=rows[first : first + chunk])
        pictures = frames.draw(
            trained,
            some._replace(condition=condition),
            jnp.asarray(clip.focal),
            jnp.asarray(clip.principal),
        )
        drawn.append(np.asarray(pictures, np.int16))
    pictures = np.concatenate(drawn)
    return np.abs(pictures[1 : count + 1] - pictures[0]).max(axis=(1, 2, 3))


def notes(trained: Head, clip: Clip, script: Script, *, chunk: int = frames.CHUNK) -> list[str]:
    """Returns what to say of units that a script moves and a head hardly shows, in words.

    Args:
      trained: head, of `frames.ready`.
      clip: that it was trained on.
      script: of the film.
      chunk: frames to a dispatch.
    """
    found = effects(trained, clip, script, chunk=chunk)
    is_asked = np.ptp(script.action_units, axis=0) >= LEAST_CHANGE
    weak = np.flatnonzero(is_asked & (found < LEAST_EFFECT))
    if not len(weak):
        return []
    names = ", ".join(f"AU{trained.config.action_units[k]:02d}" for k in weak)
    return [
        f"this head hardly shows {names}: of 255 grey levels, {found[weak].max()} at most change "
        "from the weakest to the strongest (train longer, or on a clip that shows more of it)"
    ]
