"""What a head is asked to do, and the controls that it must beat.

Scenario "self": the clip's held-out rows, with their own sound, expression, pose and backdrop.
Controls need no skill: a mean picture, the training picture of the nearest pose. Others are the
head itself with something wrong: another moment's sound, sound too early or too late, no
expression. A head that is not worse with wrong sound does not listen.

How a head is drawn is a function of batches, so that nothing here knows heads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from emojax.data import clip as clips
from emojax.data import face68, tracking
from emojax.data.clip import Batch, Clip
from emojax.metrics import (
    catalogue,
    judge,
    measure,
    stability,
    statistics,
)
from emojax.metrics.measure import Exam, Scores

VERSION = 1
# (batches of rows) -> float pictures [S, S, 3], one after the other.
Render = Callable[[Iterable[Batch]], Iterable[np.ndarray]]
Progress = Callable[[Iterable, str], Iterable]

BATCH = 8  # rows
SHIFT = 5  # frames, 0.2 s: people notice 0.1
NOISE = 2.0  # grey levels of 255, about a camera's: what the judge must not mind
MEAN_OF = 200  # training pictures, evenly spread
SEED = 0  # of the shuffle and the noise

TRUTH, JUDGE_NOISE, HEAD = "truth", "truth with noise", "head"
STATIC, NEAREST = "mean picture", "nearest pose"
SHUFFLED, LATE, EARLY, EXPRESSIONLESS = (
    "sound shuffled",
    "sound late",
    "sound early",
    "no expression",
)
CONTROLS = (STATIC, NEAREST, SHUFFLED, LATE, EARLY, EXPRESSIONLESS)


def held_out(clip: Clip, *, limit: int | None = None) -> np.ndarray:
    """Returns the rows that no head has trained on, int [T].

    Args:
      clip: to examine on.
      limit: at most so many, the first ones.
    """
    return np.arange(clip.num_train, len(clip))[:limit]


def self_reconstruction(
    exam: Exam, render: Render, *, progress: Progress = lambda pictures, name: pictures
) -> dict[str, Scores]:
    """Measures truth, head and controls on the rows of an exam.

    Args:
      exam: of `measure.prepare`, on held-out rows.
      render: draws the head.
      progress: wraps the iterable of a film's pictures, whose name it is told.

    Returns:
      Scores by name of the film: `TRUTH`, `JUDGE_NOISE`, `HEAD` and `CONTROLS`.
    """
    return {
        name: measure.measure(exam, progress(film(), name))
        for name, film in films(exam.clip, exam.rows, render).items()
    }


def films(
    clip: Clip, rows: np.ndarray, render: Render
) -> dict[str, Callable[[], Iterable[np.ndarray]]]:
    """Returns the films of the scenario by name; each begins when called.

    Args:
      clip: to examine on.
      rows: int [T].
      render: draws the head.
    """
    windows = clip.audio_rows[rows]

    def drawn(**wrong) -> Callable[[], Iterable[np.ndarray]]:
        return lambda: render(batches(clip, rows, **wrong))

    return {
        TRUTH: lambda: _truth(clip, rows, noise=0.0),
        JUDGE_NOISE: lambda: _truth(clip, rows, noise=NOISE),
        HEAD: drawn(),
        STATIC: lambda: _repeat(mean_picture(clip), len(rows)),
        NEAREST: lambda: (clip.images[int(row)] / 255 for row in nearest_poses(clip, rows)),
        SHUFFLED: drawn(windows=windows[shuffle(len(rows))]),
        LATE: drawn(windows=windows - SHIFT),
        EARLY: drawn(windows=windows + SHIFT),
        EXPRESSIONLESS: drawn(expressionless=True),
    }


def batches(
    clip: Clip,
    rows: np.ndarray,
    *,
    windows: np.ndarray | None = None,
    expressionless: bool = False,
) -> Iterator[Batch]:
    """Yields rows of a clip in batches of at most `BATCH`.

    Args:
      clip: to read from.
      rows: int [T].
      windows: int [T] windows of sound to use instead of the rows' own.
      expressionless: set all action units to 0.
    """
    for first in range(0, len(rows), BATCH):
        part = slice(first, first + BATCH)
        some = clips.batch(clip, rows[part])
        if windows is not None:
            some = some._replace(audio=clips.audio_windows(clip.audio, windows[part]))
        if expressionless:
            some = some._replace(action_units=np.zeros_like(some.action_units))
        yield some


def shuffle(count: int) -> np.ndarray:
    """Returns another place for each of `count` places, a permutation without fixed points."""
    order = np.random.default_rng(SEED).permutation(count)
    result = np.empty(count, np.int64)
    result[order] = np.roll(order, 1)
    return result


def mean_picture(clip: Clip) -> np.ndarray:
    """Returns the mean of training pictures of a clip, float [S, S, 3]."""
    chosen = np.linspace(0, clip.num_train - 1, min(MEAN_OF, clip.num_train)).round().astype(int)
    total = np.zeros((clip.size, clip.size, 3))
    for row in chosen:
        total += clip.images[int(row)]
    return total / (255 * len(chosen))


def nearest_poses(clip: Clip, rows: np.ndarray) -> np.ndarray:
    """Returns for each row the training row in which the head stands most alike, int [T].

    Poses are as far apart as the mean distance of a mean face's rigid landmarks in camera space.

    Args:
      clip: to read from.
      rows: int [T].
    """
    shape = face68.MEAN_SHAPE[list(face68.RIGID)] + np.array([0, 0, tracking.ORIGIN_DEPTH])
    pose = clip.world_to_camera.astype(np.float64)
    points = np.einsum("tij,nj->tni", pose[:, :3, :3], shape / 1000) + pose[:, None, :3, 3]
    train = points[: clip.num_train]
    distance = [np.linalg.norm(train - points[row], axis=-1).mean(axis=-1) for row in rows]
    return np.array([np.argmin(d) for d in distance], np.int64)


def protocol(exam: Exam) -> dict:
    """Returns everything on which the numbers depend but the head itself.

    Args:
      exam: of `measure.prepare`.
    """
    numbers = exam.clip.numbers[exam.rows]
    return {
        "scenario": "self",
        "version": VERSION,
        "metrics": {m.name: m.version for m in catalogue.METRICS if m.name not in exam.missing},
        "size": exam.clip.size,
        "frames": {
            "count": len(numbers),
            "first": int(numbers[0]),
            "last": int(numbers[-1]),
            "numbers": hashlib.sha256(np.int64(numbers).tobytes()).hexdigest()[:12],
            "truth": exam.truth,
        },
        "masks": "head: face, hair, mouth and teeth of the clip's labels",
        "judge": None if exam.judge is None else judge.protocol(),
        "lpips": None if exam.lpips is None else measure.lpips.fingerprint(exam.lpips),
        "silence": {"below_loud_db": stability.sound.SILENT_DB, "margin": stability.MARGIN},
        "controls": {"shift": SHIFT, "noise": NOISE, "mean_of": MEAN_OF, "seed": SEED},
        "intervals": statistics.protocol(),
    }


def _truth(clip: Clip, rows: np.ndarray, noise: float) -> Iterator[np.ndarray]:
    """The true pictures, with noise in grey levels."""
    rng = np.random.default_rng(SEED)
    for row in rows:
        picture = clip.images[int(row)] / 255
        if noise:
            picture = picture + rng.normal(0, noise / 255, picture.shape)
        yield picture


def _repeat(picture: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """One picture again and again."""
    return (picture for _ in range(count))
