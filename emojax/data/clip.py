"""The clip: everything that training knows about one person's video, typed and checked.

`load` reads a data set folder of the field's layout (ours, TalkingGaussian's, ER-NeRF's), checks
that pictures, poses, sound features and action units belong together, and names what stood in for
missing files. Pictures stay on disk as uint8; `batch` copies rows, `prefetch` does so ahead of
time.

Rows are the frames of `transforms_train.json`, then those of `transforms_val.json`; T counts both.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import jax
import numpy as np

from emojax.data import (
    ahead,
    arrays,
    clip_parts,
    emotional,
    files,
    packing,
    surfaces,
)
from emojax.data.action_units import ActionUnits
from emojax.data.audio_features import AudioFeatures
from emojax.data.emotional import Emotional
from emojax.data.rows import Rows
from emojax.types import Camera

AUDIO_BEFORE, AUDIO_AFTER = 4, 4  # the audio network sees windows t - 4 ... t + 3 of frame t


FINGERPRINTED = 5  # pictures of a clip that its fingerprint covers


@dataclasses.dataclass(frozen=True)
class Clip:
    """One person's video, ready to train on.

    Attributes:
      folder: where it was read from.
      numbers: int [T] frame numbers in the folder.
      num_train: how many of the first rows train; the rest is held out.
      images: uint8 [T, S, S, 3] RGB, on disk.
      labels: uint8 [T, S, S] of `labels.Label`, on disk.
      torso: uint8 [T, S, S, 4] RGBA, torso and neck in-painted under the head, on disk.
      background: uint8 [S, S, 3], what is behind the person.
      landmarks: float32 [T, 68, 2] pixels of S, pixel centres at whole numbers.
      cuts: int [C], rows that do not follow the row before in time: after jump cuts, and after
        frames that are left out.
      world_to_camera: float32 [T, 4, 4].
      focal: float32 [2] pixels of S.
      principal: float32 [2] pixels of S.
      audio: features of the folder's whole sound.
      audio_rows: int [T] window of each row in `audio.values`.
      action_units: of the T rows.
      valence_arousal: float32 [T, 2] in [-1, 1], or None where the folder has none.
      fallbacks: what stood in for missing files, in words.
      normals: uint8 [T, S, S, 3] of the face as `surfaces` has them, on disk, or None.
      emotional: pictures of the same frames with other emotions, or None; row T + m of `batch` is
        the m-th of them.
    """

    folder: pathlib.Path
    numbers: np.ndarray
    num_train: int
    images: Rows
    labels: Rows
    torso: Rows
    background: np.ndarray
    landmarks: np.ndarray
    cuts: np.ndarray
    world_to_camera: np.ndarray
    focal: np.ndarray
    principal: np.ndarray
    audio: AudioFeatures
    audio_rows: np.ndarray
    action_units: ActionUnits
    valence_arousal: np.ndarray | None
    fallbacks: tuple[str, ...]
    normals: Rows | None = None
    emotional: Emotional | None = None

    def __len__(self) -> int:
        """Number of rows T."""
        return len(self.numbers)

    @property
    def size(self) -> int:
        """Side S of the pictures, pixels."""
        return self.images.shape[1]

    @property
    def emotional_rows(self) -> np.ndarray:
        """Rows of the emotional pictures that show frames that train, int."""
        if self.emotional is None:
            return np.zeros(0, int)
        train = np.isin(self.emotional.frames, self.numbers[: self.num_train])
        return len(self) + np.flatnonzero(train)

    def frame_rows(self, rows: np.ndarray) -> np.ndarray:
        """Returns the rows of the frames that some rows show, which may be emotional pictures.

        Args:
          rows: int [B], each from 0 to T + M - 1.
        """
        if self.emotional is None:
            return rows
        places = {int(number): row for row, number in enumerate(self.numbers)}
        shown = [places[int(number)] for number in self.emotional.frames]
        return np.concatenate([np.arange(len(self)), np.int64(shown)])[rows]

    def camera(self, row: int) -> Camera:
        """Returns the camera of one row."""
        return Camera(
            world_to_camera=jax.numpy.asarray(self.world_to_camera[row]),
            focal=jax.numpy.asarray(self.focal),
            principal=jax.numpy.asarray(self.principal),
            width=self.size,
            height=self.size,
        )


class Batch(NamedTuple):
    """Some frames of a clip, in memory.

    Attributes:
      rows: int [B] rows of the clip.
      images: uint8 [B, S, S, 3].
      labels: uint8 [B, S, S].
      backdrops: uint8 [B, S, S, 3], torso over background: what the head is drawn over.
      landmarks: float32 [B, 68, 2].
      world_to_camera: float32 [B, 4, 4].
      audio: float32 [B, 8, W, D], windows t - 4 ... t + 3; zeros outside of the clip.
      action_units: float32 [B, A].
      valence_arousal: float32 [B, 2], or None.
      normals: uint8 [B, S, S, 3], or None.
    """

    rows: np.ndarray
    images: np.ndarray
    labels: np.ndarray
    backdrops: np.ndarray
    landmarks: np.ndarray
    world_to_camera: np.ndarray
    audio: np.ndarray
    action_units: np.ndarray
    valence_arousal: np.ndarray | None
    normals: np.ndarray | None = None


def audio_windows(features: AudioFeatures, windows: np.ndarray) -> np.ndarray:
    """Returns what the audio network sees at some times.

    Args:
      features: of T windows.
      windows: int [B], the window of each frame.

    Returns:
      float32 [B, 8, W, D]; zeros before the first and after the last window.
    """
    around = np.asarray(windows)[:, None] + np.arange(-AUDIO_BEFORE, AUDIO_AFTER)
    inside = (around >= 0) & (around < len(features.values))
    chosen = features.values[np.clip(around, 0, len(features.values) - 1)]
    return np.where(inside[..., None, None], chosen, 0)


def backdrop(torso: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Returns the torso over the background (TalkingGaussian scene/dataset_readers.py: truncated).

    Args:
      torso: uint8 [..., S, S, 4] RGBA.
      background: uint8 [S, S, 3].

    Returns:
      uint8 [..., S, S, 3].
    """
    alpha = torso[..., 3:].astype(np.float32) / 255
    return np.uint8(torso[..., :3] * alpha + background * (1 - alpha))


