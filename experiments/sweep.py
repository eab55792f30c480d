"""Sweeps a head over the disc of emotions: the same speech at many points, drawn by `jax.vmap`.

    python experiments/sweep.py --run runs/talk --audio speech.wav --out sweep/

Points are the twelve that papers test, rings (--directions 12 --radii 0.4,0.8), or those of a file
(--points FILE, .csv with the columns valence, arousal, or .json). Writes into --out

    sheet.png   the frame in the middle (--frame) of every point, laid out on the disc
    sweep.mp4   all points side by side, with the sound
    cells.csv   a row a point: where it is in the film, its class, how far it is from neutral

--seconds takes the sound's beginning. All points of a frame are drawn in one compiled call, or in
as many as --memory (GiB) asks for; what it took is printed. Nothing is replaced without
--overwrite. Film and sheet say of themselves that they are synthetic (experiments/verify.py);
--mark puts the word, or --mark_text, on every face, too.
"""

import csv
import dataclasses
import io
import pathlib
import resource
import sys
import time

import jax
import numpy as np
import siblings
import tqdm
from absl import app, flags

from emojax import caches
from emojax.data import carriers, files
from emojax.data import clip as clips
from emojax.data.errors import DataError
from emojax.drive import frames, mark, movie, script, sound, sweep
from emojax.emotion import circumplex, sampler
from emojax.opencv import cv2
from emojax.training import checkpoints

SMALLEST_TILE = 24  # pixels: below it a face is none

_RUN = flags.DEFINE_string("run", None, "folder of a trained head", required=True)
_AUDIO = flags.DEFINE_string("audio", None, "sound, or a video with sound", required=True)
_OUT = flags.DEFINE_string("out", None, "folder to write to; made if absent", required=True)
_POINTS = flags.DEFINE_string("points", "test", "test, rings, or a .csv or .json file")
_OUTSIDE = flags.DEFINE_enum(
    "outside", "clip", ["clip", "refuse"], "what is done to a file's points outside the disc"
)
_DIRECTIONS = flags.DEFINE_integer("directions", 12, "of --points rings, evenly apart")
_RADII = flags.DEFINE_list("radii", ["0.4", "0.8"], "of --points rings, 0 to 1")
_SECONDS = flags.DEFINE_float("seconds", 2.0, "of the sound; 0 takes all", lower_bound=0)
_FRAME = flags.DEFINE_integer("frame", None, "of the sheet; the middle by default")
_POSE = flags.DEFINE_string("pose", "clip", "clip, fixed, or a file of head poses")
_EXPRESSION = flags.DEFINE_string("expression", "clip", "clip, fixed, or a file of action units")
_TILE = flags.DEFINE_integer(
    "tile", None, "side of a point's picture in film and sheet", lower_bound=SMALLEST_TILE
)
_MARK = flags.DEFINE_bool("mark", False, f"put the word {mark.TEXT!r} on every face")
_MARK_TEXT = flags.DEFINE_string("mark_text", None, "to put on every face in place of that word")
_MEMORY = flags.DEFINE_float("memory", 1.0, "for drawing, GiB")
_DATA = flags.DEFINE_string("data", None, "folder of the training clip, if it has moved")
_SEED = flags.DEFINE_integer("seed", 0, "seed of the blinks", lower_bound=0)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "replace what is in the way")

SHEET, FILM, CELLS = "sheet.png", "sweep.mp4", "cells.csv"
LARGEST_FILM, LARGEST_SHEET = 3840, 4096  # pixels: what players and viewers still show
GAP = 1.06  # of tiles on the disc
FONT = cv2.FONT_HERSHEY_SIMPLEX


def points() -> np.ndarray:
    """The points that the flags ask for, [P, 2]."""
    if _POINTS.value == "test":
        return np.float32(circumplex.POINTS)
    if _POINTS.value == "rings":
        try:
            radii = tuple(float(radius) for radius in _RADII.value)
        except ValueError as error:
            raise DataError(
                expected="--radii as numbers, 0.4,0.8",
                got=",".join(_RADII.value),
                fix="Correct it.",
            ) from error
        return sweep.disc(_DIRECTIONS.value, radii)
    if not _POINTS.value.lower().endswith((".csv", ".json")):
        raise DataError(
            expected="--points test, rings, or a .csv or .json file",
            got=_POINTS.value,
            fix="Name one of these.",
        )
    return sampler.read(_POINTS.value, outside=_OUTSIDE.value)[0]


