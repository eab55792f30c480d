"""What landmarks tell of films that feel: distances from true ones, lips, valence and arousal.

Landmarks are [P, T, 68, 2] pixels of P wanted emotions and T frames; those at rest, of the neutral
face of the same instants, [T, 68, 2]. NaN where no face was found. Lengths are percentages of the
distance of the outer eye corners.
"""

from __future__ import annotations

import numpy as np

from emojax.data import face68
from emojax.emotion import measures, reading
from emojax.emotion.reading import Reader
from emojax.metrics import emotion, lips

GROUPS = {
    "brows": face68.BROWS,
    "eyes": face68.EYES,
    "corners": (48, 54, 60, 64),  # of the outer and of the inner lips
}


def read(reader: Reader, looked: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Returns the valence and arousal that are seen, [P, T, 2]; NaN where no face was found.

    Args:
      reader: of both.
      looked: [P, T, 68, 2] landmarks.
      rest: [T, 68, 2] of the neutral faces.
    """
    known = np.isfinite(looked).all(axis=(0, 2, 3)) & np.isfinite(rest).all(axis=(1, 2))
    values = np.full((*looked.shape[:2], 2), np.nan)
    if known.any():
        changed = measures.measure(looked[:, known]) - measures.measure(rest[known])
        values[:, known] = reading.read(reader, changed)
    return values


def opening(looked: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Returns how far the lips' opening is from that of the neutral face, [P, T].

    Args:
      looked: [P, T, 68, 2] landmarks.
      rest: [T, 68, 2] of the neutral faces.
    """
    apart = np.abs(face68.lip_gap(looked) - face68.lip_gap(rest))
    return 100 * apart / face68.eye_distance(rest)


def distances(looked: np.ndarray, true: np.ndarray) -> dict[str, np.ndarray]:
    """Returns how far groups of landmarks are from the true ones, [P, T] by metric.

    `brows`, `eyes` and `corners` (of the mouth) count where they are in the picture; `lmd`, the
    lips, with their centroids put together (`lips.lmd`).

    Args:
      looked: [P, T, 68, 2] landmarks.
      true: [P, T, 68, 2] in the true pictures.
    """
    values = {}
    for name, which in GROUPS.items():
        apart = np.linalg.norm((looked - true)[..., list(which), :], axis=-1)
        values[name] = 100 * apart.mean(axis=-1) / face68.eye_distance(true)
    pairs = zip(looked, true, strict=True)
    values["lmd"] = np.stack([lips.relative(lips.lmd(*pair), pair[1]) for pair in pairs])
    return values


def summary(
    seen: np.ndarray, wanted: np.ndarray, looked: np.ndarray, rest: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns what needs all frames of an emotion, [P] by metric; NaN where there is none.

    RMSE and sign agreement of valence and arousal (`emotion`), and the correlation over time of the
    lips' opening with that of the neutral face.

    Args:
      seen: [P, T, 2] valence and arousal.
      wanted: [P, 2].
      looked: [P, T, 68, 2] landmarks.
      rest: [T, 68, 2] of the neutral faces.
    """
    names = ("valence_rmse", "arousal_rmse", "valence_sign", "arousal_sign")
    values = {name: np.full(len(wanted), np.nan) for name in names}
    known = np.isfinite(seen).all(axis=(0, 2))
    for p, point in enumerate(wanted):
        if known.any():
            found = (
                *emotion.rmse(point, seen[p, known]),
                *emotion.sign_agreement(point, seen[p, known]),
            )
            for name, value in zip(names, found, strict=True):
                values[name][p] = value
    moves = [lips.opening_correlation(points, rest) for points in looked]
    return {"lip_correlation": np.array(moves)} | values
