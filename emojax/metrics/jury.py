"""What frozen networks say of films, where their weights are installed: lips, sound, emotions.

SyncNet hears whether lips and sound belong together (Sync-E, Sync-C, offset), FAN finds the lips
(LMD in its landmarks), EmoNet sees the emotion (V/A-RMSE, V/A-SA, top-3 accuracy). Each verdict
names its judge with the digits of its weights, and the judge's own error where truth exists. Faces
are cut by the clip's own landmarks, alike in all films.

A judge takes up to a second a picture on a CPU, so it looks at some frames only: `MAX_WINDOWS`,
`MAX_LOOKS`, `MAX_INSTANTS`. What is not installed is said by name; nothing stands in for it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from emojax import experts
from emojax.data import audio, files
from emojax.data.clip import Clip
from emojax.data.errors import DataError
from emojax.emotion import circumplex
from emojax.experts import Expert, expert
from emojax.experts.checkpoint.refusal import CheckpointError
from emojax.metrics import emotion, emotional, fan_judge, lips, scenarios, sync

SYNCNET, FAN, EMONET = "syncnet", "fan", "emonet_8"
OF_SPEECH, OF_EMOTIONS = (SYNCNET, FAN), (EMONET,)

MAX_WINDOWS = 250  # frames in a row, 10 s
MAX_LOOKS = 50  # frames, evenly spread
MAX_INSTANTS = 8  # evenly spread, of all points each
_FULL_SCALE = 32768  # of int16 over that of a waveform


def called(names: Sequence[str]) -> tuple[dict[str, Expert], dict[str, str]]:
    """Returns the judges whose weights are installed, and why others are not there, by name.

    Args:
      names: of networks.
    """
    there: dict[str, Expert] = {}
    missing: dict[str, str] = {}
    for name in names:
        if not expert.is_installed(name):
            missing[name] = "its weights are not installed"
            continue
        try:
            there[name] = experts.load(name)
        except CheckpointError as error:
            missing[name] = str(error)
    return there, missing


def of_speech(
    judges: Mapping[str, Expert],
    clip: Clip,
    rows: np.ndarray,
    render: scenarios.Render,
    *,
    has_truth: bool = False,
    progress: scenarios.Progress = lambda pictures, name: pictures,
) -> dict:
    """Returns what judges of lips and sound say of a head on rows of a clip, plain values.

    Args:
      judges: of `called`.
      clip: with its own sound.
      rows: int [T], ascending.
      render: draws the head.
      has_truth: whether the clip's landmarks are true, as a puppet's are.
      progress: wraps the iterable of a film's pictures, whose name it is told.

    Returns:
      By judge; "missing" where it cannot judge, with the reason.
    """
    works = {
        SYNCNET: lambda judge: _sync(judge, clip, rows, render, progress),
        FAN: lambda judge: _lips(judge, clip, rows, render, has_truth, progress),
    }
    return {name: _judged(works[name], judges[name]) for name in works if name in judges}


def of_emotions(
    judges: Mapping[str, Expert], exam: emotional.Exam, renders: emotional.Renders
) -> dict:
    """Returns which emotions EmoNet sees where the twelve points were wanted, plain values.

    Args:
      judges: of `called`.
      exam: of `emotional.prepare`.
      renders: draws the head.

    Returns:
      By judge; "missing" where it cannot judge, with the reason.
    """
    if EMONET not in judges:
        return {}
    return {EMONET: _judged(lambda judge: _felt(judge, exam, renders), judges[EMONET])}


def to_text(found: Mapping[str, Mapping], missing: Mapping[str, str]) -> str:
    """Returns verdicts in lines for people.

    Args:
      found: of `of_speech` or `of_emotions`.
      missing: of `called`.
    """
    tell = {SYNCNET: _sync_lines, FAN: _lips_lines, EMONET: _felt_lines}
    lines = []
    for name, verdict in found.items():
        if "missing" in verdict:
            lines.append(f"{name} cannot judge: {verdict['missing']}")
        else:
            lines += [*tell[name](verdict), f"  judge: {verdict['judge']}; {verdict['seen']}"]
    lines += [f"Not judged by {name}: {reason}." for name, reason in missing.items()]
    if missing:
        lines.append("`python -m emojax.experts` lists networks; experiments/convert.py installs.")
    return "\n".join(lines) + "\n"


def _judged(work: Callable[[Expert], dict], judge: Expert) -> dict:
    """A verdict, or why there is none."""
    try:
        return work(judge)
    except (DataError, CheckpointError) as error:
        return {"missing": str(error)}


def _some(rows: np.ndarray, count: int) -> np.ndarray:
    """At most so many places of rows, evenly spread."""
    return np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int))


def _bytes(picture: np.ndarray) -> np.ndarray:
    return np.uint8(np.clip(picture, 0, 1) * 255 + 0.5)


def _sync(judge: Expert, clip: Clip, rows, render, progress) -> dict:
    """Sync-E, Sync-C and offset of the first frames in a row."""
    breaks = np.flatnonzero((np.diff(clip.numbers[rows]) != 1) | np.isin(rows[1:], clip.cuts))
    rows = rows[: min(breaks[0] + 1 if len(breaks) else len(rows), MAX_WINDOWS)]
    path = clip.folder / files.SOUND
    if not path.exists():
        raise DataError(
            expected="a clip with sound", got=f"no {path.name}", fix="Make it again from the video."
        )
    start = int(clip.numbers[rows[0]]) * sync.SAMPLES_PER_FRAME
    heard = audio.read_wav(path).waveform[start : start + len(rows) * sync.SAMPLES_PER_FRAME]
    wave = np.int16(np.clip(np.round(heard * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1))
    points = clip.landmarks[rows]
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    films = scenarios.films(clip, rows, render)

    def faces(name: str) -> list[np.ndarray]:
        return sync.crop_faces(map(_bytes, progress(films[name](), name)), boxes)

    own = sync.own_error(judge, faces(scenarios.TRUTH), wave)
    scores = {
        name: sync.score(judge, faces(name), wave) for name in (scenarios.HEAD, scenarios.LATE)
    }
    some = scores[scenarios.HEAD]
    return {
        "judge": some.judge,
        "seen": f"{some.num_windows} windows, faces cut around landmarks",
        "films": {
            name: {"distance": s.distance, "confidence": s.confidence, "offset": s.offset}
            for name, s in scores.items()
        },
        "own_error": own,
    }


def _sync_lines(verdict: Mapping) -> list[str]:
    """Sync-E, Sync-C and offset as lines."""
    own, head, late = verdict["own_error"], *verdict["films"].values()
    return [
        f"Sync-E {head['distance']:.2f}, Sync-C {head['confidence']:.2f}, offset {head['offset']} "
        f"frames; with late sound {late['distance']:.2f}, {late['confidence']:.2f}, "
        f"{late['offset']}",
        f"  of the truth it says {own['distance']:.2f}, {own['confidence']:.2f}, "
        f"{own['offset']:.0f} (an unfailing judge: 0), of its sound backwards Sync-C "
        f"{own['reversed_confidence']:.2f}",
    ]


def _lips(judge: Expert, clip: Clip, rows, render, has_truth: bool, progress) -> dict:
    """LMD in FAN's landmarks."""
    rows = rows[_some(rows, MAX_LOOKS)]
    predict, points = fan_judge.predictor(judge), clip.landmarks[rows].astype(float)
    low, high = points.min(axis=1), points.max(axis=1)
    boxes = np.concatenate([(low + high) / 2, (high - low).mean(axis=1, keepdims=True)], axis=1)
    films = scenarios.films(clip, rows, render)
    true, head = (
        np.stack(
            [
                predict(_bytes(picture), box)
                for picture, box in zip(progress(films[name](), name), boxes, strict=True)
            ]
        )
        for name in (scenarios.TRUTH, scenarios.HEAD)
    )
    off = lips.lmd(head, true)
    return {
        "judge": fan_judge.title(judge),
        "seen": f"{len(rows)} frames, boxes of landmarks",
        "films": {
            scenarios.HEAD: {"lmd": off.mean(), "lmd_relative": lips.relative(off, true).mean()}
        },
        "own_error": {"pixels": fan_judge.own_error(true, points)} if has_truth else None,
    }