def grid(count: int) -> tuple[int, int]:
    """Rows and columns of a film of so many points: rings in rows, or nearly square."""
    if _POINTS.value == "rings":
        return len(_RADII.value), _DIRECTIONS.value
    columns = int(np.ceil(np.sqrt(count)))
    return -(-count // columns), columns


def tile_side(size: int, cells: int, largest: int) -> int:
    """Side of a tile so that `cells` of them fit into `largest` pixels; even."""
    side = min(_TILE.value or size, largest // cells)
    if side < SMALLEST_TILE:
        raise DataError(
            expected=f"at most {largest // SMALLEST_TILE} points in a row",
            got=f"{cells}",
            fix="Ask for fewer points.",
        )
    return side - side % 2


def resized(picture: np.ndarray, side: int) -> np.ndarray:
    """A square picture at another size."""
    if picture.shape[0] == side:
        return picture
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)


def labelled(picture: np.ndarray, point: np.ndarray) -> np.ndarray:
    """A tile with its valence and arousal."""
    picture = np.ascontiguousarray(picture)
    text, scale = f"{point[0]:+.2f} {point[1]:+.2f}", picture.shape[0] / 256
    for color, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        place = (int(8 * scale), int(246 * scale))
        thickness = max(1, round(width * scale))
        cv2.putText(picture, text, place, FONT, 0.8 * scale, color, thickness, cv2.LINE_AA)
    return picture


def side_by_side(pictures: np.ndarray, shape: tuple[int, int], side: int) -> np.ndarray:
    """One picture of the film, [rows side, columns side, 3]."""
    rows, columns = shape
    canvas = np.zeros((rows * side, columns * side, 3), np.uint8)
    for i, picture in enumerate(pictures):
        y, x = (i // columns) * side, (i % columns) * side
        canvas[y : y + side, x : x + side] = resized(picture, side)
    return canvas


def on_the_disc(pictures: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The tiles at their places on the disc, arousal up; a table where they would be too small."""
    count, size = pictures.shape[:2]
    apart = np.abs(where[:, None] - where[None]).max(-1) + 9 * np.eye(count)
    nearest = float(apart.min()) if count > 1 else 1.0
    side = min(_TILE.value or size, size)
    if nearest > 0:
        side = min(side, int(LARGEST_SHEET / (1 + 2 * GAP / nearest)))
    if nearest == 0 or side < SMALLEST_TILE:
        shape = grid(count)
        side = tile_side(size, max(shape), LARGEST_SHEET)
        tiles = [labelled(resized(p, side), w) for p, w in zip(pictures, where, strict=True)]
        return side_by_side(np.stack(tiles), shape, side)
    radius = int(GAP * side / nearest) if count > 1 else side
    canvas = np.full((2 * radius + side, 2 * radius + side, 3), 245, np.uint8)
    middle = radius + side // 2
    cv2.circle(canvas, (middle, middle), radius, (200, 200, 200), 2, cv2.LINE_AA)
    cv2.line(canvas, (middle - radius, middle), (middle + radius, middle), (220, 220, 220), 1)
    cv2.line(canvas, (middle, middle - radius), (middle, middle + radius), (220, 220, 220), 1)
    for picture, (valence, arousal) in zip(pictures, where, strict=True):
        x, y = int(radius + radius * valence), int(radius - radius * arousal)
        tile = labelled(resized(picture, side), np.array([valence, arousal]))
        canvas[y : y + side, x : x + side] = tile
    return canvas


def cells(where: np.ndarray, shape: tuple[int, int], changes: np.ndarray) -> str:
    """The table of the points as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["point", "row", "column", "valence", "arousal", "radius", "degrees", "class", "change"]
    )
    classes = circumplex.classify(where[:, 0], where[:, 1])
    for i, (valence, arousal) in enumerate(where):
        writer.writerow(
            [
                i, i // shape[1], i % shape[1], f"{valence:.4f}", f"{arousal:.4f}",
                f"{np.hypot(valence, arousal):.4f}",
                f"{np.degrees(np.arctan2(arousal, valence)) % 360:.1f}",
                circumplex.CLASSES[int(classes[i])], f"{changes[i]:.3f}",
            ]
        )  # fmt: skip
    return out.getvalue()


def run() -> str:
    """Sweeps, and returns what to say of it."""
    where = points()
    text = mark.chosen(_MARK.value, _MARK_TEXT.value)
    out = pathlib.Path(_OUT.value)
    files.make_folder(out)
    files.check_writable(out)
    there = [name for name in (SHEET, FILM, CELLS) if (out / name).exists()]
    if there and not _OVERWRITE.value:
        raise DataError(
            expected=f"no sweep in {out} yet",
            got=", ".join(there),
            fix="Choose another folder, or add --overwrite.",
        )
    heard = sound.read(_AUDIO.value)
    heard = sound.cut(heard, seconds=_SECONDS.value) if _SECONDS.value else heard
    trained_run = checkpoints.load_run(pathlib.Path(_RUN.value))
    folder = pathlib.Path(_DATA.value) if _DATA.value else trained_run.clip_folder
    clip = clips.load(
        folder, size=trained_run.size, features=trained_run.features, force=trained_run.forced
    )
    if text is not None:
        mark.check_room(text, clip.size)
    about = dataclasses.replace(trained_run.provenance, mark=text)
    trained = frames.ready(trained_run.head)
    planned = script.plan(
        jax.random.key(_SEED.value),
        clip,
        trained.config,
        heard,
        pose=script.source(_POSE.value),
        expression=script.source(_EXPRESSION.value),
    )
    for note in (*trained_run.notes, *planned.notes):
        print(f"note: {note}", file=sys.stderr)
    shape, count = grid(len(where)), len(planned)
    chosen = count // 2 if _FRAME.value is None else _FRAME.value
    if not 0 <= chosen < count:
        raise DataError(
            expected=f"--frame from 0 to {count - 1}", got=str(chosen), fix="Choose another."
        )
    side = tile_side(clip.size, max(shape), LARGEST_FILM)
    # Behind the points, the neutral state: what they are compared with.
    every = np.concatenate([where, np.zeros((1, 2), np.float32)])
    memory = _MEMORY.value * 2**30
    at_once = sweep.points_at_once(trained, clip.size, len(every), memory=memory)
    changes, sheet, spent = np.zeros(len(where)), [], []

    def pictures():
        begin = time.perf_counter()
        drawn = sweep.render(trained, clip, planned, every, memory=memory)
        for t, some in enumerate(drawn):
            spent.append(time.perf_counter() - begin)
            difference = np.abs(some[:-1].astype(np.int16) - some[-1])
            changes[:] += difference.mean(axis=(1, 2, 3)) / count
            shown = some[:-1]
            if text is not None:
                shown = np.stack(list(mark.put_on(shown, text)))
            if t == chosen:
                sheet.append(on_the_disc(shown, where))
            yield side_by_side(shown, shape, side)
            begin = time.perf_counter()

    bar = tqdm.tqdm(pictures(), total=count, unit=" frames", disable=None, leave=False)
    movie.write(out / FILM, bar, heard, about=about, overwrite=_OVERWRITE.value)
    carriers.write_png(out / SHEET, sheet[0], about)
    files.write_text(out / CELLS, cells(where, shape, changes))
    usual = float(np.median(spent[1:])) if count > 1 else spent[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return (
        f"{len(where)} points x {count} frames: {1000 * usual / len(every):.2f} ms a picture, "
        f"{at_once} of {len(every)} at once (the neutral state is one), "
        f"{sweep.draw._cache_size()} compilation, first frame {spent[0]:.1f} s, peak memory "
        f"{peak:.1f} GiB; see {out}"
    )


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    caches.keep_programs()
    try:
        with siblings.warnings_as_notes():
            print(run())
    except DataError as error:
        sys.exit(f"sweep: {error}")
    except KeyboardInterrupt:
        print("sweep: stopped; no film was written", file=sys.stderr)
        sys.exit(siblings.INTERRUPTED)


if __name__ == "__main__":
    app.run(main)
