r"""Shows faces with other emotions: portraits or frames of a clip, warped by their landmarks.

    python experiments/emotional_faces.py --image me.png --points circle --out faces

writes faces/me.png, a sheet of the portrait at eight points of the disc, every picture under
faces/me/, and faces/report.json: of each picture its point, and why it was rejected if it was.

    python experiments/emotional_faces.py --data data/talk --points test --out faces

does the same for frames of a clip, evenly spaced. With --store the pictures of a clip go into the
data set, where training finds them (emojax/data/emotional.py), with normals where the data set has
those of its landmarks' shape, and only one sheet is made:

    python experiments/emotional_faces.py --data data/talk --store --points disc --frames 500 \
        --out faces

Points: "circle" (8 at --radius), "test" (the 12 of the paper's tests), "grid" (a lattice over the
disc), "disc" (drawn anew for each frame, --num_points of them), or a .csv or .json file.
Landmarks of --image are dlib's (pip install 'emojax[face]').
"""

import collections
import json
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np
import siblings
from absl import app, flags

from emojax.data import emotional, files, job, landmarks, relief, surfaces
from emojax.data.errors import DataError
from emojax.emotion import anatomy, circumplex, sampler, sources
from emojax.emotion.cache import Cache
from emojax.emotion.generator import EmotionalFaces, Faces
from emojax.opencv import cv2

_IMAGE = flags.DEFINE_multi_string("image", [], "portrait to warp; may be given several times")
_DATA = flags.DEFINE_string("data", None, "folder of a data set whose frames to warp")
_POINTS = flags.DEFINE_string("points", "circle", "circle, test, grid, disc, or a file of points")
_OUT = flags.DEFINE_string("out", None, "folder to write; made if absent", required=True)
_FRAMES = flags.DEFINE_integer("frames", 3, "frames of --data to take", lower_bound=1)
_NUM_POINTS = flags.DEFINE_integer("num_points", 1, "points of each frame, for disc", lower_bound=1)
_RADIUS = flags.DEFINE_float("radius", 0.8, "of the circle", lower_bound=0.0, upper_bound=1.0)
_SIDE = flags.DEFINE_integer("side", 5, "points across the disc, for grid", lower_bound=1)
_GAIN = flags.DEFINE_float("gain", 1.0, "times all displacements", lower_bound=0.0, upper_bound=2.0)
_PASTE = flags.DEFINE_bool("paste", True, "keep only the boxes around eyes and mouth")
_STORE = flags.DEFINE_bool("store", False, "put the accepted pictures into the data set")
_CACHE = flags.DEFINE_string("cache", None, "folder of finished pictures, used again")
_SEED = flags.DEFINE_integer("seed", 0, "of points that are drawn")
_REFUSE = flags.DEFINE_bool("refuse", False, "refuse points outside of the disc, not clip them")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "replace files of an earlier run")

BATCH = 8
TILE = 256  # pixels of a picture in a sheet
BAR = 20  # pixels, of its caption
AROUND = 1.5  # of the landmarks' extent, shown in a sheet
SHEET_ASPECT = 1.6  # columns to rows
GREY = 128  # behind transparent parts
STORED_TILES = 14  # pictures in the sheet of stored ones


class Face(NamedTuple):
    """A picture to change.

    Attributes:
      name: of its files.
      number: of the frame in its clip.
      picture: uint8 [H, W, 3].
      landmarks: [68, 2] pixels, NaN without a face.
      labels: uint8 [H, W], or None.
      notes: what was done to the file's pixels, in words.
    """

    name: str
    number: int
    picture: np.ndarray
    landmarks: np.ndarray
    labels: np.ndarray | None
    notes: str = ""


def read_portrait(path: pathlib.Path) -> tuple[np.ndarray, str]:
    """Returns a picture file as uint8 RGB, and what had to be done to it, in words.

    Args:
      path: 8 or 16 bits, grey, colour, or with alpha, which is laid over grey.

    Raises:
      DataError: the file is no picture.
    """
    try:
        picture = files.read_picture(path)  # 16 bits come back as 8, alpha not at all
    except DataError as error:
        fix = "Check the path, or save the portrait again as PNG or JPEG."
        raise DataError(expected=error.expected, got=error.got, fix=fix) from error
    stored = files.read_picture(path, alpha=True)
    if stored.dtype not in (np.uint8, np.uint16):
        raise DataError(
            expected=f"8 or 16 bits in {path}", got=str(stored.dtype), fix="Save it as PNG or JPEG."
        )
    notes = ["16 bits brought to 8"] if stored.dtype == np.uint16 else []
    cover = np.float32(stored[..., 3:]) / np.iinfo(stored.dtype).max
    if cover.min() < 1:
        picture = np.uint8(cover * picture + (1 - cover) * GREY + 0.5)
        notes.append("transparent parts made grey")
    return picture, ", ".join(notes)


