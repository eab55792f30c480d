"""The clip: everything that training knows about one person's video, typed and checked.

`load` reads a data set folder of the field's layout (ours, TalkingGaussian's, ER-NeRF's), checks
that pictures, poses, sound features and action units belong together, and names what stood in for
missing files. Pictures stay on disk as uint8; `batch` copies rows, `prefetch` does so ahead of
time.

Rows are the frames of `transforms_train.json`, then those of `transforms_val.json`; T counts both.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import jax
import numpy as np

from emojax.data import action_units as units
from emojax.data import (
    audio,
    audio_features,
    cameras,
    files,
    packing,
    tracking,
)
from emojax.data.action_units import ActionUnits
from emojax.data.audio_features import AudioFeatures
from emojax.data.errors import DataError
from emojax.data.rows import Rows
from emojax.types import Camera

AUDIO_BEFORE, AUDIO_AFTER = 4, 4  # the audio network sees windows t - 4 ... t + 3 of frame t
FPS = 25.0


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
      cuts: int [C], rows that do not follow the row before in time.
      world_to_camera: float32 [T, 4, 4].
      focal: float32 [2] pixels of S.
      principal: float32 [2] pixels of S.
      audio: features of the folder's whole sound.
      audio_rows: int [T] window of each row in `audio.values`.
      action_units: of the T rows.
      valence_arousal: float32 [T, 2] in [-1, 1], or None where the folder has none.
      fallbacks: what stood in for missing files, in words.
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

    def __len__(self) -> int:
        """Number of rows T."""
        return len(self.numbers)

    @property
    def size(self) -> int:
        """Side S of the pictures, pixels."""
        return self.images.shape[1]

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
      rows: int [B], each from 0 to T - 1.
    """
    rows = np.asarray(rows)
    emotion = clip.valence_arousal
    return Batch(
        rows=rows,
        images=clip.images[rows],
        labels=clip.labels[rows],
        backdrops=backdrop(clip.torso[rows], clip.background),
        landmarks=clip.landmarks[rows],
        world_to_camera=clip.world_to_camera[rows],
        audio=audio_windows(clip.audio, clip.audio_rows[rows]),
        action_units=clip.action_units.values[rows],
        valence_arousal=None if emotion is None else emotion[rows],
    )


