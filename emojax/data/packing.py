"""A data set folder's pictures as a few arrays on disk, at the size that training wants.

Reading 5,000 frames from JPEG and PNG again and again would cost more than a training step. They
are decoded and scaled once into `.packed/SIZE-KEY/` of the folder: `images.npy` uint8 [T, S, S, 3],
`labels.npy` uint8 [T, S, S], `torso.npy` uint8 [T, S, S, 4], `normals.npy` uint8 [T, S, S, 3] where
there are normals (`surfaces`), with `background.npy`, `landmarks.npy`
and `packed.json`. The key tells from which files; when these change, the arrays are made again.
A folder that is closed to us (a share to read from) has them in the user's cache (`caches`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import pathlib
import shutil
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from emojax import caches
from emojax.data import background as backgrounds
from emojax.data import (
    files,
    landmarks,
    resizing,
    rows,
    surfaces,
)
from emojax.data import torso as torsos
from emojax.data.errors import DataError
from emojax.data.label_files import LabelFiles

FORMAT = 1
_RECORD = "packed.json"
_OWN = ".packed"  # in a data set folder
_SHARED = "packed"  # in the user's cache
_IDLE = 3600.0  # seconds: who packs writes all the time, and has died when nothing came for so long
_SOURCES = (
    files.FRAMES,
    files.GROUND_TRUTH,
    files.PARSING,
    files.TEETH,
    files.TORSO,
    *surfaces.FOLDERS,
)


def _picture_paths(folder: pathlib.Path, numbers: Sequence[int]) -> tuple[list, list[str]]:
    """The frames' files, from ori_imgs or, named as a fallback, gt_imgs."""
    for kind in (files.FRAMES, files.GROUND_TRUTH):
        there = files.numbered(folder / kind, ".jpg") or files.numbered(folder / kind, ".png")
        if not there:
            continue
        missing = [number for number in numbers if number not in there]
        if missing:
            raise DataError(
                expected=f"a picture in {kind} for each of the {len(numbers)} frames of transforms",
                got=f"none for {len(missing)}, the first of them frame {missing[0]}",
                fix="Restore the pictures, or track again so that poses and pictures agree.",
            )
        used = [] if kind == files.FRAMES else ["pictures: gt_imgs, for want of ori_imgs"]
        return [there[number] for number in numbers], used
    raise DataError(
        expected=f"{files.FRAMES}/N.jpg in {folder}",
        got="no picture",
        fix="Name a data set folder, or make one with experiments/preprocess.py.",
    )


def fingerprint(folder: pathlib.Path, numbers: Sequence[int]) -> str:
    """Returns a digest of what would be packed: names, sizes and times of the source files.

    Args:
      folder: of the data set.
      numbers: of the frames, in the order of the rows.
    """
    digest = hashlib.sha256(str(FORMAT).encode() + np.int64(numbers).tobytes())
    singles = [folder / name for name in (files.BACKGROUND, *files.TRANSFORMS)]
    for kind in _SOURCES:
        singles += sorted((folder / kind).glob("[!.]*")) if (folder / kind).is_dir() else []
    for path in singles:
        if path.is_file():
            status = path.stat()
            name = path.relative_to(folder).as_posix()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def pack(
    folder: pathlib.Path,
    numbers: Sequence[int],
    *,
    size: int | None,
    cache: pathlib.Path | None = None,
    progress: Callable = iter,
) -> tuple[pathlib.Path, dict]:
    """Makes the arrays of a data set folder, or finds them made.

    Args:
      folder: of the data set.
      numbers: of the frames, in the order of the rows.
      size: side of the square pictures, pixels; as they are by default.
      cache: where to keep the arrays; by default `.packed` in the folder, or, where that cannot be
        written to, the user's cache.
      progress: wraps the iterable of frames, for a progress bar.

    Returns:
      The folder of the arrays, and the content of `packed.json`: `size`, `source_size`, `cuts`
      (rows), `fallbacks` (what stood in for missing files).

    Raises:
      DataError: a file is missing or damaged, or of another size than the others.
    """
    paths, fallbacks = _picture_paths(folder, numbers)
    source_size = files.read_picture(paths[0]).shape[:2]
    if source_size[0] != source_size[1]:
        raise DataError(
            expected="square pictures",
            got=f"{source_size[1]} x {source_size[0]} in {paths[0]}",
            fix="Crop the video to a square around the head; preprocess.py does it.",
        )
    size = size or source_size[0]
    key = fingerprint(folder, numbers)
    name = f"{size}-{key[:16]}"
    place = (cache or folder / _OWN) / name
    content = _made(place, key)
    if content is not None:
        return place, content
    if cache is None and caches.why_closed(folder / _OWN):
        cache = caches.user_folder() / _SHARED
        place = cache / name
        content = _made(place, key)
        if content is not None:
            return place, content
    files.make_folder(place.parent)
    _clear(place, key, folder, is_own=cache is None)
    try:
        with rows.FolderInMaking(place) as scratch:
            content = _fill(scratch, folder, paths, numbers, source_size, size, fallbacks, progress)
            content |= {"key": key, "folder": str(folder.resolve())}
            files.write_text(scratch / _RECORD, json.dumps(content, indent=1))
    except DataError:
        content = _made(place, key)  # by another process, which was faster
        if content is None:
            raise
    return place, content