def batch(clip: Clip, rows: np.ndarray) -> Batch:
    """Returns rows of a clip in memory.

    Args:
      clip: to read from.
      rows: int [B], each from 0 to T - 1, or to T + M - 1 with M emotional pictures.
    """
    rows = np.asarray(rows)
    frames, pictures = clip.frame_rows(rows), clip.emotional
    others = np.flatnonzero(rows >= len(clip))

    def either(name: str) -> np.ndarray | None:
        """Of the frame, or of the emotional picture that a row is."""
        plain = getattr(clip, name)
        if plain is None:
            return None
        found = plain[frames]
        for place in others:
            instead = getattr(pictures, name)
            found[place] = 0 if instead is None else instead[rows[place] - len(clip)]
        return found

    emotions = clip.valence_arousal
    if emotions is None and pictures is not None:
        emotions = np.zeros((len(clip), 2), np.float32)  # who speaks as usual is neutral
    if emotions is not None:
        emotions = emotions[frames]
        for place in others:
            emotions[place] = pictures.emotions[rows[place] - len(clip)]
    return Batch(
        rows=rows,
        images=either("images"),
        labels=either("labels"),
        backdrops=backdrop(clip.torso[frames], clip.background),
        landmarks=either("landmarks"),
        world_to_camera=clip.world_to_camera[frames],
        audio=audio_windows(clip.audio, clip.audio_rows[frames]),
        action_units=clip.action_units.values[frames],
        valence_arousal=emotions,
        normals=either("normals"),
    )