def portraits(paths: list[str]) -> Iterator[Face]:
    """Yields the faces of picture files.

    Args:
      paths: of the files.
    """
    detector, predictor = landmarks.load_models()
    for path in map(pathlib.Path, paths):
        picture, notes = read_portrait(path)
        boxes = landmarks.detect(picture, detector)
        if not len(boxes):
            boxes = landmarks.detect(picture, detector, width=landmarks.SEARCH_WIDTH)
        found = len(boxes) > 0
        points = landmarks.predict(picture, boxes[0], predictor) if found else None
        points = np.full((68, 2), np.nan) if points is None else points
        yield Face(path.stem, 0, picture, points, None, notes)


def frames(folder: pathlib.Path, count: int) -> tuple[Iterator[Face], float]:
    """Returns frames of a data set, evenly spaced, and the person's resting lift.

    Args:
      folder: of the data set.
      count: how many at most.

    Raises:
      DataError: the folder is none of a data set, or no frame shows a face.
    """
    work = job.Job(files.check_folder(folder), job.Settings(), {}, lambda items, name: items)
    pictures, tracked = work.frames(), work.landmarks()
    there = np.flatnonzero(tracked.found)
    if not len(there):
        raise DataError(
            expected=f"a face in some frame of {folder}",
            got=f"none in {len(tracked.found)} frames",
            fix="Use a clip of a person that looks at the camera.",
        )
    places = np.linspace(0, len(there) - 1, min(count, len(there))).round().astype(int)
    chosen = there[places]
    labels = work.labels(chosen.tolist()) if (folder / files.PARSING).is_dir() else None

    def read() -> Iterator[Face]:
        for row, number in enumerate(chosen):
            region = None if labels is None else labels[row]
            points = tracked.points[number]
            yield Face(f"frame_{number}", int(number), pictures[int(number)], points, region)

    return read(), sources.resting_lift(tracked.points[there])


def reliefs(folder: pathlib.Path) -> Callable[[int, np.ndarray], np.ndarray | None]:
    """Returns what gives the normals of a frame's face whose landmarks were moved, or None.

    Args:
      folder: of the data set; only where it has normals of its landmarks' shape there are others.
    """
    work = job.Job(folder, job.Settings(), {}, lambda items, name: items)
    if not work.is_tracked or surfaces.find(folder) != folder / surfaces.FOLDERS[0]:
        return lambda number, change: None
    track, size = work.track(), work.frames()[0].shape[0]
    return lambda number, change: relief.of_frame(track, number, size=size, change=change)


