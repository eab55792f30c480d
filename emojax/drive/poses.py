"""Where the head is in each frame of a film, and which picture of the torso goes with it.

* "clip": the clip's own motion, back and forth between two cuts (`loops`).
* "fixed": the clip's most usual pose.
* a file (`tables`), 25 frames a second, with one of
    - `yaw`, `pitch`, `roll` in degrees and `x`, `y`, `z` in metres, those that are left out being
      0: how far the head is from the most usual pose, that of the clip's frame nearest to the
      median of all. Positive: turned to the picture's right, looking up, tilted clockwise; moved to
      the right, up, towards the camera. One number for all frames will do: {"yaw": 5};
    - `world_to_camera` [T, 4, 4] of `emojax.types.Camera`, metres (.json, .npz);
    - `transform_matrix`, as in a data set's `transforms_*.json`.

Torso and neck are pictures of the clip. For a file's poses they are those whose head was nearest,
followed through the clip with as few jumps as can be (`follow`). A head turned beyond what its clip
shows falls apart there; how far that is depends on the clip (`beyond`).
"""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import numpy as np

from emojax.data import cameras
from emojax.data.clip import Clip
from emojax.data.errors import DataError
from emojax.drive import loops, tables

OFFSETS = ("yaw", "pitch", "roll", "x", "y", "z")
NUM_ANGLES = 3  # of them
_MATRICES = ("world_to_camera", "transform_matrix")
RIGID_TOLERANCE = 1e-3
# A pose file whose head is this many times nearer or farther than the clip's is in other units.
DEPTH_RATIO = 2.0
# A head is good this far beyond what its clip shows: half the clip's own range on that axis, but
# at least the first number (a still head is good for a little) and at most the second. Degrees, m.
MARGIN_SHARE = 0.5
ANGLE_MARGINS, SHIFT_MARGINS = (2.0, 8.0), (0.005, 0.03)
# A jump of the torso must bring the heads nearer by this much in all, metres summed over frames: a
# centimetre for one second.
JUMP_COST = 0.25


class Poses(NamedTuple):
    """Of a film of T frames.

    Attributes:
      world_to_camera: float32 [T, 4, 4].
      rows: int [T], row of the clip whose torso goes with each pose.
      notes: what a user should know, in words.
    """

    world_to_camera: np.ndarray
    rows: np.ndarray
    notes: tuple[str, ...]


def plan(clip: Clip, source: str | pathlib.Path, num_frames: int, *, loop: bool = False) -> Poses:
    """Returns the poses of a film.

    Args:
      clip: of the head.
      source: "clip", "fixed" or a file.
      num_frames: T.
      loop: cut or repeat a file of another length.

    Raises:
      DataError: the file is damaged, of another length, or not in metres.
    """
    if source == "clip":
        rows = loops.clip_rows(clip.numbers, clip.cuts, clip.world_to_camera, num_frames)
        return Poses(clip.world_to_camera[rows], rows, ())
    if source == "fixed":
        rows = np.full(num_frames, usual_row(clip.world_to_camera))
        return Poses(clip.world_to_camera[rows], rows, ())
    path = pathlib.Path(source)
    columns = tables.read(path)
    usual = clip.world_to_camera[usual_row(clip.world_to_camera)]
    poses, notes = _from_columns(path, columns, usual, num_frames, loop)
    _check(path, poses, usual)
    rows = follow(clip.world_to_camera, loops.stretches(clip.numbers, clip.cuts), poses)
    notes += tuple(f"{path.name}: {text}" for text in beyond(clip.world_to_camera, poses))
    return Poses(np.float32(poses), rows, notes)


def usual_row(world_to_camera: np.ndarray) -> int:
    """Returns the row whose pose is nearest to the middle of all.

    Args:
      world_to_camera: [T, 4, 4].
    """
    vectors = loops.pose_vectors(world_to_camera)
    return int(np.argmin(np.linalg.norm(vectors - np.median(vectors, axis=0), axis=1)))


