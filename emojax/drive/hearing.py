"""What a head hears of a new sound: the windows of training, and silence as the clip knows it.

The built-in features are made as at training (`audio_features.log_mel`), but for silence. There the
training clip and a new sound differ: a clip's pauses hold its room's noise, about -2.5 on the scale
of log-mel, while digital silence reads -4, and a wholly silent file, which has no speech to be
compared with, reads 0, the level of speech. A head that never saw these moves its lips at random.
So numbers below the clip's own quiet are raised to it, and silence (before and after the sound,
too, where training has zeros) is that quiet.

Features made elsewhere are taken as they are, with zeros around, as at training.
"""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import numpy as np

from emojax.data import audio, audio_features
from emojax.data.audio_features import AudioFeatures
from emojax.data.clip import AUDIO_AFTER, AUDIO_BEFORE
from emojax.data.errors import DataError
from emojax.drive.sound import Sound

# Percentile of a clip's steps, in each band, that is its quiet. In clips that begin with an
# encoder's digital silence the first percent is that, and not the room.
QUIET_PERCENTILE = 2.0


class Hearing(NamedTuple):
    """What is heard over time.

    Attributes:
      windows: float32 [T + 7, W, D]; windows 0 to 7 surround frame 0. A view: do not write.
      notes: what a user should know, in words.
    """

    windows: np.ndarray
    notes: tuple[str, ...]

    def at(self, frames: np.ndarray) -> np.ndarray:
        """Returns what the audio network sees in some frames, float32 [B, 8, W, D].

        Args:
          frames: int [B], each from 0 to T - 1.
        """
        around = np.asarray(frames)[:, None] + np.arange(AUDIO_BEFORE + AUDIO_AFTER)
        return self.windows[around]


def quiet(features: AudioFeatures) -> np.ndarray:
    """Returns what a clip's quiet sounds like, float32 [D].

    Args:
      features: log-mel windows of the clip.
    """
    middle = features.width // 2
    steps = features.values[:, middle : middle + 2].reshape(-1, features.dim)
    return np.percentile(steps, QUIET_PERCENTILE, axis=0).astype(np.float32)


def hear(sound: Sound, trained_on: AudioFeatures) -> Hearing:
    """Returns the built-in features of a sound.

    Args:
      sound: to be heard.
      trained_on: the clip's log-mel windows.

    Raises:
      DataError: the head was trained on other features.
    """
    name = trained_on.name
    if name != "mel":
        raise DataError(
            expected=f"--audio_features: {name} features of this sound, "
            f".npy [{sound.num_frames}, {trained_on.width}, {trained_on.dim}]",
            got="none, and the head was trained on them",
            fix=f"Make them as for the training clip, or train with the built-in features ({name} "
            "cannot be computed here).",
        )
    rest = quiet(trained_on)
    num_frames, width = sound.num_frames, trained_on.width
    if sound.is_silent:
        steps = np.zeros((0, len(rest)), np.float32)
    else:
        missing = num_frames * audio.RATE // 25 - len(sound.waveform)
        steps = audio_features.log_mel(np.pad(sound.waveform, (0, max(0, missing))))
        steps = np.maximum(steps, rest)[: 2 * num_frames]
    # Window t covers steps 2 t - W / 2 ... 2 t + W / 2 - 1; the first is that of t = -4.
    before = 2 * AUDIO_BEFORE + width // 2
    windows = num_frames + AUDIO_BEFORE + AUDIO_AFTER - 1
    padded = np.tile(rest, (2 * (windows - 1) + width, 1))
    padded[before : before + len(steps)] = steps
    view = np.lib.stride_tricks.sliding_window_view(padded, width, axis=0)[::2]
    return Hearing(np.moveaxis(view, -1, 1), sound.notes)


def load(path: pathlib.Path, sound: Sound, trained_on: AudioFeatures) -> Hearing:
    """Returns features of a sound that were computed elsewhere.

    Args:
      path: .npy, floats [T, W, D].
      sound: that they belong to.
      trained_on: the clip's windows.

    Raises:
      DataError: another kind than the head was trained on, another length, or a damaged file.
    """
    if trained_on.name == "mel":
        raise DataError(
            expected="no --audio_features: the head was trained on the built-in ones",
            got=str(path),
            fix="Leave it out.",
        )
    found = audio_features.load(path, sound.num_frames, name=trained_on.name)
    if found.values.shape[1:] != trained_on.values.shape[1:]:
        raise DataError(
            expected=f"{trained_on.name} [T, {trained_on.width}, {trained_on.dim}], as at training",
            got=f"{list(found.values.shape)} in {path}",
            fix="Make the file as for the training clip.",
        )
    around = ((AUDIO_BEFORE, AUDIO_AFTER - 1), (0, 0), (0, 0))
    mended = found.source.partition("; ")[2]
    notes = (f"{path.name}: {mended}",) if mended else ()
    return Hearing(np.pad(found.values, around), (*notes, *sound.notes))
