"""Emotional pictures of a data set: some of its frames, again, with other emotions.

    emotional/N.jpg          the picture, N = 0 ... M - 1
    emotional/N.png          its labels, uint8 of `labels.Label`
    emotional/normals/N.png  its normals as `surfaces` has them, where there are such
    emotional/pictures.npz   frames int [M], emotions float32 [M, 2], landmarks float32 [M, 68, 2]
    emotional/source.json    who made them, and how

A picture shows its frame's pose, backdrop, sound and action units; only the expression is another.
Where it comes from (a puppet's twin, a warp, a generator) makes no difference to who reads it. The
folder appears whole at its place, or not at all.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import shutil
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from emojax.data import files, resizing, rows, surfaces
from emojax.data.errors import DataError
from emojax.data.rows import FolderInMaking, Rows
from emojax.opencv import cv2

FOLDER = "emotional"
NORMALS = "normals"
INDEX, SOURCE = "pictures.npz", "source.json"
_FORMAT = 1
_NUM_LANDMARKS = 68


class EmotionalPicture(NamedTuple):
    """One picture.

    Attributes:
      frame: number of the frame that it shows again.
      emotion: (valence, arousal).
      image: uint8 [S, S, 3] RGB.
      labels: uint8 [S, S] of `labels.Label`.
      landmarks: float32 [68, 2] pixels, pixel centres at whole numbers.
      normals: float32 [R, R, 3] unit vectors, x right, y up, z to the viewer, 0 where there are
        none, of any size; or None.
    """

    frame: int
    emotion: tuple[float, float] | np.ndarray
    image: np.ndarray
    labels: np.ndarray
    landmarks: np.ndarray
    normals: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Emotional:
    """The emotional pictures of a clip.

    Attributes:
      source: who made them.
      frames: int [M] numbers of the frames that they show again.
      emotions: float32 [M, 2] valence and arousal.
      landmarks: float32 [M, 68, 2] pixels of S.
      images: uint8 [M, S, S, 3], on disk.
      labels: uint8 [M, S, S], on disk.
      normals: uint8 [M, S, S, 3] as `surfaces.to_bytes` has them, on disk, or None.
    """

    source: str
    frames: np.ndarray
    emotions: np.ndarray
    landmarks: np.ndarray
    images: Rows
    labels: Rows
    normals: Rows | None

    def __len__(self) -> int:
        """Number of pictures M."""
        return len(self.frames)


def write(
    folder: pathlib.Path,
    pictures: Iterable[EmotionalPicture],
    *,
    source: str,
    facts: Mapping[str, Any],
    overwrite: bool = False,
) -> int:
    """Writes the emotional pictures of a data set, one by one, and returns how many there are.

    Args:
      folder: of the data set.
      pictures: in any order; all with normals, or none.
      source: who made them: "twins", "warp".
      facts: more to keep in source.json.
      overwrite: replace what is there.

    Raises:
      DataError: there are such pictures already, there are none to write, or the place cannot be
        written to.
    """
    place = folder / FOLDER
    if place.exists() and not overwrite:
        raise DataError(
            expected=f"no emotional pictures in {folder} yet",
            got=f"{place}",
            fix="Remove it, or replace it with --overwrite.",
        )
    index, with_normals = [], set()
    scratch_name = files.partial(place)
    with FolderInMaking(scratch_name) as scratch:
        for number, picture in enumerate(pictures):
            files.write_picture(scratch / f"{number}.jpg", picture.image)
            files.write_picture(scratch / f"{number}.png", picture.labels)
            with_normals.add(picture.normals is not None)
            if picture.normals is not None:
                files.make_folder(scratch / NORMALS)
                files.write_picture(
                    scratch / NORMALS / f"{number}.png", surfaces.to_bytes(picture.normals)
                )
            index.append((picture.frame, picture.emotion, picture.landmarks))
        if not index or len(with_normals) > 1:
            raise DataError(
                expected="one emotional picture or more, all with normals or none",
                got=f"{len(index)} pictures",
                fix="Ask for more, or see why they were rejected.",
            )
        frames, emotions, points = zip(*index, strict=True)
        np.savez(
            scratch / INDEX,
            frames=np.int64(frames),
            emotions=np.float32(emotions),
            landmarks=np.float32(points),
        )
        content = {"format": _FORMAT, "source": source, "count": len(index), **facts}
        files.write_text(scratch / SOURCE, json.dumps(content, indent=1) + "\n")
    if place.exists():
        shutil.rmtree(place)
    scratch_name.rename(place)
    return len(index)


def load(
    folder: pathlib.Path,
    *,
    numbers: np.ndarray,
    size: int,
    place: pathlib.Path,
    progress: Callable = iter,
) -> Emotional | None:
    """Reads the emotional pictures of a data set; None where it has none.

    Args:
      folder: of the data set.
      numbers: of the clip's frames.
      size: side of the pictures to return, pixels.
      place: folder for the decoded arrays.
      progress: wraps the iterable of pictures, for a progress bar.

    Raises:
      DataError: files are missing or damaged.
    """
    where = folder / FOLDER
    if not where.exists():
        return None
    index, source, key = _read_index(where)
    count = len(index["frames"])
    if lost := set(map(int, index["frames"])) - set(map(int, numbers)):
        raise DataError(
            expected=f"emotional pictures of the clip's frames in {where}",
            got=f"some of {len(lost)} other frames, {min(lost)} for one",
            fix=f"Remove {where} and make them again from this clip.",
        )
    packed = place / f"{FOLDER}-{size}-{key}"
    first = files.read_picture(where / "0.jpg")
    has_normals = (where / NORMALS).is_dir()
    if not packed.exists():
        for old in place.glob(f"{FOLDER}-{size}-*"):
            shutil.rmtree(old, ignore_errors=True)
        with FolderInMaking(packed) as scratch:
            _pack(scratch, where, count, size, progress, has_normals)
    scale = size / first.shape[0]
    return Emotional(
        source=source,
        frames=index["frames"],
        emotions=np.float32(index["emotions"]),
        landmarks=np.float32((index["landmarks"] + 0.5) * scale - 0.5),
        images=Rows(packed / "images.npy"),
        labels=Rows(packed / "labels.npy"),
        normals=Rows(packed / "normals.npy") if has_normals else None,
    )


def _read_index(where: pathlib.Path) -> tuple[dict[str, np.ndarray], str, str]:
    """The arrays of pictures.npz, the source, and a key of the folder's content."""
    try:
        content = json.loads((where / SOURCE).read_text(encoding="utf-8"))
        source, wanted = content["source"], content["count"]
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']}, this version reads {_FORMAT}")
        with np.load(where / INDEX, allow_pickle=False) as archive:
            index = {name: archive[name] for name in ("frames", "emotions", "landmarks")}
        shapes = [index[name].shape for name in ("frames", "emotions", "landmarks")]
        if shapes != [(wanted,), (wanted, 2), (wanted, _NUM_LANDMARKS, 2)] or not wanted:
            raise ValueError(f"arrays of shapes {shapes} for {wanted} pictures")
        if not (np.abs(index["emotions"]) <= 1).all():
            raise ValueError("valence or arousal outside of -1 to 1")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            expected=f"emotional pictures in {where}",
            got=f"{type(error).__name__}: {error}",
            fix=f"Remove {where} and make them again: experiments/emotional_faces.py.",
        ) from error
    status = [(where / name).stat() for name in (INDEX, SOURCE)]
    text = repr([(s.st_size, s.st_mtime_ns) for s in status])
    return index, source, hashlib.sha256(text.encode()).hexdigest()[:16]


def _pack(scratch, where, count: int, size: int, progress, has_normals: bool) -> None:
    def pictures():
        for number in progress(range(count)):
            yield resizing.square(files.read_picture(where / f"{number}.jpg"), size, exact=False)

    def label_pictures():
        for number in range(count):
            data = np.fromfile(where / f"{number}.png", np.uint8)
            yield resizing.square(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), size, exact=True)

    rows.write(scratch / "images.npy", pictures(), count)
    rows.write(scratch / "labels.npy", label_pictures(), count)
    if has_normals:
        normals = (surfaces.read(where / NORMALS / f"{n}.png", size=size) for n in range(count))
        rows.write(scratch / "normals.npy", normals, count)
