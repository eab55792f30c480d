"""Scenario "emotion": the head speaks as held-out frames do and feels each of twelve points.

Points P are those of `circumplex.POINTS`, and the neutral state last. On a puppet each rendering is
set beside its true twin, the same instant with that emotion: likeness of pictures, dlib's
landmarks, normals. The lips' opening is speech's alone and is compared with the *neutral* face.
Valence and arousal are read (`emotion.reading`) from how landmarks differ from the neutral face of
the same instant: the twin, the true frame of a real clip, or the head's own where the sound is
another one. The twins' own row says what reader and judge make of the truth.

Controls need no skill in emotions: the head without its branch; the head that feels one point held
for all; its pictures of other points. Where truth is unknown, as of real clips, what needs it is
left out.

Values are [P, T] by metric, NaN where there is none; landmarks pixels, lengths percentages of the
distance of the outer eye corners.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from emojax.data import clip as clips
from emojax.data.clip import Clip
from emojax.emotion import circumplex, reading
from emojax.emotion.reading import Reader
from emojax.metrics import felt, judge, measure, scenarios, statistics, surface, true_twins
from emojax.metrics.catalogue import Metric
from emojax.metrics.judge import Judge
from emojax.puppet.twins import Recording

VERSION = 1
POINTS = np.float32((*circumplex.POINTS, (0.0, 0.0)))
FELT = len(POINTS) - 1  # points that are felt; the last one is neutral

TWINS, HEAD = "twins", "head"
BRANCHLESS, CONSTANT, SHUFFLED = "no emotion branch", "constant emotion", "emotion shuffled"
CONTROLS = (BRANCHLESS, CONSTANT, SHUFFLED)
FILMS = (TWINS, HEAD, *CONTROLS)
HELD = 0  # the point that the constant emotion is: happy

METRICS = (
    Metric("psnr", "PSNR, dB", "higher"),
    Metric("psnr_head", "PSNR of the head, dB", "higher"),
    Metric("ssim", "SSIM", "higher"),
    Metric("brows", "brows off, % of eye distance", "lower"),
    Metric("eyes", "eyes off, %", "lower"),
    Metric("corners", "corners of the mouth off, %", "lower"),
    Metric("lmd", "lips off (LMD), %", "lower"),
    Metric("gap", "lips' opening off the neutral face's, %", "lower"),
    Metric("normals", "normals of the face off, degrees", "lower"),
    Metric("valence", "valence off", "lower"),
    Metric("arousal", "arousal off", "lower"),
)
# One value for all frames of a point.
SUMMARIES = (
    Metric("lip_correlation", "lips' opening, correlation", "higher", per_frame=False),
    Metric("valence_rmse", "valence, RMSE", "lower", per_frame=False),
    Metric("arousal_rmse", "arousal, RMSE", "lower", per_frame=False),
    Metric("valence_sign", "valence, sign agreement", "higher", per_frame=False),
    Metric("arousal_sign", "arousal, sign agreement", "higher", per_frame=False),
)


@dataclasses.dataclass(frozen=True)
class Exam:
    """Held-out rows of a clip, and what is known of them.

    Attributes:
      clip: they are of.
      rows: int [T], ascending.
      judge: of the true frames.
      reader: of valence and arousal.
      recording: of a puppet at the clip's size, or None: truth is not known.
      windows: float32 [T, 8, W, D] of another sound, or None for the clip's own.
    """

    clip: Clip
    rows: np.ndarray
    judge: Judge
    reader: Reader
    recording: Recording | None = None
    windows: np.ndarray | None = None

    @property
    def has_truth(self) -> bool:
        """Whether twins are known: of a puppet that says what it said."""
        return self.recording is not None and self.windows is None


class Renders(NamedTuple):
    """How a head is drawn.

    Attributes:
      felt: with the emotion of the batch.
      plain: without the emotion's branch.
      normals: of the face, with the emotion of the batch; or None.
    """

    felt: scenarios.Render
    plain: scenarios.Render
    normals: scenarios.Render | None = None


class Shown(NamedTuple):
    """One instant at all points, for eyes.

    Attributes:
      number: of the frame.
      truth: float [P, S, S, 3] the twins; else [1, S, S, 3] the head's neutral face.
      head: float [P, S, S, 3].
      normals: [P, S, S, 3] of the head, or None.
      true_normals: [P, S, S, 3] of the twins, or None.
    """

    number: int
    truth: np.ndarray
    head: np.ndarray
    normals: np.ndarray | None
    true_normals: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was measured.

    Attributes:
      frames: [P, T] by film and metric of `METRICS`.
      points: [P] by film and metric of `SUMMARIES`.
      seen: [P, T, 2] valence and arousal that were read, by film.
      shown: the instant in the middle.
    """

    frames: Mapping[str, Mapping[str, np.ndarray]]
    points: Mapping[str, Mapping[str, np.ndarray]]
    seen: Mapping[str, np.ndarray]
    shown: Shown