def offset(usual: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Returns world-to-camera of a head moved from a pose.

    Args:
      usual: [4, 4] the pose to start from.
      offsets: [T, 6] yaw, pitch, roll in degrees; x, y, z in metres.

    Returns:
      float64 [T, 4, 4].
    """
    yaw, pitch, roll = np.deg2rad(offsets[:, :3]).T
    # World axes: x to the picture's right, y up, z out of the face.
    moved = np.tile(np.eye(4), (len(offsets), 1, 1))
    moved[:, :3, :3] = _turn(yaw, 2, 0) @ _turn(-pitch, 1, 2) @ _turn(-roll, 0, 1)
    moved[:, :3, 3] = offsets[:, 3:]
    return np.asarray(usual, np.float64) @ moved


def offsets_of(usual: np.ndarray, world_to_camera: np.ndarray) -> np.ndarray:
    """Returns how far heads are from a pose: what `offset` was given.

    Args:
      usual: [4, 4] the pose to start from.
      world_to_camera: [T, 4, 4].

    Returns:
      float64 [T, 6] yaw, pitch, roll in degrees, pitch within 90; x, y, z in metres.
    """
    moved = np.linalg.inv(np.asarray(usual, np.float64)) @ world_to_camera
    # Column 2 is where the nose points, the rest of row 1 how the head is tilted.
    yaw = np.arctan2(moved[:, 0, 2], moved[:, 2, 2])
    pitch = np.arcsin(np.clip(moved[:, 1, 2], -1, 1))
    roll = np.arctan2(-moved[:, 1, 0], moved[:, 1, 1])
    angles = np.rad2deg(np.stack([yaw, pitch, roll], axis=-1))
    return np.concatenate([angles, moved[:, :3, 3]], axis=-1)


def beyond(shown: np.ndarray, asked: np.ndarray) -> list[str]:
    """Returns on which axes poses go beyond those of a clip, in words, a sentence for each.

    Args:
      shown: world-to-camera of the clip, [N, 4, 4].
      asked: world-to-camera of the film, [T, 4, 4].
    """
    usual = shown[usual_row(shown)]
    known, wanted = offsets_of(usual, shown), offsets_of(usual, asked)
    lows, highs = known.min(axis=0), known.max(axis=0)
    found = []
    for i, name in enumerate(OFFSETS):
        is_angle = i < NUM_ANGLES
        margin = np.clip(
            MARGIN_SHARE * (highs[i] - lows[i]), *(ANGLE_MARGINS if is_angle else SHIFT_MARGINS)
        )
        past = np.maximum(lows[i] - wanted[:, i], wanted[:, i] - highs[i])
        if past.max() <= margin:
            continue
        unit, digits = ("degrees", 0) if is_angle else ("m", 3)
        values = (wanted[past.argmax(), i], lows[i], highs[i])
        farthest, low, high = (f"{value:+.{digits}f}" for value in values)
        count = f"{(past > margin).sum()} of {len(asked)} frames"
        found.append(
            f"{name} goes to {farthest} {unit}; the clip shows {low} to {high} from its usual "
            f"pose: hair, neck and cheeks may tear in {count}"
        )
    return found


def follow(
    world_to_camera: np.ndarray, stretches: list[tuple[int, int]], poses: np.ndarray
) -> np.ndarray:
    """Returns the path through a clip whose poses are nearest to given ones, int [T].

    From frame to frame the path stays, or goes on to the row before or after; a jump costs
    `JUMP_COST`. Found by dynamic programming; for the clip's own poses it is the clip itself.

    Args:
      world_to_camera: [N, 4, 4] of the clip.
      stretches: (first, end) of rows that belong together.
      poses: [T, 4, 4].
    """
    ours, theirs = loops.pose_vectors(world_to_camera), loops.pose_vectors(poses)
    count = len(ours)
    is_first, is_last = np.zeros(count, bool), np.zeros(count, bool)
    is_first[[first for first, _ in stretches]] = True
    is_last[[end - 1 for _, end in stretches]] = True
    moves = np.empty((len(theirs), count), np.int8)  # which of the options, a byte each
    jumps = np.empty(len(theirs), np.int64)
    cost = np.zeros(count)
    stay = np.arange(count)
    for t, vector in enumerate(theirs):
        jumps[t] = jump = int(np.argmin(cost))
        options = np.stack(
            [
                cost,
                np.where(is_first, np.inf, np.roll(cost, 1)),
                np.where(is_last, np.inf, np.roll(cost, -1)),
                np.full(count, cost[jump] + JUMP_COST),
            ]
        )
        moves[t] = best = np.argmin(options, axis=0)
        cost = options[best, stay] + np.linalg.norm(ours - vector, axis=1)
    rows = np.empty(len(theirs), np.int64)
    row = int(np.argmin(cost))
    for t in range(len(theirs) - 1, -1, -1):
        rows[t] = row
        row = (row, row - 1, row + 1, int(jumps[t]))[moves[t, row]]
    return rows


def _turn(angle: np.ndarray, a: int, b: int) -> np.ndarray:
    """Rotations that take axis `a` towards axis `b`, [T, 3, 3]."""
    matrix = np.tile(np.eye(3), (len(angle), 1, 1))
    matrix[:, a, a] = matrix[:, b, b] = np.cos(angle)
    matrix[:, b, a], matrix[:, a, b] = np.sin(angle), -np.sin(angle)
    return matrix


def _from_columns(path, given, usual, num_frames, loop) -> tuple[np.ndarray, tuple[str, ...]]:
    """Poses [T, 4, 4] of a file's columns, and notes."""
    columns, notes = tables.pick(
        path, given, lambda name: name if name in (*OFFSETS, *_MATRICES) else None, OFFSETS
    )
    for name in _MATRICES:
        if name not in columns:
            continue
        matrices = columns[name]
        if matrices.shape == (4, 4):
            matrices = np.broadcast_to(matrices, (num_frames, 4, 4))
        if matrices.ndim != 3 or matrices.shape[1:] != (4, 4):
            raise DataError(
                expected=f"{name} [T, 4, 4] in {path.name}",
                got=f"{list(matrices.shape)}",
                fix="Write one matrix for each 25 fps frame.",
            )
        fitted, more = tables.fit(path, {name: matrices}, num_frames, loop=loop)
        poses = fitted[name]
        if name == "transform_matrix" and np.abs(np.linalg.det(poses)).min() > 0:
            poses = cameras.from_transform_matrix(poses)
        return poses, notes + more
    chosen = {name: columns[name] for name in OFFSETS if name in columns}
    if not chosen:
        raise DataError(
            expected=f"columns among {', '.join(OFFSETS)}, or world_to_camera, in {path.name}",
            got=", ".join(given) or "none",
            fix="Name them so: degrees and metres from the usual pose.",
        )
    if wrong := [name for name, values in chosen.items() if np.ndim(values) > 1]:
        raise DataError(
            expected=f"one number a frame in {wrong[0]} of {path.name}",
            got=f"{list(chosen[wrong[0]].shape)}",
            fix="Write a list of T numbers.",
        )
    fitted, more = tables.fit(path, chosen, num_frames, loop=loop)
    zeros = np.zeros(num_frames)
    offsets = np.stack([fitted.get(n, zeros) for n in OFFSETS], axis=-1)
    return offset(usual, offsets), notes + more


def _check(path: pathlib.Path, poses: np.ndarray, usual: np.ndarray) -> None:
    """Refuses poses that are not rigid, or of a head that is out of reach."""
    rotation = poses[:, :3, :3]
    error = np.abs(rotation @ np.swapaxes(rotation, -1, -2) - np.eye(3)).max(axis=(1, 2))
    error = np.maximum(error, np.abs(poses[:, 3] - [0, 0, 0, 1]).max(axis=1))
    wrong = ~((error < RIGID_TOLERANCE) & (np.linalg.det(rotation) > 0))
    if wrong.any():
        raise DataError(
            expected=f"rigid poses in {path.name}",
            got=f"{wrong.sum()} of {len(poses)} that are not, the first of frame {wrong.argmax()}",
            fix="Write rotations and translations only, last row 0 0 0 1.",
        )
    ratio = poses[:, 2, 3] / float(usual[2, 3])
    wrong = ~((ratio > 1 / DEPTH_RATIO) & (ratio < DEPTH_RATIO))
    if wrong.any():
        k = int(wrong.argmax())
        raise DataError(
            expected=f"heads about {usual[2, 3]:.2f} m in front of the camera in {path.name}",
            got=f"{poses[k, 2, 3]:.2f} m in frame {k} ({wrong.sum()} of {len(poses)} frames)",
            fix="Write metres, world-to-camera, OpenCV axes (ER-NeRF's are 4 times larger).",
        )
