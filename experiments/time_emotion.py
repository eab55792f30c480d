"""Times emotional pictures: the warp and the cloning at 512 pixels, and what each part costs.

    python experiments/time_emotion.py --out benchmarks/emotion_cpu

About a minute on two cores. Writes OUT.json (all numbers, machine, this command) and OUT.md. The
face is drawn, with the landmarks of the mean face, as large as a speaker's in a 512 pixel portrait;
points are the 12 of the tests. Medians over rounds in which all contestants take turns. "Limit" is
20 pictures a second, for pictures made several at a time on the machine's cores.
"""

import json
import os
import pathlib
import platform
import time
from collections.abc import Callable

import numpy as np
from absl import app, flags

from emojax.data import face68
from emojax.emotion import (
    acceptance,
    circumplex,
    displacement,
    eyes,
    field,
    folds,
    mouth,
    paste,
    sources,
    warp,
)
from emojax.emotion.generator import EmotionalFaces
from emojax.opencv import cv2

_OUT = flags.DEFINE_string("out", None, "files to write, without suffix", required=True)
_ROUNDS = flags.DEFINE_integer("rounds", 9, "turns of each contestant", lower_bound=1)
_SIZE = flags.DEFINE_integer("size", 512, "side of the pictures, pixels", lower_bound=96)
_WORKERS = flags.DEFINE_integer("workers", 2, "pictures made at a time", lower_bound=1)

LIMIT = 20.0  # pictures a second
EYES_APART = (
    0.2  # of the picture's side, between the eyes' centres: the clips of speakers have 0.19
)