def _lips_lines(verdict: Mapping) -> list[str]:
    """LMD as lines."""
    (head,), own = verdict["films"].values(), verdict["own_error"]
    error = f"{own['pixels']:.2f} px" if own else "not known of this clip"
    return [
        f"LMD {head['lmd']:.2f} px, {head['lmd_relative']:.1f} % of eye distance, by FAN",
        f"  its own error in the true pictures, mean of 68 points: {error}",
    ]


def _felt(judge: Expert, exam: emotional.Exam, renders: emotional.Renders) -> dict:
    """V/A-RMSE, V/A-SA and top-3 accuracy."""
    part = _some(exam.rows, MAX_INSTANTS)
    windows = None if exam.windows is None else exam.windows[part]
    exam = dataclasses.replace(exam, rows=exam.rows[part], windows=windows)
    names = (emotional.HEAD, emotional.TWINS) if exam.has_truth else (emotional.HEAD,)
    faces: dict[str, list[list[np.ndarray]]] = {
        name: [[] for _ in range(emotional.FELT)] for name in names
    }
    only = renders._replace(normals=None)
    for t, (pictures, _, _) in enumerate(emotional.drawn(exam, only)):
        points = exam.clip.landmarks[exam.rows[t]]
        shown = {emotional.HEAD: pictures}
        if exam.has_truth:
            shown[emotional.TWINS] = [twin.image for twin in emotional.true_faces(exam, t)]
        for name, row in shown.items():
            for p, into in enumerate(faces[name]):
                into.append(emotion.crop(_bytes(row[p]), points))
    wanted = emotional.POINTS[: emotional.FELT].astype(float)
    seen = {name: [emotion.look(judge, f) for f in points] for name, points in faces.items()}
    own = None
    if exam.has_truth:
        twins = seen[emotional.TWINS]
        together = dataclasses.replace(
            twins[0],
            valence_arousal=np.concatenate([s.valence_arousal for s in twins]),
            logits=np.concatenate([s.logits for s in twins]),
        )
        own = emotion.own_error(together, np.repeat(wanted, len(exam.rows), axis=0))
    return {
        "judge": seen[emotional.HEAD][0].judge,
        "seen": f"{len(exam.rows)} instants of {emotional.FELT} points, faces cut around landmarks",
        "films": {name: _scored(points) for name, points in seen.items()},
        "own_error": own and {key: _number(value) for key, value in own.items()},
    }


