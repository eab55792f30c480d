"""Rows of a clip for a film of any length, without jumps: back and forth between two cuts.

Played forward again from its start, a clip jumps at every seam; turned around, the head stands at
the same place and only its velocity changes sign. So turns are put where it moves least.
"""

from __future__ import annotations

import itertools

import numpy as np

# Frames without a face are left out of a clip; up to this many lost ones make no visible jump.
MAX_GAP = 3
# A turn may be put this many frames inside of a stretch, where the head moves less: a second, and
# at most a tenth of the stretch.
TURN_REACH, TURN_SHARE = 25, 0.1
# The radius of a head, metres: how far its surface goes for a turn of one radian.
HEAD_RADIUS = 0.1


def pose_vectors(world_to_camera: np.ndarray) -> np.ndarray:
    """Returns poses as points whose distances are metres that a head's surface moves.

    Args:
      world_to_camera: [T, 4, 4].

    Returns:
      float64 [T, 12].
    """
    poses = np.asarray(world_to_camera, np.float64)
    # |R1 - R2| (Frobenius) is 2 sqrt(2) sin(angle / 2), about sqrt(2) times the angle.
    rotation = poses[:, :3, :3].reshape(len(poses), 9) * (HEAD_RADIUS / np.sqrt(2))
    return np.concatenate([rotation, poses[:, :3, 3]], axis=1)


def stretches(numbers: np.ndarray, cuts: np.ndarray) -> list[tuple[int, int]]:
    """Returns (first, end) of the rows between jumps, in order.

    Args:
      numbers: int [T], frame numbers of the rows in time.
      cuts: rows that begin after a cut.
    """
    jumps = (np.diff(numbers) < 1) | (np.diff(numbers) > MAX_GAP)
    edges = sorted({0, len(numbers), *map(int, cuts), *(1 + np.flatnonzero(jumps)).tolist()})
    return list(itertools.pairwise(edges))


def turning_points(world_to_camera: np.ndarray, first: int, end: int) -> tuple[int, int]:
    """Returns (first, end) of a part of a stretch, at whose ends the head is nearly at rest.

    Args:
      world_to_camera: [T, 4, 4].
      first: row of the stretch.
      end: row after the stretch.
    """
    length = end - first
    reach = min(TURN_REACH, int(TURN_SHARE * length))
    if reach < 2:
        return first, end
    vectors = pose_vectors(world_to_camera[first:end])
    speed = np.linalg.norm(np.diff(vectors, axis=0), axis=1)
    start = int(np.argmin(speed[:reach]))
    last = length - 1 - int(np.argmin(speed[::-1][:reach]))
    return first + start, first + last + 1


def back_and_forth(first: int, end: int, num_frames: int) -> np.ndarray:
    """Returns rows first, ..., end - 1, end - 2, ..., first, first + 1, ..., int [num_frames].

    Args:
      first: row.
      end: row after the last.
      num_frames: how many.
    """
    last = end - first - 1
    if last == 0:
        return np.full(num_frames, first)
    phase = np.arange(num_frames) % (2 * last)
    return first + last - np.abs(last - phase)


def clip_rows(
    numbers: np.ndarray, cuts: np.ndarray, world_to_camera: np.ndarray, num_frames: int
) -> np.ndarray:
    """Returns the rows of a film: back and forth over the clip's longest stretch, int [num_frames].

    Args:
      numbers: int [T], of the clip.
      cuts: of the clip.
      world_to_camera: [T, 4, 4], of the clip.
      num_frames: of the film.
    """
    longest = max(stretches(numbers, cuts), key=lambda edges: edges[1] - edges[0])
    return back_and_forth(*turning_points(world_to_camera, *longest), num_frames)
