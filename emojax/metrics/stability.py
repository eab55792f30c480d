"""Is the film steady: trembling of the head, flicker of the picture, lips that rest in silence.

Values are per frame, [T], NaN where there is none: second differences need both neighbours of a
frame, within one shot. Trembling and flicker are of the *error*: motion that the true film has
costs nothing, and a still picture of a moving head does. Landmarks are [T, 68, 2] pixels.
"""

from __future__ import annotations

import pathlib

import numpy as np

from emojax.data import audio, face68, files
from emojax.data.checkup import sound
from emojax.data.checkup.curves import SILENCE
from emojax.data.labels import HEAD, isin
from emojax.metrics import lips

# Lips open before a sound and close after it: what counts as silence keeps this far from speech.
MARGIN = 4  # frames
_SAMPLES = audio.RATE // files.FPS


def inner(cuts: np.ndarray, count: int) -> np.ndarray:
    """Returns which frames have both neighbours in their own shot, bool [T].

    Args:
      cuts: int [C] frames that do not follow the frame before.
      count: T.
    """
    follows = np.ones(count + 1, bool)
    follows[[0, count]] = False
    follows[np.asarray(cuts, int)] = False
    return follows[:-1] & follows[1:]


def jitter(seen: np.ndarray, true: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Returns how much the head trembles: second difference of the error of rigid points, [T] px.

    Args:
      seen: [T, 68, 2] in the rendering.
      true: [T, 68, 2] in the true pictures.
      cuts: int [C] frames that do not follow the frame before.
    """
    error = (seen - true)[:, list(face68.RIGID)]
    result = np.full(len(seen), np.nan)
    if len(seen) > 2:
        result[1:-1] = np.linalg.norm(np.diff(error, 2, axis=0), axis=-1).mean(axis=-1)
    return np.where(inner(cuts, len(seen)), result, np.nan)


def flicker(errors: np.ndarray, labels: np.ndarray) -> float:
    """Returns the mean second difference of the error over the head, grey levels (of 255).

    Args:
      errors: float [3, H, W, 3] rendering less truth of three frames in a row, 0 to 1.
      labels: uint8 [H, W] of the middle one.
    """
    head = isin(labels, HEAD)
    if not head.any():
        return float("nan")
    change = np.abs(errors[0] - 2 * errors[1] + errors[2])
    return float(255 * change[head].mean(dtype=np.float64))


def silent_frames(folder: pathlib.Path, numbers: np.ndarray) -> np.ndarray | None:
    """Returns in which frames nothing is said, nor just before or after, bool [T].

    Silent is what lies 30 dB below the loud frames of the whole recording, as for the doctor.

    Args:
      folder: of the data set.
      numbers: int [T] frame numbers.

    Returns:
      None where the folder has no sound or only silence.
    """
    path = pathlib.Path(folder) / files.SOUND
    if not path.exists():
        return None
    waveform = audio.read_wav(path).waveform.astype(np.float64)
    count = max(len(waveform) // _SAMPLES, int(np.max(numbers)) + 1)
    waveform = np.pad(waveform, (0, max(0, count * _SAMPLES - len(waveform))))
    power = np.square(waveform[: count * _SAMPLES]).reshape(count, _SAMPLES).mean(axis=1)
    level = 10 * np.log10(np.maximum(power, 10 ** (SILENCE / 10)))
    loud = sound.loud_level(level)
    if loud <= SILENCE + 1:
        return None
    speech = np.pad(level >= loud - sound.SILENT_DB, MARGIN)
    near = np.lib.stride_tricks.sliding_window_view(speech, 2 * MARGIN + 1).any(axis=-1)
    return ~near[numbers]


def silent_motion(
    seen: np.ndarray, true: np.ndarray, silent: np.ndarray, cuts: np.ndarray
) -> np.ndarray:
    """Returns how far the lips' gap moves from one silent frame to the next, [T].

    Args:
      seen: [T, 68, 2] in the rendering.
      true: [T, 68, 2] in the true pictures, for their scale.
      silent: bool [T].
      cuts: int [C] frames that do not follow the frame before.

    Returns:
      [T], percent of the outer eye distance; NaN where this and the frame before are not silent.
    """
    follows = np.ones(len(seen), bool)
    follows[:1] = False
    follows[np.asarray(cuts, int)] = False
    both = silent & np.roll(silent, 1) & follows
    gap = face68.lip_gap(seen)
    moved = np.abs(np.diff(gap, prepend=gap[:1]))
    return np.where(both, lips.relative(moved, true), np.nan)


def silent_gap(seen: np.ndarray, true: np.ndarray, silent: np.ndarray) -> np.ndarray:
    """Returns how far the lips are more open, or more closed, in silence than they should be, [T].

    Args:
      seen: [T, 68, 2] in the rendering.
      true: [T, 68, 2] in the true pictures.
      silent: bool [T].

    Returns:
      [T], percent of the outer eye distance; NaN where there is speech.
    """
    wrong = np.abs(face68.lip_gap(seen) - face68.lip_gap(true))
    return np.where(silent, lips.relative(wrong, true), np.nan)