def _made(place: pathlib.Path, key: str) -> dict | None:
    """The record of arrays that are made, or None."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        content = json.loads((place / _RECORD).read_text(encoding="utf-8"))
        if content["key"] == key:
            return content
    return None


def _clear(place: pathlib.Path, key: str, folder: pathlib.Path, *, is_own: bool) -> None:
    """Removes what is in the way, arrays of the folder's earlier files and those never finished."""
    files.clear_partial(place.parent, idle=_IDLE)
    for path in place.parent.glob(f"{place.name.partition('-')[0]}-*/{_RECORD}"):
        content = None
        with contextlib.suppress(OSError, ValueError):
            content = json.loads(path.read_text(encoding="utf-8"))
        content = content if isinstance(content, dict) else {}
        if content.get("key") == key:
            continue  # another process has just made them
        # One cache may serve several folders; its arrays say which each belongs to.
        if is_own or path.parent == place or content.get("folder") == str(folder.resolve()):
            shutil.rmtree(path.parent, ignore_errors=True)


def _fill(scratch, folder, paths, numbers, source_size, size, fallbacks, progress) -> dict:
    """Writes all arrays of `pack` into a folder."""
    scale = size / source_size[0]
    side = source_size[0]
    if not files.numbered(folder / files.PARSING, ".png"):
        raise DataError(
            expected=f"{files.PARSING}/N.png in {folder}",
            got="no such files",
            fix=f"Make them: experiments/preprocess.py --out {folder} --stages masks.",
        )
    label_rows = LabelFiles(folder, numbers, source_size)
    if not label_rows.has_teeth:
        fallbacks.append("teeth: none, for want of teeth_mask")
    pictures = files.Pictures(paths)
    if (folder / files.BACKGROUND).exists():
        background = files.read_picture(folder / files.BACKGROUND)
        background = resizing.square(background, side, exact=False)
    else:
        fallbacks.append("background: median of the frames, for want of bc.jpg")
        background, _ = backgrounds.estimate(pictures, label_rows)
    has_torso = bool(files.numbered(folder / files.TORSO, ".png"))
    if not has_torso:
        fallbacks.append("torso: in-painted from frames and parsing, for want of torso_imgs")
    small = np.empty((len(numbers), landmarks.CUT_SIDE, landmarks.CUT_SIDE), np.float32)

    def images() -> Iterator[np.ndarray]:
        for row in progress(range(len(numbers))):
            image = pictures[row]
            if image.shape[:2] != source_size:
                raise DataError(
                    expected=f"all pictures {side} x {side}, as the first is",
                    got=f"{image.shape[1]} x {image.shape[0]} in {paths[row]}",
                    fix="Make the frames again from one video.",
                )
            small[row] = landmarks.reduce_for_cuts(image)
            yield resizing.square(image, size, exact=False)

    def torso_rows() -> Iterator[np.ndarray]:
        for row, picture in enumerate(label_rows):
            if has_torso:
                path = folder / files.TORSO / f"{numbers[row]}.png"
                torso = files.read_picture(path, alpha=True)
                if torso.shape[:2] != source_size:
                    raise DataError(
                        expected=f"{path} as large as the frame, {side} x {side}",
                        got=f"{torso.shape[1]} x {torso.shape[0]}",
                        fix="Make it again from the frame: the stage torso.",
                    )
            else:
                torso = torsos.torso(pictures[row], picture, background)
            yield resizing.rgba(torso, size)

    count = len(numbers)
    rows.write(scratch / "images.npy", images(), count)
    rows.write(
        scratch / "labels.npy", (resizing.square(x, size, exact=True) for x in label_rows), count
    )
    rows.write(scratch / "torso.npy", torso_rows(), count)
    if normals := surfaces.find(folder):
        found = (surfaces.read(normals / f"{number}.png", size=size) for number in numbers)
        rows.write(scratch / "normals.npy", found, count)
    files.write_array(scratch / "background.npy", resizing.square(background, size, exact=False))
    points = np.stack([landmarks.read_lms(folder / files.FRAMES / f"{n}.lms") for n in numbers])
    # Pixel centres are whole numbers: scaling is about the picture's corner, half a pixel away.
    files.write_array(scratch / "landmarks.npy", np.float32((points + 0.5) * scale - 0.5))
    return {
        "size": size,
        "source_size": side,
        "cuts": [int(cut) for cut in landmarks.find_cuts(small)],
        "fallbacks": fallbacks,
    }