def face(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns a drawn face with texture and its landmarks.

    Args:
      size: side of the picture, pixels.

    Returns:
      uint8 [size, size, 3]; [68, 2] pixels.
    """
    shape = face68.MEAN_SHAPE[:, :2] * (1, -1)
    apart = shape[list(face68.LEFT_EYE), 0].mean() - shape[list(face68.RIGHT_EYE), 0].mean()
    landmarks = shape * (EYES_APART * size / apart) + np.array([0.5, 0.42]) * size
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.normal(size=(size, size, 3)), (0, 0), size / 200) * 40
    picture = np.full((size, size, 3), (60, 90, 120), np.float32)
    for points, color in (
        ([*range(17), 26, 24, 19, 17], (205, 160, 135)),
        (face68.RIGHT_EYE, (235, 235, 235)),
        (face68.LEFT_EYE, (235, 235, 235)),
        (face68.OUTER_LIP, (180, 80, 85)),
        (face68.INNER_LIP, (60, 20, 25)),
    ):
        cv2.fillPoly(picture, [np.int32(landmarks[list(points)])], color)
    return np.uint8(np.clip(picture + noise, 0, 255)), landmarks


def contestants(size: int, workers: int) -> dict[str, tuple[Callable, int]]:
    """Returns what to time, and how many pictures a call makes.

    Args:
      size: side of the pictures, pixels.
      workers: pictures made at a time.
    """
    picture, landmarks = face(size)
    points = np.float32(circumplex.POINTS)
    units = displacement.units_of(points)
    count = len(points)
    many = np.stack([picture] * count), np.stack([landmarks] * count), points
    motions = [displacement.motion(landmarks, p, u) for p, u in zip(points, units, strict=True)]
    fields = [field.build(motion, picture.shape) for motion in motions]
    warped = [warp.warp(picture, landmarks, p, u) for p, u in zip(points, units, strict=True)]
    places = [paste.boxes(done.landmarks, picture.shape) for done in warped]
    source = sources.warped(resting_lift=0.0, workers=workers)
    rows = np.arange(count)

    def over(one: Callable) -> Callable[[], None]:
        def call() -> None:
            for k in range(count):
                one(k)

        return call

    def both(k: int) -> np.ndarray:
        done = warp.warp(picture, landmarks, points[k], units[k])
        return paste.paste(picture, done.picture, paste.boxes(done.landmarks, picture.shape))

    whole = EmotionalFaces(source, workers=workers)
    several = f"{workers} at a time"
    return {
        f"warp and cloning, {several}": (lambda: sources.each(both, count, workers), count),
        f"the generator: and judged, {several}": (lambda: whole(*many), count),
        f"warp alone, {several}": (lambda: source(*many, rows=rows, labels=None), count),
        "warp and cloning, one at a time": (over(both), count),
        "  action units of a point": (lambda: displacement.units_of(points), count),
        "  field": (over(lambda k: field.build(motions[k], picture.shape)), count),
        "  mouth": (over(lambda k: mouth.put_into(fields[k], motions[k])), count),
        "  sampling": (over(lambda k: _sample(picture, fields[k])), count),
        "  eyes": (over(lambda k: eyes.put_into(picture.copy(), picture, motions[k])), count),
        "  folds": (over(lambda k: folds.put_into(picture.copy(), fields[k], motions[k])), count),
        "  cloning": (over(lambda k: paste.paste(picture, warped[k].picture, places[k])), count),
        "  judging": (
            over(lambda k: acceptance.judge(
                picture, warped[k].picture, landmarks, warped[k].landmarks
            )),
            count,
        ),
    }  # fmt: skip


def _sample(picture: np.ndarray, made: field.Field) -> np.ndarray:
    """The picture read through a field."""
    return cv2.remap(picture, warp.sources(made), None, cv2.INTER_CUBIC)


def measure(rounds: int, size: int, workers: int) -> dict:
    """Runs all contestants in turn; returns medians with their quartiles, milliseconds a picture.

    Args:
      rounds: turns.
      size: side of the pictures, pixels.
      workers: pictures made at a time.
    """
    calls = contestants(size, workers)
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, (call, count) in calls.items():
            begin, worked = time.perf_counter(), time.process_time()
            call()
            spent = time.perf_counter() - begin, time.process_time() - worked
            if turn:  # the first warms up
                samples[name].append((spent[0] / count, spent[1] / count))
        print(f"round {turn} of {rounds}", flush=True)
    rows = {}
    for name, pairs in samples.items():
        wall, processor = 1e3 * np.array(pairs).T
        low, middle, high = (float(q) for q in np.percentile(wall, (25, 50, 75)))
        rows[name] = {
            "ms": middle,
            "quartiles_ms": [low, high],
            "processor_ms": float(np.median(processor)),
            "per_second": 1e3 / middle,
        }
    first = next(iter(rows.values()))
    first["times_limit"] = first["per_second"] / LIMIT
    return {"size": size, "workers": workers, "limit": LIMIT, "rows": rows}


def to_text(made: dict) -> str:
    """Returns the table for people.

    Args:
      made: of `measure`.
    """
    lines = [
        f"{made['size']} pixels, the 12 test points, a picture's share. The limit is "
        f"{made['limit']:.0f} a second.",
        "",
        "| | ms | quartiles | processor ms | a second | times the limit |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in made["rows"].items():
        low, high = row["quartiles_ms"]
        limit = f"{row['times_limit']:.2f}" if "times_limit" in row else ""
        lines.append(
            f"| {name.replace('  ', '&nbsp;&nbsp;')} | {row['ms']:.2f} | {low:.2f} to {high:.2f} "
            f"| {row['processor_ms']:.2f} | {row['per_second']:.1f} | {limit} |"
        )
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    out = pathlib.Path(_OUT.value)
    made = {
        "command": f"python experiments/time_emotion.py --out OUT --rounds {_ROUNDS.value}",
        "machine": {
            "processor": platform.machine(), "cores": len(os.sched_getaffinity(0)),
            "opencv": cv2.__version__, "numpy": np.__version__,
            "python": platform.python_version(),
        },
        **measure(_ROUNDS.value, _SIZE.value, _WORKERS.value),
    }  # fmt: skip
    out.with_suffix(".json").write_text(json.dumps(made, indent=1) + "\n")
    out.with_suffix(".md").write_text(to_text(made))
    print(to_text(made), end="")


if __name__ == "__main__":
    app.run(main)
