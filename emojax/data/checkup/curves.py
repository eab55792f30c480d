"""How a clip goes over time: lips, lids, head angles and distance, loudness; for the doctor.

All are [T], one value a frame at 25 fps, NaN where a frame has no face or no pose.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from emojax.data import (
    action_units,
    audio,
    face68,
    files,
    landmarks,
)
from emojax.data.checkup.contents import Contents

SILENCE = -100.0  # dB of full scale, given to digital silence
_SAMPLES = audio.RATE // files.FPS


@dataclasses.dataclass(frozen=True)
class Curves:
    """The courses of a clip.

    Attributes:
      opening: lip gap in outer eye distances.
      drop: how far the lids are closed, of `action_units.eye_drop`.
      pitch: degrees, up positive.
      yaw: degrees, to the image right positive.
      roll: degrees, clockwise in the picture positive.
      distance: of the head from the camera, metres.
      loudness: dB of full scale, `SILENCE` without sound.
      shots: uncut stretches.
    """

    opening: np.ndarray
    drop: np.ndarray
    pitch: np.ndarray
    yaw: np.ndarray
    roll: np.ndarray
    distance: np.ndarray
    loudness: np.ndarray
    shots: tuple[slice, ...]


def curves(contents: Contents) -> Curves:
    """Returns the curves of a folder.

    Args:
      contents: of the folder.
    """
    count = len(contents)
    points = contents.landmarks.astype(np.float64)
    eyes = np.maximum(face68.eye_distance(points), 1e-6)
    opening, lids = face68.lip_gap(points) / eyes, face68.lid_gap(points) / eyes
    drop = np.full(count, np.nan)
    known = np.isfinite(lids)
    if known.any():
        drop[known] = action_units.eye_drop(lids, found=known, cuts=contents.cuts)[known]
    rotation = contents.world_to_camera[:, :3, :3].astype(np.float64)
    return Curves(
        opening=opening,
        drop=drop,
        pitch=np.degrees(np.arcsin(np.clip(rotation[:, 1, 2], -1, 1))),
        yaw=np.degrees(np.arctan2(-rotation[:, 0, 2], -rotation[:, 2, 2])),
        roll=np.degrees(np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0])),
        distance=contents.world_to_camera[:, 2, 3].astype(np.float64),
        loudness=loudness(contents, count),
        shots=tuple(landmarks.segments(contents.cuts, count)),
    )


def loudness(contents: Contents, count: int) -> np.ndarray:
    """Returns the loudness of each frame's 40 ms, dB of full scale, [count].

    Args:
      contents: of the folder.
      count: of frames; silence is added where the sound is shorter.
    """
    if contents.sound is None:
        return np.full(count, SILENCE)
    waveform = contents.sound.waveform[: count * _SAMPLES]
    waveform = np.pad(waveform, (0, count * _SAMPLES - len(waveform))).astype(np.float64)
    power = np.square(waveform).reshape(count, _SAMPLES).mean(axis=1)
    return 10 * np.log10(np.maximum(power, 10 ** (SILENCE / 10)))


def filled(values: np.ndarray) -> np.ndarray:
    """Returns a curve with its gaps interpolated, [T]; zeros if it has no value at all.

    Args:
      values: [T], NaN where unknown.
    """
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values))
    return np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])


def second_difference(values: np.ndarray, shots: tuple[slice, ...]) -> np.ndarray:
    """Returns how far curves depart from a straight course, within shots.

    Args:
      values: [T, ...], NaN where unknown.
      shots: uncut stretches.

    Returns:
      [N, ...] those that are known.
    """
    parts = [np.diff(values[shot], 2, axis=0) for shot in shots if shot.stop - shot.start > 2]
    every = np.concatenate(parts) if parts else values[:0]
    return every[np.isfinite(every).all(axis=tuple(range(1, every.ndim)))]


def usual(values: np.ndarray) -> float:
    """Returns the median size of values as the standard deviation of noise would be, or NaN.

    Args:
      values: any shape, finite.
    """
    return float(1.4826 * np.median(np.abs(values))) if values.size else float("nan")


def longest_run(flags: np.ndarray) -> tuple[int, int]:
    """Returns start and length of the longest stretch of True, (0, 0) if there is none.

    Args:
      flags: bool [T].
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags, np.int8), [0]])))
    if not len(edges):
        return 0, 0
    lengths = edges[1::2] - edges[::2]
    best = int(np.argmax(lengths))
    return int(edges[2 * best]), int(lengths[best])