def prepare(
    clip: Clip,
    rows: np.ndarray,
    reader: Reader,
    *,
    recording: Recording | None = None,
    windows: np.ndarray | None = None,
    progress: Callable = iter,
) -> Exam:
    """Looks for faces in the true frames.

    Args:
      clip: to examine on.
      rows: int [T], ascending, held out.
      reader: of valence and arousal.
      recording: of the puppet that the clip shows, if it does.
      windows: float32 [T, 8, W, D] of another sound than the clip's.
      progress: wraps the iterable of frame numbers, for a progress bar.

    Raises:
      DataError: dlib is not installed, or sees no face.
    """
    rows = np.asarray(rows, np.int64)
    appointed = judge.appoint(measure.TrueFrames(clip, rows), progress=progress)
    if recording is not None:
        recording = true_twins.fitted(recording, clip.size)
    return Exam(clip, rows, appointed, reader, recording, windows)


def examine(exam: Exam, renders: Renders, *, progress: Callable = iter) -> Outcome:
    """Draws and measures, an instant at a time: its pictures are in memory, whatever the length.

    Args:
      exam: of `prepare`.
      renders: draws the head.
      progress: wraps the iterable of instants, for a progress bar.
    """
    count = len(exam.rows)
    films = FILMS if exam.has_truth else FILMS[1:]
    frames = {
        film: {m.name: np.full((len(POINTS), count), np.nan) for m in METRICS} for film in films
    }
    looked = {film: np.full((len(POINTS), count, 68, 2), np.nan) for film in films}
    shown = None
    instants = zip(progress(range(count)), drawn(exam, renders), strict=True)
    for t, (pictures, plain, normals) in instants:
        truths = true_faces(exam, t)
        faces = np.stack([exam.judge.look(picture, t) for picture in pictures])
        for film in films:
            if film == TWINS:
                looked[film][:, t] = [exam.judge.look(twin.image, t) for twin in truths]
                continue
            if film == BRANCHLESS:
                looked[film][:, t] = exam.judge.look(plain, t)
            else:
                looked[film][:, t] = faces[_stand_ins(film)]
            for p, twin in enumerate(truths):
                picture = plain if film == BRANCHLESS else pictures[_stand_ins(film)[p]]
                for name, value in true_twins.likeness(picture, twin).items():
                    frames[film][name][p, t] = value
        if normals is not None:
            frames[HEAD]["normals"][: len(truths), t] = [
                surface.mean_angle(seen, twin.normals, twin.face)
                for seen, twin in zip(normals, truths, strict=False)
            ]
        if t == count // 2:
            shown = _shown(int(exam.clip.numbers[exam.rows[t]]), truths, pictures, normals)
    return _told(exam, frames, looked, shown)


def _shown(number: int, truths: list, pictures: np.ndarray, normals: np.ndarray | None) -> Shown:
    """What the sheet shows of an instant."""
    if not truths:
        return Shown(number, pictures[FELT:], pictures, normals)
    images, surfaces = (np.stack([getattr(x, n) for x in truths]) for n in ("image", "normals"))
    return Shown(number, images, pictures, normals, surfaces)


