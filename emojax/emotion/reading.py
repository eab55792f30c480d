"""Valence and arousal read from a face's lengths, by a reader fitted to faces of known emotion.

What is read are the differences d [11] of `measures.measure` from the same face at rest, in the
same pose and saying the same. A point p of the disc shows the action units u(p)
(`circumplex.action_units`), which change the lengths, up to what differs between people and what
landmarks tremble:

    d = u(p) B + noise,  noise normal with covariance C

B and C are fitted. What is read is the mean of p over the disc, each point weighed by how well it
explains d: the estimate of the least squared error for points drawn evenly. On puppets that were
left out it errs by 0.16 in valence and 0.20 in arousal, where ridge regression on lengths and their
products errs by 0.22 and 0.24, and a kernel's by 0.19 and 0.21.

`default` is the reader that `experiments/fit_reader.py` has fitted to dlib's landmarks of puppets.
It reads what faces show; what people feel it does not know.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from emojax.data.errors import DataError
from emojax.emotion import circumplex, measures

FILE = pathlib.Path(__file__).with_name("reader.json")
FORMAT = 1
RIDGE = 1e-3  # of the mean square of a unit: those that none shows have no effect
SHRUNK = 0.1  # share of the covariance that is taken for independent
STEP = 0.05  # between points of the disc that are weighed
_NAMES = ("valence", "arousal")


@dataclasses.dataclass(frozen=True)
class Reader:
    """What was learned of how emotions change a face.

    Attributes:
      effect: [17, 11] change of the lengths by each action unit at its strongest, B.
      covariance: [11, 11] of what else changes them, C.
      error: of people who were left out: RMSE and sign agreement by name.
      about: whose faces they were, plain values.
    """

    effect: np.ndarray
    covariance: np.ndarray
    error: Mapping[str, float]
    about: Mapping[str, Any]


def fit(
    features: np.ndarray,
    emotions: np.ndarray,
    people: np.ndarray,
    *,
    about: Mapping[str, Any] | None = None,
) -> Reader:
    """Returns a reader; its error is of each person read by what was learned of the others.

    Args:
      features: [N, 11] differences from the faces at rest.
      emotions: [N, 2] valence and arousal.
      people: int [N], who each face is.
      about: what else to say of the faces; plain values.

    Raises:
      ValueError: shapes do not fit, a number is not finite, or there is only one person.
    """
    features, emotions = np.asarray(features, np.float64), np.asarray(emotions, np.float64)
    people = np.asarray(people)
    count = len(features)
    shapes = (features.shape, emotions.shape, people.shape)
    if shapes != ((count, len(measures.NAMES)), (count, 2), (count,)):
        raise ValueError(f"expected [N, {len(measures.NAMES)}], [N, 2] and [N], got {shapes}")
    if not (np.isfinite(features).all() and np.isfinite(emotions).all()):
        raise ValueError("expected finite features and emotions, got NaN or infinity")
    if len(set(people.tolist())) < 2:
        raise ValueError("expected faces of two people or more: one is left out to tell the error")
    read_by_others = np.zeros_like(emotions)
    for person in np.unique(people):
        own = people == person
        read_by_others[own] = _read(*_learn(features[~own], emotions[~own]), features[own])
    error = {}
    for i, name in enumerate(_NAMES):
        off = read_by_others[:, i] - emotions[:, i]
        error[f"{name}_rmse"] = round(float(np.sqrt(np.mean(off**2))), 4)
        agreed = np.sign(read_by_others[:, i]) == np.sign(emotions[:, i])
        error[f"{name}_sign"] = round(float(agreed.mean()), 4)
    facts = {"people": len(np.unique(people)), "faces": count, **(about or {})}
    return Reader(*_learn(features, emotions), error=error, about=facts)


def read(reader: Reader, features: np.ndarray) -> np.ndarray:
    """Returns valence and arousal, float64 [..., 2], inside the disc.

    Args:
      reader: of `fit` or `default`.
      features: [..., 11] differences from the face at rest.
    """
    features = np.asarray(features, np.float64)
    flat = features.reshape(-1, features.shape[-1])
    found = _read(reader.effect, reader.covariance, flat)
    return found.reshape(*features.shape[:-1], 2)


@functools.cache
def default() -> Reader:
    """Returns the reader of this package."""
    return load(FILE)


def to_json(reader: Reader) -> str:
    """Returns a reader as text, which `load` reads.

    Args:
      reader: of `fit`.
    """
    content = {
        "format": FORMAT,
        "lengths": measures.NAMES,
        "units": circumplex.ACTION_UNITS,
        "about": dict(reader.about),
        "error": dict(reader.error),
    }
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in content.items()]
    for name in ("effect", "covariance"):
        rows = [json.dumps([float(f"{v:.6g}") for v in row]) for row in getattr(reader, name)]
        lines.append(f"{json.dumps(name)}: [\n  " + ",\n  ".join(rows) + "\n ]")
    return "{\n " + ",\n ".join(lines) + "\n}\n"


def load(path: pathlib.Path) -> Reader:
    """Returns the reader of a file.

    Args:
      path: of what `to_json` gave.

    Raises:
      DataError: there is none, or it is of other lengths or units.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        kind = (content["format"], tuple(content["lengths"]), tuple(content["units"]))
        if kind != (FORMAT, measures.NAMES, circumplex.ACTION_UNITS):
            raise ValueError("made for other lengths or action units")
        effect, covariance = (np.array(content[name]) for name in ("effect", "covariance"))
        lengths, units = len(measures.NAMES), len(circumplex.ACTION_UNITS)
        if effect.shape != (units, lengths) or covariance.shape != (lengths, lengths):
            raise ValueError(f"shapes {effect.shape} and {covariance.shape}")
        return Reader(effect, covariance, content["error"], content["about"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            expected=f"a reader of emotions in {path}",
            got=f"{type(error).__name__}: {error}",
            fix="Fit one again: experiments/fit_reader.py.",
        ) from error


def fingerprint(reader: Reader) -> str:
    """Returns 12 digits that name a reader.

    Args:
      reader: to name.
    """
    content = np.float32(reader.effect).tobytes() + np.float32(reader.covariance).tobytes()
    return hashlib.sha256(content).hexdigest()[:12]


def _units(points: np.ndarray) -> np.ndarray:
    """Action units of points [..., 2], 1 at their strongest, [..., 17]."""
    shown = circumplex.action_units(points[..., 0], points[..., 1])
    return np.asarray(shown, np.float64) / circumplex.STRONGEST


@functools.cache
def _disc() -> tuple[np.ndarray, np.ndarray]:
    """Points evenly over the disc [G, 2], and their units [G, 17]."""
    steps = np.linspace(-1, 1, round(2 / STEP) + 1)
    points = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    points = points[np.hypot(*points.T) <= 1 + 1e-9]
    return points, _units(points)


def _learn(features: np.ndarray, emotions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """B and C."""
    shown = _units(emotions)
    inner = shown.T @ shown + RIDGE * len(shown) * np.eye(shown.shape[1])
    effect = np.linalg.solve(inner, shown.T @ features)
    covariance = np.cov((features - shown @ effect).T)
    independent = np.diag(np.diag(covariance))
    return effect, (1 - SHRUNK) * covariance + SHRUNK * independent


def _read(effect: np.ndarray, covariance: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Means over the disc, [N, 2], of features [N, 11]."""
    points, units = _disc()
    whiten = np.linalg.cholesky(np.linalg.inv(covariance))
    found, expected = features @ whiten, units @ effect @ whiten
    # |x - m|^2 less |x|^2, which is the same for all points.
    apart = np.sum(expected**2, axis=1) - 2 * found @ expected.T
    weights = np.exp(-0.5 * (apart - apart.min(axis=1, keepdims=True)))
    return weights @ points / weights.sum(axis=1, keepdims=True)
