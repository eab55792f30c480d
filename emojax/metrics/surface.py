"""How far drawn normals are from the true ones: the angle between them, degrees.

Pictures of normals are [H, W, 3], x right, y up, z to the viewer. Drawn ones come over 0, so that
an opacity below 1 makes them shorter: only their direction counts here. Where nothing is drawn
there is no direction, and the error is a right angle.
"""

from __future__ import annotations

import numpy as np

from emojax.data.labels import Label

FACE = (Label.FACE,)  # where normals are asked for: skin of the head, brows, eyes and lips
_NOTHING = 1e-3  # drawn vectors that are shorter have no direction


def angles(drawn: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Returns the angle at each pixel, degrees, [H, W]; NaN where there is no true normal.

    Args:
      drawn: [H, W, 3].
      true: [H, W, 3] unit vectors, 0 where there is no surface.
    """
    length = np.linalg.norm(drawn, axis=-1)
    along = np.sum(np.asarray(drawn, np.float64) * true, axis=-1)
    cosine = np.where(length > _NOTHING, along / np.maximum(length, _NOTHING), 0)
    degrees = np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))
    return np.where(np.linalg.norm(true, axis=-1) > 0, degrees, np.nan)


def mean_angle(drawn: np.ndarray, true: np.ndarray, mask: np.ndarray) -> float:
    """Returns the mean angle over a region, degrees; NaN where it shows no surface.

    Args:
      drawn: [H, W, 3].
      true: [H, W, 3] unit vectors, 0 where there is no surface.
      mask: [H, W] bool.
    """
    found = angles(drawn, true)[mask]
    found = found[np.isfinite(found)]
    return float(found.mean()) if len(found) else float("nan")