def prefetch(clip: Clip, rows: Iterable[np.ndarray], *, depth: int = 2) -> Iterator[Batch]:
    """Yields batches, which another thread reads ahead of time.

    Args:
      clip: to read from.
      rows: of each batch, int [B].
      depth: how many batches are held ready.
    """
    ready: queue.Queue = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def put(item: object) -> None:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def read() -> None:
        try:
            for some in rows:
                put(batch(clip, some))
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:  # handed over: the reader raises it
            put(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()


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
      cache: where to keep decoded pictures; `.packed` in the folder by default.
      force: load even what the doctor judged not usable.
      progress: wraps the iterable of frames while pictures are decoded, for a progress bar.

    Raises:
      DataError: files are missing, damaged or do not belong together, or the doctor judged the clip
        not usable.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise DataError(
            expected="the folder of a data set",
            got=f"{folder}, which is none",
            fix="Make it: experiments/preprocess.py --video FILE --out DIR.",
        )
    _heed_the_doctor(folder, force)
    poses, num_train = _poses(folder)
    numbers = poses["numbers"]
    place, packed = packing.pack(folder, numbers, size=size, cache=cache, progress=progress)
    size, source_size = packed["size"], packed["source_size"]
    scale = size / source_size
    fallbacks = list(packed["fallbacks"])
    landmarks = np.load(place / "landmarks.npy")
    focal = poses["focal"] * scale
    principal = poses["principal"] * scale
    missing = np.isnan(principal)
    if missing.any():
        fallbacks.append("principal point: the picture's middle, for want of cx and cy")
        principal = np.where(missing, size / 2, principal)
    sound, text = _features(folder, _num_frames(folder, poses), features)
    fallbacks += text
    actions, text = _action_units(folder, poses, landmarks, packed["cuts"], focal, size)
    fallbacks += text
    return Clip(
        folder=folder,
        numbers=numbers,
        num_train=num_train,
        images=Rows(place / "images.npy"),
        labels=Rows(place / "labels.npy"),
        torso=Rows(place / "torso.npy"),
        background=np.load(place / "background.npy"),
        landmarks=landmarks,
        cuts=np.array(packed["cuts"], np.int64),
        world_to_camera=poses["world_to_camera"],
        focal=np.float32(focal),
        principal=np.float32(principal),
        audio=sound,
        audio_rows=poses["audio"],
        action_units=actions,
        valence_arousal=_valence_arousal(folder, numbers),
        fallbacks=tuple(fallbacks),
    )


def _heed_the_doctor(folder: pathlib.Path, force: bool) -> None:
    """Refuses a clip that the doctor judged not usable."""
    path = folder / "doctor.json"
    if force or not path.exists():
        return
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        verdict, findings = report["verdict"], report["findings"]
    except (ValueError, KeyError) as error:
        raise DataError(
            expected=f"the doctor's report in {path}",
            got=f"{type(error).__name__}: {error}",
            fix=f"Examine again: experiments/doctor.py --data {folder}.",
        ) from error
    if verdict == "not usable":
        worst = [finding["name"] for finding in findings if finding["level"] == "not usable"]
        raise DataError(
            expected="a clip that can be trained on",
            got=f"the doctor's verdict 'not usable' for {', '.join(worst)}",
            fix=f"Read {folder / 'doctor.txt'} and mend the clip, or force it.",
        )


def _poses(folder: pathlib.Path) -> tuple[dict, int]:
    """Poses of training and held-out frames, and how many train."""
    train_path, val_path = (folder / name for name in files.TRANSFORMS)
    if not train_path.exists():
        raise DataError(
            expected=f"{train_path.name} in {folder}",
            got="no such file",
            fix=f"Track the head: experiments/preprocess.py --out {folder} --stages tracking.",
        )
    train = cameras.read_transforms(train_path)
    if not val_path.exists():
        return train, cameras.num_train_frames(len(train["numbers"]))
    val = cameras.read_transforms(val_path)
    if not np.array_equal(val["focal"], train["focal"]):
        raise DataError(
            expected="one focal length for the whole clip",
            got=f"{train['focal']} in {train_path.name}, {val['focal']} in {val_path.name}",
            fix="Write both files from one tracking.",
        )
    joined = ("numbers", "audio", "world_to_camera")
    poses = train | {name: np.concatenate([train[name], val[name]]) for name in joined}
    twice = len(poses["numbers"]) - len(np.unique(poses["numbers"]))
    if twice:
        raise DataError(
            expected="each frame once in the two transforms files",
            got=f"{twice} frames more than once",
            fix="Write both files again: held-out frames must not train.",
        )
    return poses, len(train["numbers"])


def _features(folder: pathlib.Path, num_frames: int, name: str | None) -> tuple:
    """Sound features by name, or the first kind that there is; then made from the sound."""
    kinds = [kind for kind in audio_features.KINDS.values() if name in (None, kind.name)]
    if not kinds:
        raise DataError(
            expected=f"one of {', '.join(audio_features.KINDS)}",
            got=f"features named {name}",
            fix="Name one of these.",
        )
    # Who put other features beside the built-in ones wants them used.
    for kind in sorted(kinds, key=lambda kind: kind.name == "mel"):
        if (folder / kind.file).exists():
            return audio_features.load(folder / kind.file, num_frames, name=kind.name), []
    if (folder / "aud.npy").exists() and name in (None, "deepspeech"):
        fallback = "sound features: aud.npy, for want of aud_ds.npy"
        return audio_features.load(folder / "aud.npy", num_frames), [fallback]
    if (folder / files.SOUND).exists() and name in (None, "mel"):
        sound = audio.read_wav(folder / files.SOUND)
        fallback = "sound features: log-mel made from aud.wav, for want of aud_*.npy"
        converted = [f"aud.wav: {sound.conversion}"] if sound.conversion else []
        return audio_features.from_waveform(sound.waveform, num_frames), [fallback, *converted]
    raise DataError(
        expected=f"sound features or {files.SOUND} in {folder}",
        got="none" if name is None else f"none named {name}",
        fix="Extract the video's sound to aud.wav (16 kHz), or copy the features there.",
    )


def _action_units(folder, poses, landmarks, cuts, focal, size) -> tuple:
    """Action units of the rows, from the file or from the landmarks."""
    numbers = poses["numbers"]
    if (folder / files.ACTION_UNITS).exists():
        read = units.read(folder / files.ACTION_UNITS, _num_frames(folder, poses))
        return dataclasses.replace(
            read, values=read.values[numbers], success=read.success[numbers]
        ), []
    found = np.ones(len(numbers), bool)
    track = tracking.track(
        jax.random.key(0),
        landmarks,
        found,
        width=size,
        height=size,
        cuts=np.array(cuts, np.int64),
        focal=float(focal[0]),
    )
    fallback = f"action units: {units.LANDMARKS}, for want of au.csv"
    return units.estimate(track, landmarks, found, width=size, height=size), [fallback]


def _num_frames(folder: pathlib.Path, poses: dict) -> int:
    """Frames of the video: those without a face have no pose, but sound and a row in au.csv."""
    pictures = max(files.numbered(folder / files.FRAMES, ".jpg"), default=-1)
    return int(max(poses["numbers"].max(), poses["audio"].max(), pictures)) + 1


def _valence_arousal(folder: pathlib.Path, numbers: np.ndarray) -> np.ndarray | None:
    """Valence and arousal of the rows, where the folder has them."""
    path = folder / files.VALENCE_AROUSAL
    if not path.exists():
        return None
    try:
        values = np.load(path)
    except (OSError, ValueError) as error:
        raise DataError(
            expected=f"an array in {path}", got=str(error), fix="Make it again."
        ) from error
    if values.ndim != 2 or values.shape[1] != 2 or len(values) <= numbers.max():
        raise DataError(
            expected=f"{path.name} of shape ({numbers.max() + 1}, 2)",
            got=f"{values.shape}",
            fix="Write one row of valence and arousal for each 25 fps frame.",
        )
    outside = ~(np.abs(values) <= 1).all(1)
    if outside.any():
        raise DataError(
            expected=f"valence and arousal from -1 to 1 in {path.name}",
            got=f"{outside.sum()} rows with NaN or values outside, first row {outside.argmax()}",
            fix="Scale them to the disc of radius 1.",
        )
    return np.float32(values[numbers])
