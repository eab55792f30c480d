"""The parts of a data set folder that `clip.load` puts together, each read and checked."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import jax
import numpy as np

from emojax.data import action_units as units
from emojax.data import (
    arrays,
    audio,
    audio_features,
    cameras,
    doctor,
    files,
    record,
    tracking,
)
from emojax.data.action_units import ActionUnits
from emojax.data.audio_features import AudioFeatures
from emojax.data.errors import DataError


def read_record(folder: pathlib.Path) -> tuple[dict, list[str]]:
    """Returns the record of preprocessing; an empty one, with a fallback, if it cannot be read.

    Args:
      folder: of the data set.
    """
    try:
        return record.read(folder), []
    except DataError:
        return record.empty(), [f"record of preprocessing: none, {files.MANIFEST} cannot be read"]


def heed_the_record(folder: pathlib.Path, manifest: dict) -> None:
    """Refuses a folder in which preprocessing was stopped: its files belong to several runs.

    Args:
      folder: of the data set.
      manifest: its record.

    Raises:
      DataError: a stage is to be done again.
    """
    if undone := record.undone(manifest):
        raise DataError(
            expected=f"a folder whose preprocessing is done, {folder}",
            got=f"stages to be done again: {', '.join(undone)}",
            fix="Give the command of experiments/preprocess.py again.",
        )


def heed_the_doctor(folder: pathlib.Path) -> None:
    """Refuses a clip that the doctor judged not usable.

    Args:
      folder: of the data set.

    Raises:
      DataError: the verdict is "not usable", or the report cannot be read.
    """
    path = folder / doctor.JSON
    if not path.exists():
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
        worst = [f.get("title", f["name"]) for f in findings if f["level"] == "not usable"]
        raise DataError(
            expected="a clip that can be trained on",
            got=f"the doctor's verdict 'not usable' for {', '.join(worst)}",
            fix=f"Read {folder / doctor.TEXT} and mend the clip, or train on it all the same: "
            "experiments/train.py --force.",
        )


def read_poses(folder: pathlib.Path) -> tuple[dict, int]:
    """Returns the poses of training and held-out frames, and how many train.

    Args:
      folder: of the data set.

    Returns:
      What `cameras.read_transforms` gives, of both files, and the number of training frames.

    Raises:
      DataError: there are no poses, or the two files do not belong together.
    """
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


def read_features(
    folder: pathlib.Path, num_frames: int, name: str | None, manifest: dict
) -> tuple[AudioFeatures, list[str]]:
    """Returns sound features by name, or the first kind that there is; else made from the sound.

    Args:
      folder: of the data set.
      num_frames: T.
      name: of the features, or None.
      manifest: the folder's record.

    Returns:
      The features, and what stood in for missing files.

    Raises:
      DataError: there are none, or they do not fit.
    """
    kinds = [kind for kind in audio_features.KINDS.values() if name in (None, kind.name)]
    if not kinds:
        raise DataError(
            expected=f"one of {', '.join(audio_features.KINDS)}",
            got=f"features named {name}",
            fix="Name one of these.",
        )
    # Who put other features beside the built-in ones wants them used.
    for kind in sorted(kinds, key=lambda kind: kind.name == "mel"):
        path = folder / kind.file
        if path.exists():
            read = audio_features.load(path, num_frames, name=kind.name)
            source = record.source(manifest, "features", path) or read.source
            return dataclasses.replace(read, source=source), []
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


def read_action_units(
    folder: pathlib.Path,
    poses: dict,
    landmarks: np.ndarray,
    cuts: np.ndarray,
    focal: np.ndarray,
    size: int,
    manifest: dict,
) -> tuple[ActionUnits, list[str]]:
    """Returns the action units of the rows, from the file or from the landmarks.

    Args:
      folder: of the data set.
      poses: of `read_poses`, T rows.
      landmarks: [T, 68, 2] pixels.
      cuts: [C] rows that do not follow the row before.
      focal: [2] pixels.
      size: side of the pictures, pixels.
      manifest: the folder's record.

    Returns:
      The action units, and what stood in for missing files.

    Raises:
      DataError: the file does not fit.
    """
    numbers = poses["numbers"]
    path = folder / files.ACTION_UNITS
    if path.exists():
        read = units.read(path, count_frames(folder, poses))
        absent = ", ".join(str(n) for n in units.ESTIMATED if n not in read.numbers)
        return dataclasses.replace(
            read,
            values=read.values[numbers],
            success=read.success[numbers],
            source=record.source(manifest, "action_units", path) or read.source,
        ), [f"action units: without {absent}, of which {path.name} has no column"] if absent else []
    found = np.ones(len(numbers), bool)
    track = tracking.track(
        jax.random.key(0),
        landmarks,
        found,
        width=size,
        height=size,
        cuts=cuts,
        focal=float(focal[0]),
    )
    fallback = f"action units: {units.LANDMARKS}, for want of au.csv"
    made = units.estimate(track, landmarks, found, width=size, height=size, cuts=cuts)
    return made, [fallback]


def count_frames(folder: pathlib.Path, poses: dict) -> int:
    """Returns how many frames there are: those without a face have no pose, but sound and units.

    Args:
      folder: of the data set.
      poses: of `read_poses`.
    """
    pictures = max(files.numbered(folder / files.FRAMES, ".jpg"), default=-1)
    return int(max(poses["numbers"].max(), poses["audio"].max(), pictures)) + 1


def read_valence_arousal(folder: pathlib.Path, numbers: np.ndarray) -> np.ndarray | None:
    """Returns valence and arousal of the rows, where the folder has them.

    Args:
      folder: of the data set.
      numbers: int [T] frames of the rows.

    Raises:
      DataError: the file does not fit.
    """
    path = folder / files.VALENCE_AROUSAL
    if not path.exists():
        return None
    values = arrays.read(path)
    if values.dtype.kind not in "fiu":
        raise DataError(
            expected=f"numbers in {path}", got=f"{values.dtype}", fix="Save them as float32."
        )
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