def _scored(seen: Sequence[emotion.Seen]) -> dict:
    """The score of a film of twelve points."""
    found = emotion.score(dict(zip(circumplex.POINTS, seen, strict=True)))
    return {
        "valence_rmse": float(found.rmse[0]),
        "arousal_rmse": float(found.rmse[1]),
        "valence_sign": float(found.sign_agreement[0]),
        "arousal_sign": float(found.sign_agreement[1]),
        "top_accuracy": _number(found.top_accuracy),
    }


def _felt_lines(verdict: Mapping) -> list[str]:
    """What EmoNet sees as lines."""
    lines = []
    for name, score in verdict["films"].items():
        whose = "of the true twins it says" if name == emotional.TWINS else "EmoNet:"
        lines.append(
            f"{'  ' if name == emotional.TWINS else ''}{whose} V-RMSE {score['valence_rmse']:.3f}, "
            f"A-RMSE {score['arousal_rmse']:.3f}, V-SA {score['valence_sign']:.2f}, A-SA "
            f"{score['arousal_sign']:.2f}, top-{emotion.TOP} {_shown(score['top_accuracy'])}"
        )
    own = verdict["own_error"]
    if own is None:
        return [*lines, "  its own error is not known of this clip: the true faces are not"]
    return [
        *lines,
        f"  its own error: valence {own['valence_rmse']:.3f}, arousal {own['arousal_rmse']:.3f} "
        f"(RMSE); correlation {_shown(own['valence_correlation'])}, "
        f"{_shown(own['arousal_correlation'])}",
    ]


def _number(value: float) -> float | None:
    """A number for JSON, which knows no NaN."""
    return float(value) if math.isfinite(value) else None


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
