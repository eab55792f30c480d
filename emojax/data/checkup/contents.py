"""What a data set folder holds, each part read for itself: what is missing or damaged is noted.

Unlike `clip.load`, which wants everything, this reads folders that are incomplete or spoiled, for
the doctor. Frames are numbered as the pictures are; T is one more than the highest number.
"""

from __future__ import annotations

import dataclasses
import pathlib
import zipfile
from collections.abc import Callable

import numpy as np

from emojax.data import (
    action_units,
    audio,
    audio_features,
    cameras,
    files,
    landmarks,
    record,
)
from emojax.data.action_units import ActionUnits
from emojax.data.audio import Wav
from emojax.data.audio_features import AudioFeatures
from emojax.data.errors import DataError
from emojax.opencv import cv2

SMALL = landmarks.CUT_SIDE  # side of the grey pictures that are kept of all frames
# Higher frame numbers than this times the number of pictures are a slip of naming.
_MAX_SPARSITY = 10
_JPEG_END = b"\xff\xd9"
# What readers raise for files that are absent, cut short or something else.
_UNREADABLE = (DataError, OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile)


@dataclasses.dataclass(frozen=True)
class Contents:
    """The parts of a folder.

    Attributes:
      folder: that was read.
      faults: what is wrong with a part's files, in words, by the part's name; a part that is only
        missing has none.
      paths: pictures by frame number, ascending.
      kind: name of the pictures' folder.
      size: height and width of the pictures, or None where there are none.
      small: uint8 [T, 64, 64] grey pictures; frames without a picture repeat the one before.
      readable: bool [T], frames with a whole picture.
      cuts: int [C], first frames after jump cuts.
      landmarks: float32 [T, 68, 2] pixels, NaN where there are none.
      found: bool [T], frames with a face.
      faces: int [T] faces found, or None where nobody counted.
      world_to_camera: float32 [T, 4, 4], NaN where a frame has no pose.
      focal: float [2] pixels, NaN without poses.
      principal: float [2] pixels, NaN where the files have none.
      sound: of the folder, or None.
      features: sound features of all kinds that could be read, by name.
      units: action units of T rows, or None.
      manifest: content of `preprocess.json`, empty where there is none.
    """

    folder: pathlib.Path
    faults: dict[str, str]
    paths: dict[int, pathlib.Path]
    kind: str
    size: tuple[int, int] | None
    small: np.ndarray
    readable: np.ndarray
    cuts: np.ndarray
    landmarks: np.ndarray
    found: np.ndarray
    faces: np.ndarray | None
    world_to_camera: np.ndarray
    focal: np.ndarray
    principal: np.ndarray
    sound: Wav | None
    features: dict[str, AudioFeatures]
    units: ActionUnits | None
    manifest: dict

    def __len__(self) -> int:
        """Number of frames T."""
        return len(self.landmarks)

    @property
    def tracked(self) -> np.ndarray:
        """Frames with a pose, bool [T]: those that train."""
        return np.isfinite(self.world_to_camera[:, 0, 0])

    @property
    def unit(self) -> float:
        """Pixels of these pictures in one pixel of a picture 512 wide."""
        return 1.0 if self.size is None else self.size[1] / 512


def read(folder: pathlib.Path, *, progress: Callable = iter) -> Contents:
    """Reads a folder as far as it can be read.

    Args:
      folder: of a data set; may lack anything.
      progress: wraps the iterable of pictures, for a progress bar.
    """
    faults: dict[str, str] = {}

    def attempt(part: str, function: Callable, *arguments, default=None):
        try:
            return function(*arguments)
        except _UNREADABLE as error:
            faults[part] = words(error)
            return default

    kind, paths = attempt("pictures", _pictures, folder, default=(files.FRAMES, {}))
    count = _count(paths, faults)
    paths = {number: path for number, path in paths.items() if number < count}
    size, small, readable = _small_pictures(paths, count, faults, progress)
    present = np.flatnonzero(readable)
    cuts = present[landmarks.find_cuts(small[present].astype(np.float32))]
    points = _landmarks(folder, count, faults)
    found, faces = np.isfinite(points[:, 0, 0]), None
    if (folder / files.LANDMARKS).exists():
        content = attempt(files.LANDMARKS, _found, folder / files.LANDMARKS, count)
        if content is not None:
            found, faces = found & content[0], content[1]
    poses = np.full((count, 4, 4), np.nan, np.float32)
    focal, principal = np.full(2, np.nan), np.full(2, np.nan)
    read_poses = attempt("poses", _poses, folder, count)
    if read_poses is not None:
        numbers, matrices, focal, principal = read_poses
        poses[numbers] = matrices
    sound = manifest = units = None
    if (folder / files.SOUND).exists():
        sound = attempt("sound", audio.read_wav, folder / files.SOUND)
    features = {}
    for name, feature in audio_features.KINDS.items():
        values = None
        if count and (folder / feature.file).exists():
            values = attempt(feature.file, _features, folder / feature.file, count, name)
        if values is not None:
            features[name] = values
    if count and (folder / files.ACTION_UNITS).exists():
        units = attempt("action_units", action_units.read, folder / files.ACTION_UNITS, count)
    if (folder / files.MANIFEST).exists():
        manifest = attempt("manifest", record.read, folder)
    return Contents(
        folder=folder,
        faults=faults,
        paths=paths,
        kind=kind,
        size=size,
        small=small,
        readable=readable,
        cuts=np.asarray(cuts, np.int64),
        landmarks=points,
        found=found,
        faces=faces,
        world_to_camera=poses,
        focal=focal,
        principal=principal,
        sound=sound,
        features=features,
        units=units,
        manifest=manifest or {},
    )


