"""The script of a film: for each frame what is heard, shown and seen from where.

A script is small (numbers only), made at once, and the same for the same arguments. Pictures are
read, and windows of sound gathered, chunk by chunk.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import NamedTuple

import jax
import numpy as np

from emojax.data import clip as clips
from emojax.data.clip import Clip
from emojax.data.errors import DataError
from emojax.drive import emotion as emotions
from emojax.drive import expression as expressions
from emojax.drive import hearing, loops, poses
from emojax.drive.hearing import Hearing
from emojax.drive.sound import Sound
from emojax.emotion.trajectory import Outside
from emojax.head import HeadConfig
from emojax.types import Condition


@dataclasses.dataclass(frozen=True)
class Script:
    """Of a film of T frames at 25 fps.

    Attributes:
      hearing: of the sound.
      action_units: float32 [T, A], in the head's order.
      world_to_camera: float32 [T, 4, 4].
      rows: int [T], row of the clip that each frame's torso is taken from.
      notes: what a user should know, in words.
      emotion: float32 [T, 2] valence and arousal, or None for a head without emotions.
    """

    hearing: Hearing
    action_units: np.ndarray
    world_to_camera: np.ndarray
    rows: np.ndarray
    notes: tuple[str, ...]
    emotion: np.ndarray | None = None

    def __len__(self) -> int:
        """Number of frames T."""
        return len(self.rows)

    def conditions(self, frames: np.ndarray) -> Condition:
        """Returns what is said, shown and felt in some frames, with a leading axis B.

        Args:
          frames: int [B], each from 0 to T - 1.
        """
        return Condition(
            audio=self.hearing.at(frames),
            action_units=self.action_units[frames],
            emotion=None if self.emotion is None else self.emotion[frames],
        )


class Scenes(NamedTuple):
    """Some frames of a script, ready to be drawn.

    Attributes:
      condition: audio float32 [B, 8, W, D], action_units float32 [B, A], emotion float32 [B, 2].
      world_to_camera: float32 [B, 4, 4].
      backdrops: uint8 [B, S, S, 3].
    """

    condition: Condition
    world_to_camera: np.ndarray
    backdrops: np.ndarray


def source(text: str) -> str | pathlib.Path:
    """Returns what `plan` takes as a pose or an expression: a word, or the path of a file.

    Args:
      text: as a user writes it.
    """
    return text if text in ("clip", "fixed") else pathlib.Path(text)


def plan(
    key: jax.Array,
    clip: Clip,
    config: HeadConfig,
    sound: Sound,
    *,
    pose: str | pathlib.Path = "clip",
    expression: str | pathlib.Path = "clip",
    emotion: emotions.Source = None,
    radius: float = emotions.RADIUS,
    period: float = emotions.PERIOD,
    outside: Outside = "clip",
    audio_features: pathlib.Path | None = None,
    loop: bool = False,
) -> Script:
    """Returns the script of a film as long as a sound.

    Args:
      key: of the blinks; consumed.
      clip: that the head was trained on.
      config: of the head.
      sound: what it says.
      pose: "clip", "fixed" or a file: see `poses`.
      expression: "clip", "fixed" or a file: see `expression`.
      emotion: a name, a point or a file: see `emotion`.
      radius: of an emotion that goes in circles.
      period: of the same, seconds.
      outside: "clip" or "refuse" points outside the disc.
      audio_features: .npy of features of the sound, for a head that was trained on imported ones.
      loop: cut or repeat files of another length.

    Raises:
      DataError: clip and head do not belong together, or a file is damaged or of another length.
    """
    found = (clip.audio.name, clip.audio.values.shape[1:])
    if found != (config.features, tuple(config.window)):
        raise DataError(
            expected=f"a clip with {config.features} features {list(config.window)}, as at "
            "training",
            got=f"{found[0]} {list(found[1])} in {clip.folder}",
            fix="Put the features back that the head was trained on.",
        )
    if audio_features is None:
        heard = hearing.hear(sound, clip.audio)
    else:
        heard = hearing.load(audio_features, sound, clip.audio)
    placed = poses.plan(clip, pose, sound.num_frames, loop=loop)
    rows = placed.rows
    if pose != "clip":
        rows = loops.clip_rows(clip.numbers, clip.cuts, clip.world_to_camera, sound.num_frames)
    shown = expressions.plan(key, clip, expression, rows, config.action_units, loop=loop)
    felt = emotions.plan(
        clip, config, emotion, placed.rows, radius=radius, period=period, outside=outside
    )
    return Script(
        hearing=heard,
        action_units=shown.action_units,
        world_to_camera=placed.world_to_camera,
        rows=placed.rows,
        notes=(*heard.notes, *placed.notes, *shown.notes, *felt.notes),
        emotion=felt.values,
    )


def scenes(script: Script, clip: Clip, frames: np.ndarray) -> Scenes:
    """Returns some frames of a script.

    Args:
      script: of the film.
      clip: that it was made for.
      frames: int [B], each from 0 to T - 1.
    """
    rows, which = np.unique(script.rows[frames], return_inverse=True)
    backdrops = clips.backdrop(clip.torso[rows], clip.background)
    return Scenes(
        condition=script.conditions(frames),
        world_to_camera=script.world_to_camera[frames],
        backdrops=backdrops[which],
    )