def points_of(key: jax.Array) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns the points of one face, float32 [N, 2], and their labels.

    Args:
      key: consumed, where points are drawn.

    Raises:
      DataError: the file of --points holds none.
    """
    if _POINTS.value == "disc":
        points = np.asarray(sampler.uniform(key, _NUM_POINTS.value))
    elif _POINTS.value == "circle":
        points = sampler.circle(8, radius=_RADIUS.value)
    elif _POINTS.value == "grid":
        points = sampler.grid(_SIDE.value)
    elif _POINTS.value == "test":
        points = np.float32(circumplex.POINTS)
    else:
        return sampler.read(_POINTS.value, outside="refuse" if _REFUSE.value else "clip")
    names = circumplex.classify(*points.T)
    return points, tuple(circumplex.CLASSES[int(k)] for k in names)


def around(face: Face) -> tuple[slice, slice]:
    """Returns the square around a face, or the whole picture where there is none.

    Args:
      face: whose landmarks are looked at.
    """
    height, width = face.picture.shape[:2]
    if not np.isfinite(face.landmarks).all():
        return slice(0, height), slice(0, width)
    low, high = face.landmarks.min(axis=0), face.landmarks.max(axis=0)
    x, y = (low + high) / 2
    half = max(AROUND * float((high - low).max()) / 2, 8.0)
    top, left = (
        int(np.clip(v - half, 0, max(n - 2 * half, 0))) for v, n in ((y, height), (x, width))
    )
    return slice(top, int(top + 2 * half)), slice(left, int(left + 2 * half))


def sheet(tiles: list[tuple[np.ndarray, str]]) -> np.ndarray:
    """Returns a sheet of pictures with captions.

    Args:
      tiles: pictures of any size and their captions, in reading order.
    """
    columns = int(np.ceil(np.sqrt(len(tiles) * SHEET_ASPECT)))
    rows = -(-len(tiles) // columns)
    canvas = np.full((rows * (TILE + BAR), columns * TILE, 3), 32, np.uint8)
    for k, (picture, text) in enumerate(tiles):
        scale = TILE / max(picture.shape[:2])
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=method)[:TILE, :TILE]
        top, left = k // columns * (TILE + BAR), k % columns * TILE
        canvas[top + BAR : top + BAR + small.shape[0], left : left + small.shape[1]] = small
        place = left + 6, top + BAR - 6
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_PLAIN, 0.9, (255,) * 3, 1, cv2.LINE_AA)
    return canvas


def make(face: Face, points: np.ndarray, faces_of: EmotionalFaces) -> Faces:
    """Returns one face at some points.

    Args:
      face: to change.
      points: [N, 2].
      faces_of: makes the pictures.
    """
    count = len(points)
    labels = None if face.labels is None else np.stack([face.labels] * count)
    return faces_of(
        np.stack([face.picture] * count), np.stack([face.landmarks] * count), points,
        rows=np.full(count, face.number), labels=labels,
    )  # fmt: skip


def run() -> str:
    """Makes everything; returns what to print."""
    if bool(_IMAGE.value) == bool(_DATA.value) or (_STORE.value and not _DATA.value):
        raise DataError(
            expected="either --image or --data, and --store with --data alone",
            got="both or none of them",
            fix="Give a portrait, or the folder of a data set.",
        )
    names = [pathlib.Path(path).stem for path in _IMAGE.value]
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(
            expected="portraits of different names",
            got=f"two that are called {twice[0]}",
            fix="Rename one: their pictures would have one folder.",
        )
    out = pathlib.Path(_OUT.value)
    if (out / "report.json").exists() and not _OVERWRITE.value:
        raise DataError(
            expected=f"no report in {out}", got="report.json", fix="Choose another, or --overwrite."
        )
    lift = None
    normals_of = reliefs(pathlib.Path(_DATA.value)) if _STORE.value else None
    if _DATA.value:
        found, lift = frames(pathlib.Path(_DATA.value), _FRAMES.value)
    else:
        found = portraits(_IMAGE.value)
    store = Cache(_CACHE.value) if _CACHE.value else None
    faces_of = EmotionalFaces(
        sources.warped(resting_lift=lift, gain=_GAIN.value), pasting=_PASTE.value, cache=store
    )
    files.make_folder(out)
    report: list[dict] = []
    stored: list[tuple[np.ndarray, str]] = []

    def changed() -> Iterator[emotional.EmotionalPicture]:
        """Makes picture after picture; writes those that are not stored."""
        for number, face in enumerate(found):
            points, labels = points_of(jax.random.fold_in(jax.random.key(_SEED.value), number))
            shown = around(face)
            tiles, pictures = [(face.picture[shown], "source")], []
            for start in range(0, len(points), BATCH):
                part = slice(start, start + BATCH)
                made = make(face, points[part], faces_of)
                for k, reason in enumerate(made.reasons):
                    point, label = points[start + k], labels[start + k]
                    report.append(_row(face, point, label, reason))
                    caption = f"{point[0]:+.2f} {point[1]:+.2f} {reason or label}"
                    tiles.append((made.pictures[k][shown], caption))
                    pictures.append(made.pictures[k])
                    if not reason and _STORE.value:
                        change = made.landmarks[k] - face.landmarks
                        yield emotional.EmotionalPicture(
                            face.number, point, made.pictures[k], made.labels[k],
                            made.landmarks[k], normals_of(face.number, change),
                        )  # fmt: skip
            if _STORE.value:
                stored.extend(tiles[1:][: STORED_TILES - len(stored)])
            else:
                _write(out, face, tiles, pictures)

    if _STORE.value:
        facts = {"gain": _GAIN.value, "points": _POINTS.value, "seed": _SEED.value}
        folder = pathlib.Path(_DATA.value)
        if not (folder / files.PARSING).is_dir():
            raise DataError(
                expected=f"labels in {folder}", got="no folder parsing", fix="Run preprocessing."
            )
        emotional.write(folder, changed(), source="warp", facts=facts, overwrite=_OVERWRITE.value)
        files.write_picture(out / "sheet.png", sheet(stored))
    else:
        collections.deque(changed(), maxlen=0)
    files.write_text(out / "report.json", json.dumps(report, indent=1) + "\n")
    if not any(not row["rejected"] for row in report):
        raise DataError(
            expected="one face at least that can be moved",
            got=faces_of.summary(),
            fix="Use upright pictures of a face towards the camera, 60 pixels wide or more.",
        )
    return f"{faces_of.summary()}{_kept(store)}; see {out}{_stale(store)}"


def _kept(store: Cache | None) -> str:
    """What the cache gave, in words."""
    if store is None:
        return ""
    damaged = f", {store.damaged} damaged there and made again" if store.damaged else ""
    return f"; {store.hits} from the cache{damaged}"


def _stale(store: Cache | None) -> str:
    """That pictures of other versions are not read, where there are some."""
    others = [] if store is None else store.others()
    return "".join(f"\nnot read, of another version: {path}" for path in others)


def _row(face: Face, point: np.ndarray, label: str, reason: str) -> dict:
    """One line of the report."""
    wrong = anatomy.fault(face.landmarks, face.picture.shape) or ""
    return {
        "face": face.name, "valence": round(float(point[0]), 4),
        "arousal": round(float(point[1]), 4), "label": label, "rejected": reason,
        "why": wrong if reason else "", "notes": face.notes,
    }  # fmt: skip


def _write(out: pathlib.Path, face: Face, tiles, pictures: list[np.ndarray]) -> None:
    """One face's sheet and pictures."""
    files.make_folder(out / face.name)
    for k, picture in enumerate(pictures):
        files.write_picture(out / face.name / f"{k:03d}.png", picture)
    files.write_picture(out / f"{face.name}.png", sheet(tiles))


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    try:
        with siblings.warnings_as_notes():
            print(run())
    except DataError as error:
        sys.exit(f"emotional_faces: {error}")


if __name__ == "__main__":
    app.run(main)