def words(error: Exception) -> str:
    """Returns what to say of an error: a DataError's own text, else its kind too."""
    text = " ".join(str(error).split())
    return text if isinstance(error, DataError) else f"{type(error).__name__}: {text}"


def _pictures(folder: pathlib.Path) -> tuple[str, dict[int, pathlib.Path]]:
    """The pictures that `packing.pack` would take: ori_imgs, else gt_imgs."""
    for kind in (files.FRAMES, files.GROUND_TRUTH):
        for suffix in (".jpg", ".png"):
            if paths := files.numbered(folder / kind, suffix):
                return kind, paths
    return files.FRAMES, {}


def _count(paths: dict, faults: dict) -> int:
    """Number of frames T; absurd numbers left out."""
    most = _MAX_SPARSITY * len(paths)
    absurd = [number for number in paths if number >= most]
    if absurd:
        faults["pictures"] = (
            f"expected pictures numbered from 0 without gaps; got {paths[absurd[-1]].name} among "
            f"{len(paths)}. Rename it."
        )
    return max((number for number in paths if number < most), default=-1) + 1


def _small_pictures(paths, count, faults, progress) -> tuple:
    """Size of the pictures, small grey ones of all frames, and which could be read whole."""
    small, readable = np.zeros((count, SMALL, SMALL), np.uint8), np.zeros(count, bool)
    size, shape, flags, bad, other = None, None, cv2.IMREAD_GRAYSCALE, [], []
    for number in progress(list(paths)):
        try:
            data = np.fromfile(paths[number], np.uint8)
        except OSError:
            data = np.zeros(0, np.uint8)
        if size is None and len(data):
            whole = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
            if whole is not None:
                size, flags = whole.shape, _reduction(min(whole.shape))
                shape = cv2.imdecode(data, flags).shape
        picture = cv2.imdecode(data, flags) if len(data) else None
        is_cut = paths[number].suffix == ".jpg" and _JPEG_END not in data[-64:].tobytes()
        if picture is None or is_cut:
            bad.append(paths[number].name)
            continue
        if picture.shape != shape:
            other.append(paths[number].name)
        small[number] = cv2.resize(picture, (SMALL, SMALL), interpolation=cv2.INTER_AREA)
        readable[number] = True
    if bad:
        faults["damaged pictures"] = f"{len(bad)} cannot be read whole, {bad[0]} the first"
    if other:
        faults["picture sizes"] = f"{len(other)} of another size than the first, {other[0]} say"
    last = np.maximum.accumulate(np.where(readable, np.arange(count), 0))
    return size, small[last], readable


def _reduction(side: int) -> int:
    """How to decode so that a side stays at least `SMALL`: JPEG does part of it for nothing."""
    for factor in (8, 4, 2):
        if side >= factor * SMALL:
            return getattr(cv2, f"IMREAD_REDUCED_GRAYSCALE_{factor}")
    return cv2.IMREAD_GRAYSCALE


def _landmarks(folder: pathlib.Path, count: int, faults: dict) -> np.ndarray:
    """Landmarks of all frames, NaN where there are none."""
    points = np.full((count, 68, 2), np.nan, np.float32)
    bad, where = [], folder / files.FRAMES
    for number in range(count):
        path = where / f"{number}.lms"
        if not path.exists():
            continue
        try:
            points[number] = landmarks.read_lms(path)
        except _UNREADABLE as error:
            bad.append(words(error))
    if bad:
        faults["landmarks"] = f"{len(bad)} files that are none; the first: {bad[0]}"
    return points


def _found(path: pathlib.Path, count: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Where a face was found, and how many."""
    with np.load(path) as stored:
        found = np.asarray(stored["found"], bool)
        faces = np.asarray(stored["counts"]) if "counts" in stored.files else None
    if len(found) != count or (faces is not None and len(faces) != count):
        raise DataError(
            expected=f"{count} frames in {path.name}",
            got=str(len(found)),
            fix="Run the stage landmarks again.",
        )
    return found, faces


def _poses(folder: pathlib.Path, count: int) -> tuple | None:
    """Frame numbers, poses, focal length and principal point of both transforms files."""
    train_path, val_path = (folder / name for name in files.TRANSFORMS)
    if not train_path.exists():
        return None
    parts = [cameras.read_transforms(path) for path in (train_path, val_path) if path.exists()]
    numbers = np.concatenate([part["numbers"] for part in parts])
    twice = len(numbers) - len(np.unique(numbers))
    outside = numbers[(numbers < 0) | (numbers >= count)]
    if not np.array_equal(parts[0]["focal"], parts[-1]["focal"]):
        got = f"{parts[0]['focal']} and {parts[-1]['focal']} pixels"
        raise DataError(
            expected="one focal length", got=got, fix="Write both files from one tracking."
        )
    if twice or len(outside):
        got = f"{twice} frames twice, {len(outside)} without a picture"
        raise DataError(
            expected=f"poses of different frames from 0 to {count - 1}",
            got=got + (f", frame {outside[0]} the first" if len(outside) else ""),
            fix="Restore the pictures, or track again so that poses and pictures agree.",
        )
    matrices = np.concatenate([part["world_to_camera"] for part in parts])
    return numbers, matrices, parts[0]["focal"], parts[0]["principal"]


def _features(path: pathlib.Path, count: int, name: str) -> AudioFeatures:
    """Sound features of a known kind."""
    return audio_features.load(path, count, name=name)
