"""All metrics of one film of rendered frames, against the clip's true ones.

`prepare` looks at the truth once; `measure` takes any number of renderings of the same rows, a
picture at a time: three are in memory, whatever the length.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping

import jax
import numpy as np

from emojax.data.clip import Clip
from emojax.data.errors import DataError
from emojax.data.labels import HEAD, isin
from emojax.experts import lpips
from emojax.metrics import (
    expression,
    image,
    lips,
    seam,
    stability,
)
from emojax.metrics import judge as judges
from emojax.metrics.catalogue import JUDGED, METRICS
from emojax.metrics.judge import Judge

_lpips = jax.jit(lpips.distance)
_SILENT = ("silent_motion", "silent_gap")  # metrics of frames without speech


@dataclasses.dataclass(frozen=True)
class Exam:
    """Some rows of a clip, and what is true of them.

    Attributes:
      clip: they are of.
      rows: int [T], ascending.
      cuts: int [C], places in `rows` that do not follow the one before in time.
      boxes: int [T, 4] the mouth's squares.
      judge: None where there is none.
      points: [T, 68, 2] the judge's landmarks in the true pictures, None without a judge.
      silent: bool [T], None where it is not known.
      lpips: weights, or None.
      truth: digest of the true pictures and labels.
      missing: what is not measured, and why, by metric.
    """

    clip: Clip
    rows: np.ndarray
    cuts: np.ndarray
    boxes: np.ndarray
    judge: Judge | None
    points: np.ndarray | None
    silent: np.ndarray | None
    lpips: lpips.Params | None
    truth: str
    missing: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Scores:
    """What was measured of one film.

    Attributes:
      frames: float [T] by metric, NaN where a frame has no value.
      film: one value by metric, NaN where there is none.
    """

    frames: dict[str, np.ndarray]
    film: dict[str, float]


class TrueFrames:
    """The true pictures of some rows, as a sequence.

    Args:
      clip: they are of.
      rows: int [T].
    """

    def __init__(self, clip: Clip, rows: np.ndarray):
        self._clip, self._rows = clip, rows

    def __len__(self) -> int:
        """Number of rows T."""
        return len(self._rows)

    def __getitem__(self, index: int) -> np.ndarray:
        """Returns one picture, uint8 [S, S, 3]."""
        return self._clip.images[int(self._rows[index])]


def prepare(
    clip: Clip,
    rows: np.ndarray,
    *,
    weights: lpips.Params | None = None,
    progress: Callable = iter,
) -> Exam:
    """Looks at the truth of some rows.

    Args:
      clip: to examine on.
      rows: int [T], ascending.
      weights: of LPIPS; without, it is not measured.
      progress: wraps the iterable of frame numbers, for a progress bar.

    Raises:
      DataError: there are no rows.
    """
    rows = np.asarray(rows, np.int64)
    if not len(rows):
        raise DataError(
            expected="frames to examine",
            got=f"none: all {len(clip)} frames of {clip.folder} train",
            fix="Write a transforms_val.json: experiments/preprocess.py holds a part out.",
        )
    frames = TrueFrames(clip, rows)
    missing = {}
    if weights is None:
        missing["lpips"] = "no weights were given"
    elif clip.size < lpips.MIN_SIDE:
        missing["lpips"], weights = f"pictures of {clip.size} pixels are too small", None
    judge = points = None
    try:
        judge = judges.appoint(frames, progress=progress)
        points = np.stack([judge.look(frames[i] / 255, i) for i in range(len(rows))])
    except DataError as error:
        missing |= dict.fromkeys(JUDGED, f"no judge of faces: {error}")
    silent = stability.silent_frames(clip.folder, clip.numbers[rows])
    if silent is None:
        missing |= dict.fromkeys(_SILENT, "the clip has no sound")
    elif not silent.any():
        missing |= dict.fromkeys(_SILENT, "somebody speaks in all of these frames")
    # A row follows the one before where neither rows are left out nor the clip is cut.
    apart = np.isin(rows[1:], clip.cuts) | (np.diff(rows) != 1) | (np.diff(clip.numbers[rows]) != 1)
    return Exam(
        clip=clip,
        rows=rows,
        cuts=np.flatnonzero(apart) + 1,
        boxes=image.mouth_boxes(clip.landmarks[rows], clip.size),
        judge=judge,
        points=points,
        silent=silent,
        lpips=weights,
        truth=digest(clip, rows),
        missing=missing,
    )


def digest(clip: Clip, rows: np.ndarray) -> str:
    """Returns twelve digits that name the true pictures and labels of some rows.

    Args:
      clip: they are of.
      rows: int [T].
    """
    content = hashlib.sha256()
    for row in rows:
        content.update(clip.images[int(row)].tobytes() + clip.labels[int(row)].tobytes())
    return content.hexdigest()[:12]


def measure(exam: Exam, pictures: Iterable[np.ndarray]) -> Scores:
    """Measures a film.

    Args:
      exam: of `prepare`.
      pictures: float [S, S, 3] each, 0 to 1, one for each row.

    Raises:
      ValueError: there are fewer or more pictures than rows, or one has another size.
    """
    clip, count = exam.clip, len(exam.rows)
    frames = {m.name: np.full(count, np.nan) for m in METRICS if m.per_frame}
    seen = np.full((count, 68, 2), np.nan)
    inner = stability.inner(exam.cuts, count)
    errors: collections.deque = collections.deque(maxlen=3)
    labels = None
    index = -1
    for index, picture in enumerate(pictures):
        if index >= count:
            raise ValueError(f"more than {count} pictures for {count} rows")
        picture = np.clip(np.asarray(picture, np.float32), 0, 1)
        row = int(exam.rows[index])
        target = clip.images[row].astype(np.float32) / 255
        if picture.shape != target.shape:
            raise ValueError(f"pictures are {target.shape}, not {picture.shape}")
        before, labels = labels, clip.labels[row]
        for name, value in _likeness(exam, index, picture, target, labels).items():
            frames[name][index] = value
        if exam.judge is not None:
            seen[index] = exam.judge.look(picture, index)
        errors.append(picture - target)
        if index >= 2 and inner[index - 1]:
            frames["flicker"][index - 1] = stability.flicker(np.stack(errors), before)
    if index + 1 != count:
        raise ValueError(f"{index + 1} pictures for {count} rows")
    film = {m.name: float("nan") for m in METRICS if not m.per_frame}
    if exam.judge is not None:
        frames |= _motion(exam, seen)
        film["lip_correlation"] = lips.opening_correlation(seen, exam.points)
    return Scores(frames, film)


def _likeness(exam: Exam, index: int, picture, target, labels) -> dict[str, float]:
    """What one picture says by itself."""
    box = exam.boxes[index]
    values = {
        "psnr": image.psnr(picture, target),
        "psnr_head": image.psnr(picture, target, mask=isin(labels, HEAD)),
        "psnr_mouth": image.psnr(image.crop(picture, box), image.crop(target, box)),
        "ssim": image.ssim(picture, target),
        "seam": seam.seam(picture, target, seam.border(labels)),
        "seam_body": seam.seam(picture, target, seam.border(labels, body=True)),
    }
    if exam.lpips is not None:
        values["lpips"] = float(_lpips(exam.lpips, picture, target))
    return values


def _motion(exam: Exam, seen: np.ndarray) -> dict[str, np.ndarray]:
    """What the landmarks of the whole film say."""
    clip, true = exam.clip, exam.points
    distance = lips.lmd(seen, true)
    upper, lower = expression.au_error(
        seen,
        true,
        world_to_camera=clip.world_to_camera[exam.rows],
        focal=float(clip.focal[0]),
        size=clip.size,
    )
    values = {
        "lmd": distance,
        "lmd_relative": lips.relative(distance, true),
        "aue_upper": upper,
        "aue_lower": lower,
        "jitter": stability.jitter(seen, true, exam.cuts),
    }
    if exam.silent is not None:
        values["silent_motion"] = stability.silent_motion(seen, true, exam.silent, exam.cuts)
        values["silent_gap"] = stability.silent_gap(seen, true, exam.silent)
    return values
