"""Do the lips move as they should: LMD, and agreement of the mouth's opening over time.

LMD is TalkingGaussian's (metrics.py): points 48 to 67, each set less its own centroid, mean
distance. The original judges with FAN, this project with dlib (`judge`): values do not compare
across judges. Landmarks are [T, 68, 2] pixels.
"""

from __future__ import annotations

import numpy as np

from emojax.data import face68

MIN_FRAMES = 10  # below, a correlation says nothing


def lmd(seen: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Returns the mean distance of the lips' points, their centroids put together, [T] pixels.

    Args:
      seen: [T, 68, 2] in the rendering.
      true: [T, 68, 2] in the true pictures.
    """
    return np.linalg.norm(_centred(seen) - _centred(true), axis=-1).mean(axis=-1)


def _centred(points: np.ndarray) -> np.ndarray:
    """The lips' points less their centroid, [T, 20, 2]."""
    lips = points[:, list(face68.LIPS)]
    return lips - lips.mean(axis=1, keepdims=True)


def relative(lengths: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Returns lengths as percentages of the true distance of the outer eye corners, [T].

    Args:
      lengths: [T] pixels.
      true: [T, 68, 2] in the true pictures.
    """
    return 100 * lengths / face68.eye_distance(true)


def opening_correlation(seen: np.ndarray, true: np.ndarray) -> float:
    """Returns the correlation over time of how far the lips are apart, -1 to 1.

    Args:
      seen: [T, 68, 2] in the rendering.
      true: [T, 68, 2] in the true pictures.

    Returns:
      NaN with fewer than `MIN_FRAMES` frames, or lips that never move.
    """
    gaps = np.stack([face68.lip_gap(seen), face68.lip_gap(true)])
    gaps = gaps[:, np.isfinite(gaps).all(axis=0)]
    if gaps.shape[1] < MIN_FRAMES or (gaps.std(axis=1) < 1e-6).any():
        return float("nan")
    return float(np.corrcoef(gaps)[0, 1])