def _told(exam: Exam, frames: dict, looked: Mapping[str, np.ndarray], shown: Shown) -> Outcome:
    """What the landmarks of all films say, beside what their pictures did."""
    rest, points, seen = _at_rest(exam, looked), {}, {}
    for film, faces in looked.items():
        seen[film] = felt.read(exam.reader, faces, rest)
        frames[film]["gap"] = felt.opening(faces, rest)
        if exam.has_truth and film != TWINS:
            frames[film] |= felt.distances(faces, looked[TWINS])
        for i, name in enumerate(("valence", "arousal")):
            frames[film][name] = np.abs(seen[film][..., i] - POINTS[:, None, i])
        points[film] = felt.summary(seen[film], POINTS, faces, rest)
    return Outcome(frames, points, seen, shown)


def protocol(exam: Exam) -> dict:
    """Returns everything on which the numbers depend but the head itself.

    Args:
      exam: of `prepare`.
    """
    numbers = exam.clip.numbers[exam.rows]
    heard = exam.windows
    return {
        "scenario": "emotion",
        "version": VERSION,
        "metrics": {m.name: m.version for m in (*METRICS, *SUMMARIES)},
        "points": POINTS.tolist(),
        "size": exam.clip.size,
        "frames": {
            "count": len(numbers),
            "first": int(numbers[0]),
            "last": int(numbers[-1]),
            "truth": measure.digest(exam.clip, exam.rows),
        },
        "sound": "own" if heard is None else hashlib.sha256(heard.tobytes()).hexdigest()[:12],
        "twins": exam.has_truth,
        "judge": judge.protocol(),
        "reader": reading.fingerprint(exam.reader),
        "held": POINTS[HELD].tolist(),
        "intervals": statistics.protocol(),
    }


def _stand_ins(film: str) -> np.ndarray:
    """Of each wanted point, the one whose pictures a film of the head shows, int [P]."""
    points = np.arange(len(POINTS))
    if film == CONSTANT:
        return np.full_like(points, HELD)
    if film == SHUFFLED:
        points[:FELT] = scenarios.shuffle(FELT)
    return points


def drawn(exam: Exam, renders: Renders) -> Iterator[tuple]:
    """Yields of each instant pictures at all points [P, S, S, 3], without the branch, normals.

    Args:
      exam: of `prepare`.
      renders: draws the head; normals are None where it draws none.
    """
    for first in range(0, len(exam.rows), scenarios.BATCH):
        part = slice(first, first + scenarios.BATCH)
        some = clips.batch(exam.clip, exam.rows[part])
        if exam.windows is not None:
            some = some._replace(audio=exam.windows[part])
        each = [
            some._replace(valence_arousal=np.tile(point, (len(some.rows), 1))) for point in POINTS
        ]
        felt = [[np.clip(x, 0, 1) for x in renders.felt([batch])] for batch in each]
        plain = [np.clip(x, 0, 1) for x in renders.plain([some])]
        normals = None
        if renders.normals is not None:
            normals = [list(renders.normals([batch])) for batch in each]
        for i, without in enumerate(plain):
            surfaces = None if normals is None else np.stack([at[i] for at in normals])
            yield np.stack([at[i] for at in felt]), without, surfaces


def true_faces(exam: Exam, t: int) -> list[true_twins.TrueTwin]:
    """Returns the true twins of an instant at all points; none where they are not known.

    Args:
      exam: of `prepare`.
      t: place in its rows.
    """
    if not exam.has_truth:
        return []
    number = int(exam.clip.numbers[exam.rows[t]])
    return [true_twins.at(exam.recording, number, point) for point in POINTS]


def _at_rest(exam: Exam, looked: Mapping[str, np.ndarray]) -> np.ndarray:
    """Landmarks of the neutral face of each instant, [T, 68, 2]."""
    if exam.has_truth:
        return looked[TWINS][FELT]
    if exam.windows is not None:
        return looked[HEAD][FELT]
    frames = measure.TrueFrames(exam.clip, exam.rows)
    return np.stack([exam.judge.look(frames[t] / 255, t) for t in range(len(frames))])
