"""How far normals of the landmarks' shape are from the truth, on puppets' films.

    python experiments/film.py --out data/p11 --seed 11 --size 128 --length 2
    python experiments/relief_quality.py --data data/p11 --frames 50 --out benchmarks/relief.json

Landmarks are tracked as a video's are (`emojax.data.tracking`), the face is laid through them
(`emojax.data.relief`), and its normals are compared with the film's where both show skin. Printed
for each film, degrees: mean, median and 90th percentile of the angle, the mean with the landmarks'
true places in space, and if all skin faced the camera; and the share of the face that is covered.
--sheet shows four frames: picture, truth, landmark shape, angle (black 0, yellow 45 degrees).
"""

import json
import pathlib
import sys

import jax
import numpy as np
from absl import app, flags

from emojax.data import arrays, files, job, relief, surfaces, tracking
from emojax.data.errors import DataError
from emojax.data.labels import Label
from emojax.metrics import surface
from emojax.opencv import cv2

_DATA = flags.DEFINE_multi_string("data", [], "folder of a puppet's film; may be repeated")
_OUT = flags.DEFINE_string("out", None, ".json to write")
_SHEET = flags.DEFINE_string("sheet", None, ".png to write, of the last film")
_FRAMES = flags.DEFINE_integer("frames", 200, "frames to track, the first ones", lower_bound=3)
_LOOKED_AT = flags.DEFINE_integer("looked_at", 10, "of these, evenly apart", lower_bound=1)

TRUTH = "truth"  # folder of a film
TILES, WORST = 4, 45.0  # frames of a sheet; degrees that are yellow in it


def aligned(points: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Returns points turned, moved and scaled to lie near others (Umeyama 1991), [N, 3].

    Args:
      points: [N, 3].
      to: [N, 3].
    """
    center, target = points.mean(axis=0), to.mean(axis=0)
    u, sizes, v = np.linalg.svd((to - target).T @ (points - center))
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ v))])
    scale = (sizes * sign).sum() / np.square(points - center).sum()
    return scale * (points - center) @ (u * sign @ v).T + target


def measure(folder: pathlib.Path) -> tuple[dict, np.ndarray]:
    """Returns the figures of a film, and its sheet.

    Args:
      folder: of the film.

    Raises:
      DataError: it has no truth.
    """
    work = job.Job(files.check_folder(folder), job.Settings(), {}, lambda items, name: items)
    if not (folder / TRUTH / "normals").is_dir():
        raise DataError(
            expected=f"a puppet's film with {TRUTH}/normals in {folder}", got="none",
            fix="Film one: experiments/film.py.",
        )  # fmt: skip
    pictures, landmarks = work.frames(), work.landmarks()
    count, size = min(_FRAMES.value, len(pictures)), pictures[0].shape[0]
    track = tracking.track(
        jax.random.key(0), landmarks.points[:count], landmarks.found[:count],
        width=size, height=size, cuts=landmarks.cuts[landmarks.cuts < count],
    )  # fmt: skip
    true_points = arrays.read_named(folder / TRUTH / files.LANDMARKS, ("positions",))["positions"]
    numbers = np.linspace(0, count - 1, min(_LOOKED_AT.value, count)).round().astype(int)
    label_pictures = work.labels(numbers.tolist())
    angles, rows, share = {"landmarks": [], "true landmarks": [], "flat": []}, [], []
    for row, number in enumerate(numbers):
        true = surfaces.from_bytes(
            surfaces.read(folder / TRUTH / "normals" / f"{number}.png", size=size)
        )
        face = label_pictures[row] == Label.FACE
        points = track.points()[number]
        told = [
            _told(track, number, p, size) for p in (points, aligned(true_points[number], points))
        ]
        known = face & (np.linalg.norm(told[0], axis=-1) > 0)
        share.append(known.sum() / max(face.sum(), 1))
        flat = np.tile(np.float32([0, 0, 1]), (size, size, 1))
        found = [surface.angles(normals, true) for normals in (*told, flat)]
        for name, angle in zip(angles, found, strict=True):
            angles[name].append(angle[known & np.isfinite(angle)])
        heat = np.uint8(np.clip(np.where(known, found[0], 0) / WORST, 0, 1) * 255)
        heat = cv2.applyColorMap(heat, cv2.COLORMAP_INFERNO)[..., ::-1]
        shown = [surfaces.to_bytes(v * face[..., None]) for v in (true, told[0])]
        rows.append(np.concatenate([pictures[int(number)], *shown, heat], axis=1))
    joined = {name: np.concatenate(parts) for name, parts in angles.items()}
    return {
        "mean": _round(joined["landmarks"].mean()),
        "median": _round(np.median(joined["landmarks"])),
        "90th percentile": _round(np.percentile(joined["landmarks"], 90)),
        "mean, true landmarks": _round(joined["true landmarks"].mean()),
        "mean, flat": _round(joined["flat"].mean()),
        "share of the face": round(float(np.mean(share)), 2),
    }, np.concatenate(rows[:TILES])


def _told(track: tracking.Track, number: int, points: np.ndarray, size: int) -> np.ndarray:
    return relief.picture(
        points, track.world_to_camera[number], focal=track.focal,
        principal=(size / 2, size / 2), size=size,
    )  # fmt: skip


def _round(value: float) -> float:
    return round(float(value), 1)


def run() -> str:
    """Measures every film; returns what to print."""
    if not _DATA.value:
        raise DataError(expected="--data", got="none", fix="Name the folder of a film.")
    table = {}
    for folder in map(pathlib.Path, _DATA.value):
        table[folder.name], sheet = measure(folder)
    if _OUT.value:
        files.write_text(pathlib.Path(_OUT.value), json.dumps(table, indent=1) + "\n")
    if _SHEET.value:
        files.write_picture(pathlib.Path(_SHEET.value), sheet)
    lines = [f"{'degrees':24}" + "".join(f"{name:>12}" for name in table)]
    for name in next(iter(table.values())):
        lines.append(f"{name:24}" + "".join(f"{row[name]:12}" for row in table.values()))
    return "\n".join(lines)


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    try:
        print(run())
    except DataError as error:
        sys.exit(f"relief_quality: {error}")


if __name__ == "__main__":
    app.run(main)