def prefetch(clip: Clip, rows: Iterable[np.ndarray], *, depth: int = 2) -> Iterator[Batch]:
    """Returns batches, which another thread reads ahead of time.

    Args:
      clip: to read from.
      rows: of each batch, int [B].
      depth: how many batches are held ready.
    """
    return ahead.ahead((batch(clip, some) for some in rows), depth=depth)


def fingerprint(clip: Clip) -> str:
    """Returns 16 digits that name what a head learns from: numbers, tracks, sound, some pictures.

    Args:
      clip: to name.
    """
    digest = hashlib.sha256()
    some = np.linspace(0, len(clip) - 1, FINGERPRINTED).round().astype(int)
    pictures = [rows[int(row)] for rows in (clip.images, clip.labels, clip.torso) for row in some]
    for array in (
        clip.numbers, np.int64(clip.num_train), clip.background, clip.landmarks, clip.cuts,
        clip.world_to_camera, clip.focal, clip.principal, clip.audio.values, clip.audio_rows,
        clip.action_units.values, *pictures,
    ):  # fmt: skip
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def load(
    folder: pathlib.Path | str,
    *,
    size: int | None = None,
    features: str | None = None,
    cache: pathlib.Path | None = None,
    force: bool = False,
    progress: Callable = iter,
) -> Clip:
    """Reads and checks a data set folder.

    Args:
      folder: of the field's layout.
      size: side of the pictures, pixels; as they are by default.
      features: name of the sound features to use, where the folder has several.
      cache: where to keep decoded pictures; see `packing.pack`.
      force: load even what the doctor judged not usable, or preprocessing has not finished.
      progress: wraps the iterable of frames while pictures are decoded, for a progress bar.

    Raises:
      DataError: files are missing, damaged or do not belong together, or the doctor judged the clip
        not usable, or preprocessing was stopped.
    """
    folder = files.check_folder(folder)
    manifest, fallbacks = clip_parts.read_record(folder)
    if not force:
        clip_parts.heed_the_record(folder, manifest)
        clip_parts.heed_the_doctor(folder)
    poses, num_train = clip_parts.read_poses(folder)
    numbers = poses["numbers"]
    place, packed = packing.pack(folder, numbers, size=size, cache=cache, progress=progress)
    size, source_size = packed["size"], packed["source_size"]
    scale = size / source_size
    fallbacks += packed["fallbacks"]
    landmarks = arrays.read(place / "landmarks.npy")
    gaps = np.flatnonzero(np.diff(numbers) != 1) + 1
    cuts = np.union1d(np.array(packed["cuts"], np.int64), gaps)
    focal = poses["focal"] * scale
    principal = poses["principal"] * scale
    missing = np.isnan(principal)
    if missing.any():
        fallbacks.append("principal point: the picture's middle, for want of cx and cy")
        principal = np.where(missing, size / 2, principal)
    count = clip_parts.count_frames(folder, poses)
    sound, text = clip_parts.read_features(folder, count, features, manifest)
    fallbacks += text
    actions, text = clip_parts.read_action_units(
        folder, poses, landmarks, cuts, focal, size, manifest
    )
    fallbacks += text
    return Clip(
        folder=folder,
        numbers=numbers,
        num_train=num_train,
        images=Rows(place / "images.npy"),
        labels=Rows(place / "labels.npy"),
        torso=Rows(place / "torso.npy"),
        background=arrays.read(place / "background.npy"),
        landmarks=landmarks,
        cuts=cuts,
        world_to_camera=poses["world_to_camera"],
        focal=np.float32(focal),
        principal=np.float32(principal),
        audio=sound,
        audio_rows=poses["audio"],
        action_units=actions,
        valence_arousal=clip_parts.read_valence_arousal(folder, numbers),
        fallbacks=tuple(fallbacks),
        normals=Rows(place / "normals.npy") if surfaces.find(folder) else None,
        emotional=emotional.load(
            folder, numbers=numbers, size=size, place=place.parent, progress=progress
        ),
    )
