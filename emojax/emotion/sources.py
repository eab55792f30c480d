"""Sources of emotional pictures: functions from frames, landmarks and points to pictures.

  * `warped`: a real video's own frames, moved by their landmarks (`warp`). Needs nothing else.
  * `twins`: the pictures that a world with known truth has for every frame and point, made
    elsewhere and handed in as a function.

Another one, a generator network say, is a function of the same form (`Source`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any, Protocol

import numpy as np

from emojax.data.errors import DataError
from emojax.emotion import anatomy, displacement, warp

WORKERS = 2  # pictures made at a time


@dataclasses.dataclass(frozen=True)
class Made:
    """What a source makes of one frame.

    Attributes:
      picture: uint8 [H, W, 3].
      landmarks: [68, 2] pixels in `picture`.
      labels: uint8 [H, W] regions of `picture`, or None.
    """

    picture: np.ndarray
    landmarks: np.ndarray
    labels: np.ndarray | None = None


class Source(Protocol):
    """Makes emotional pictures.

    Attributes:
      settings: names the source and all that decides its pictures, as part of a cache's keys.
    """

    settings: str

    def __call__(
        self,
        frames: np.ndarray,
        landmarks: np.ndarray,
        points: np.ndarray,
        *,
        rows: np.ndarray,
        labels: np.ndarray | None,
    ) -> Sequence[Made | str]:
        """Returns a picture of each frame, or why there is none.

        Args:
          frames: uint8 [B, H, W, 3].
          landmarks: float64 [B, 68, 2] pixels, NaN where there are none.
          points: float32 [B, 2] valence and arousal.
          rows: int [B] numbers of the frames in their clip.
          labels: uint8 [B, H, W] regions of the frames, or None.
        """


# (frames' numbers [B], points [B, 2]) -> pictures uint8 [B, H, W, 3], landmarks [B, 68, 2] and
# labels uint8 [B, H, W] or None: the true picture of the same instant under another emotion.
Twins = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray | None]]


@dataclasses.dataclass(frozen=True)
class _Warped:
    """The source `warped`."""

    resting_lift: float | None
    gain: float
    with_folds: bool
    workers: int

    @property
    def settings(self) -> str:
        """Everything but the code, whose version is the cache's."""
        return f"warp {self.resting_lift} {self.gain} {self.with_folds}"

    def __call__(self, frames, landmarks, points, *, rows, labels):
        """Warps each frame."""
        del rows
        units = displacement.units_of(points)

        def one(k: int) -> Made | str:
            wrong = anatomy.fault(landmarks[k], frames[k].shape)
            if wrong:
                return wrong
            lift = self.resting_lift
            done = warp.warp(
                frames[k], landmarks[k], points[k], units[k],
                resting_lift=displacement.corner_lift(landmarks[k]) if lift is None else lift,
                gain=self.gain, with_folds=self.with_folds,
                labels=None if labels is None else labels[k],
            )  # fmt: skip
            return Made(done.picture, done.landmarks, done.labels)

        return each(one, len(frames), self.workers)


def warped(
    *,
    resting_lift: float | None = None,
    gain: float = 1.0,
    with_folds: bool = True,
    workers: int = WORKERS,
) -> Source:
    """Returns the source that warps frames by their landmarks.

    Args:
      resting_lift: median `displacement.corner_lift` of the person's clip, IOD; by default each
        frame's own, which is right for single portraits alone.
      gain: times all displacements; 1 is natural.
      with_folds: draw folds of the skin.
      workers: pictures made at a time.
    """
    return _Warped(resting_lift, gain, with_folds, workers)


def resting_lift(landmarks: np.ndarray) -> float:
    """Returns the lift of a person's mouth corners at rest, the median over a clip, IOD.

    Args:
      landmarks: [T, 68, 2] pixels; frames without, NaN, do not count.
    """
    known = [x for x in np.asarray(landmarks) if np.isfinite(x).all()]
    return float(np.median([displacement.corner_lift(x) for x in known])) if known else 0.0


@dataclasses.dataclass(frozen=True)
class _Twins:
    """The source `twins`."""

    twin: Twins
    name: str

    @property
    def settings(self) -> str:
        """Who the twins are of."""
        return f"twins {self.name}"

    def __call__(self, frames, landmarks, points, *, rows, labels):
        """Asks for the twins."""
        del landmarks
        pictures, places, regions = self.twin(rows, points)
        pictures = np.asarray(pictures)
        if pictures.shape != frames.shape or pictures.dtype != np.uint8:
            raise DataError(
                expected=f"twins like the frames, uint8 {list(frames.shape)}",
                got=f"{pictures.dtype} {list(pictures.shape)}",
                fix="Render the twins with the frames' camera and size.",
            )
        use = labels is not None and regions is not None
        return [
            Made(pictures[k], np.float64(places[k]), regions[k] if use else None)
            for k in range(len(frames))
        ]


def twins(twin: Twins, *, name: str) -> Source:
    """Returns the source of true pictures.

    Args:
      twin: draws them.
      name: of the world and the person, in a cache's keys.
    """
    return _Twins(twin, name)


def each(one: Callable[[int], Any], count: int, workers: int) -> list:
    """Returns one(0), one(1), ..., made several at a time.

    Args:
      one: what to do.
      count: how often.
      workers: at a time; NumPy and OpenCV leave the interpreter to others while they work.
    """
    if count < 2 or workers < 2:
        return [one(k) for k in range(count)]
    with futures.ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, range(count)))
