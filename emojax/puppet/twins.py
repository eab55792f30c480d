"""Emotional twins: a filmed frame as it would have been with any other (valence, arousal).

Sound, articulation of the lips, pose of the head, gaze, blinks, light and camera are the frame's
own; only the action units of the emotion are others. Parted lips and the jaw are speech's alone
(`acting.feel`), so the opening of the mouth is kept; its corners move with what is felt.
"""

from __future__ import annotations

import dataclasses
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from emojax.data import arrays, files
from emojax.data.errors import DataError
from emojax.puppet import acting, landmarks, lens, picture, truth
from emojax.puppet.controls import Controls
from emojax.puppet.identity import Identity
from emojax.puppet.landmarks import Landmarks
from emojax.puppet.light import Scene
from emojax.puppet.picture import Picture
from emojax.puppet.take import Take
from emojax.types import Camera


@dataclasses.dataclass(frozen=True)
class Recording:
    """All that decides the pictures of a film.

    Attributes:
      identity: who.
      scene: light and room.
      plain: [T] controls without emotion.
      va: float32 [T, 2] valence and arousal.
      expression: factor on the emotion's action units.
      camera: in the room.
    """

    identity: Identity
    scene: Scene
    plain: Controls
    va: np.ndarray
    expression: float
    camera: Camera

    def __len__(self) -> int:
        """Number of frames T."""
        return len(self.va)


def of(take: Take, *, size: int) -> Recording:
    """Returns the recording of a take.

    Args:
      take: any.
      size: side of the pictures, pixels.
    """
    actor, acted = take.actor, take.performance
    return Recording(
        identity=actor.identity,
        scene=actor.scene,
        plain=jax.device_get(acted.plain),
        va=np.float32(acted.va),
        expression=acted.style.expression,
        camera=lens.camera(actor.lens, size),
    )


def read(folder: pathlib.Path | str) -> Recording:
    """Returns the recording of a film with truth.

    Args:
      folder: of the data set.

    Raises:
      DataError: it is no film, or was filmed without truth.
    """
    folder = files.check_folder(folder)
    path = folder / truth.PERFORMANCE
    if not path.exists():
        raise DataError(
            expected=f"{truth.PERFORMANCE} in {folder}",
            got="no such file",
            fix="Film it with truth: experiments/film.py.",
        )

    def tree(kind: type, prefix: str):
        names = list(kind.__dataclass_fields__)
        values = arrays.read_named(path, [f"{prefix}.{name}" for name in names])
        return kind(**{name: values[f"{prefix}.{name}"] for name in names})

    found = arrays.read_named(path, ["va", "expression", "room_to_camera", "focal"])
    side = files.read_picture(folder / files.BACKGROUND).shape[0]
    return Recording(
        identity=tree(Identity, "identity"),
        scene=tree(Scene, "scene"),
        plain=tree(Controls, "plain"),
        va=found["va"],
        expression=float(found["expression"]),
        camera=Camera(
            world_to_camera=jnp.asarray(found["room_to_camera"]),
            focal=jnp.asarray(found["focal"]),
            principal=jnp.full(2, side / 2, jnp.float32),
            width=side,
            height=side,
        ),
    )


def twin(recording: Recording, frame: int, va: np.ndarray | jax.Array) -> Controls:
    """Returns the controls of a frame's twins.

    Args:
      recording: of a film.
      frame: its number.
      va: [..., 2] valence and arousal; the frame's own gives the frame.

    Returns:
      `Controls` with leading axes [...].
    """
    plain = jax.tree.map(lambda leaf: jnp.asarray(leaf[frame]), recording.plain)
    va = jnp.asarray(va, jnp.float32)
    felt = acting.feel(plain, va, expression=recording.expression)
    axes = va.shape[:-1]
    same = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (*axes, *leaf.shape)), plain)
    return same.replace(action_units=felt.action_units)


def draw(
    recording: Recording, frame: int, va: np.ndarray | jax.Array, *, samples: int = 4
) -> tuple[Picture, Landmarks]:
    """Returns the picture of one twin, with all its truth.

    Args:
      recording: of a film.
      frame: its number.
      va: [2] valence and arousal.
      samples: as for `picture.draw`; films have 4.
    """
    felt = twin(recording, frame, va)
    identity, camera = recording.identity, recording.camera
    drawn = picture.draw(identity, felt, camera, scene=recording.scene, samples=samples)
    return drawn, landmarks.landmarks(identity, felt, camera)
