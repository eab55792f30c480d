"""Emotional pictures, one interface: frames, landmarks and points -> pictures and what to trust.

    lift = sources.resting_lift(landmarks)
    faces = EmotionalFaces(sources.warped(resting_lift=lift), cache=Cache("faces"))
    made = faces(frames, landmarks, points)
    made.pictures[made.accepted]

A source (`sources`) makes pictures. They go through cut-and-paste (`paste`; pictures that are right
everywhere, as twins are, should not), are judged (`acceptance`) and kept (`cache`). A frame of
which no picture can be made, or whose picture is rejected, comes back unchanged, marked and
counted: nothing stops for it.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable

import numpy as np

from emojax.data.errors import DataError
from emojax.emotion import acceptance, anatomy, paste, sources
from emojax.emotion.cache import Cache, Entry, key_of
from emojax.emotion.sources import Made, Source

# A picture -> its landmarks [68, 2] pixels, or None where there is no face.
Detect = Callable[[np.ndarray], np.ndarray | None]


@dataclasses.dataclass(frozen=True)
class Faces:
    """Emotional pictures of B frames.

    Attributes:
      pictures: uint8 [B, H, W, 3]; the frame itself where `accepted` is False.
      landmarks: float32 [B, 68, 2] pixels in `pictures`.
      labels: uint8 [B, H, W] regions of `pictures`, or None where frames had none.
      accepted: bool [B], pictures that may be trained on.
      reasons: why the others may not, "" where accepted.
    """

    pictures: np.ndarray
    landmarks: np.ndarray
    labels: np.ndarray | None
    accepted: np.ndarray
    reasons: tuple[str, ...]


class EmotionalFaces:
    """Makes, pastes, judges and keeps emotional pictures; counts what became of them.

    Args:
      source: makes the pictures.
      pasting: put only the boxes around eyes and mouth into the frame.
      padding: of these boxes, of the jaw's width.
      limits: of what is accepted.
      detect: finds the landmarks of a finished picture, to judge it by; by default those that the
        source says are believed.
      identity: a network that compares two pictures of a person (`acceptance`).
      cache: where pictures are kept; by default they are not.
      workers: pictures pasted and judged at a time.

    Attributes:
      counts: how often each reason occurred; "" counts the accepted.
    """

    def __init__(
        self,
        source: Source,
        *,
        pasting: bool = True,
        padding: float = paste.PADDING,
        limits: acceptance.Limits = acceptance.USUAL,
        detect: Detect | None = None,
        identity: acceptance.Identity | None = None,
        cache: Cache | None = None,
        workers: int = sources.WORKERS,
    ):
        self._source, self._pasting, self._padding = source, pasting, padding
        self._limits, self._detect, self._identity = limits, detect, identity
        self._cache, self._workers = cache, workers
        self.counts: collections.Counter[str] = collections.Counter()

    def __call__(
        self,
        frames: np.ndarray,
        landmarks: np.ndarray,
        points: np.ndarray,
        *,
        rows: np.ndarray | None = None,
        labels: np.ndarray | None = None,
    ) -> Faces:
        """Returns a picture of each frame at its point.

        Args:
          frames: uint8 [B, H, W, 3].
          landmarks: [B, 68, 2] pixels, NaN where there are none.
          points: [B, 2] valence and arousal, in the disc.
          rows: int [B] numbers of the frames in their clip; 0, 1, ... by default.
          labels: uint8 [B, H, W] regions of the frames.

        Raises:
          DataError: arrays that do not belong together.
        """
        frames, landmarks, points = _checked(frames, landmarks, points)
        rows = np.arange(len(frames)) if rows is None else np.asarray(rows)
        regions = [None] * len(frames) if labels is None else labels
        keys = [self._key(*x) for x in zip(frames, landmarks, points, regions, strict=True)]
        found = [self._cache.get(key) if self._cache else None for key in keys]
        absent = [k for k, entry in enumerate(found) if entry is None]
        if absent:
            some = None if labels is None else labels[absent]
            made = self._source(
                frames[absent], landmarks[absent], points[absent], rows=rows[absent], labels=some
            )

            def finish(place: int) -> Entry:
                k = absent[place]
                return self._finish(frames[k], landmarks[k], regions[k], made[place])

            for k, entry in zip(
                absent, sources.each(finish, len(absent), self._workers), strict=True
            ):
                found[k] = entry
                if self._cache:
                    self._cache.put(keys[k], entry)
        self.counts.update(entry.reason for entry in found)
        return Faces(
            pictures=np.stack([entry.picture for entry in found]),
            landmarks=np.float32([entry.landmarks for entry in found]),
            labels=None if labels is None else np.stack([entry.labels for entry in found]),
            accepted=np.array([not entry.reason for entry in found], bool),
            reasons=tuple(entry.reason for entry in found),
        )

    def summary(self) -> str:
        """Returns the counts in words."""
        total = sum(self.counts.values())
        text = f"{self.counts['']} of {total} pictures accepted"
        others = [f"{n} {reason}" for reason, n in self.counts.most_common() if reason]
        return f"{text}; rejected: {', '.join(others)}" if others else text

    def _key(self, frame, landmarks, point, labels) -> str:
        """What decides a picture, as a name; "" without a cache, when nobody asks."""
        if self._cache is None:
            return ""
        checks = f"{self._limits} {self._detect is not None} {self._identity is not None}"
        settings = f"{self._source.settings}; {self._pasting} {self._padding}; {checks}"
        return key_of(settings, frame, landmarks, point, labels)

    def _finish(self, frame, landmarks, labels, made: Made | str) -> Entry:
        """Pastes and judges one picture."""
        if isinstance(made, str):
            return Entry(frame, landmarks, labels, made.split(":")[0])
        picture, regions = made.picture, made.labels
        if self._pasting:
            places = paste.boxes(made.landmarks, frame.shape, padding=self._padding)
            picture = paste.paste(frame, picture, places)
            if regions is not None:
                regions = np.where(paste.inside(places, frame.shape), regions, labels)
        if np.isfinite(landmarks).all():
            after = made.landmarks if self._detect is None else self._detect(picture)
            verdict = acceptance.judge(
                frame, picture, landmarks, after, limits=self._limits, identity=self._identity
            )
            if not verdict.accepted:
                return Entry(frame, landmarks, labels, verdict.reason)
        return Entry(picture, made.landmarks, labels if regions is None else regions, "")


def _checked(frames, landmarks, points) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames, landmarks and points as arrays that belong together."""
    frames, points = np.asarray(frames), np.asarray(points, np.float32)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
        raise DataError(
            expected="frames, uint8 [B, H, W, 3] RGB",
            got=f"{frames.dtype} {list(frames.shape)}",
            fix="Bring them to 8 bits and three channels.",
        )
    if points.shape != (len(frames), 2) or not np.isfinite(points).all():
        raise DataError(
            expected=f"a finite point for each frame, [{len(frames)}, 2]",
            got=f"{list(points.shape)}{'' if np.isfinite(points).all() else ' with NaN'}",
            fix="Give valence and arousal of each frame.",
        )
    return frames, anatomy.check_landmarks(landmarks, len(frames)), points
