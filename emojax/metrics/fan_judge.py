"""FAN as the judge of landmarks, in place of dlib: what the papers' LMD is measured with.

Points of the two judges differ by more than good heads do: a value of one does not compare with a
value of the other, and reports name the judge (`title`). `own_error` compares a judge's points with
true ones, where a clip has them.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from emojax.data.errors import DataError
from emojax.experts import Expert, fan, heatmaps, layers


def predictor(expert: Expert) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Returns FAN as `metrics.judge.Judge.predict` wants it.

    Args:
      expert: FAN.

    Returns:
      (uint8 RGB [H, W, 3], box [3] centre x, centre y, side; pixels) -> landmarks [68, 2] pixels,
      whole numbers as face-alignment's.

    Raises:
      DataError: another network.
    """
    if expert.spec.name != fan.SPEC.name:
        raise DataError(
            expected="FAN as the judge", got=expert.spec.name, fix='Give experts.load("fan").'
        )

    def predict(image: np.ndarray, box: np.ndarray) -> np.ndarray:
        x, y, side = (float(value) for value in box)
        corners = jnp.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
        center, scale = heatmaps.box_to_crop(corners)
        crop = heatmaps.face_crop(image, center, scale)
        found = expert.apply(
            expert.params, jnp.moveaxis(crop, -1, 0)[None], outputs=["landmarks_hm_units"]
        )
        points = heatmaps.to_image(found["landmarks_hm_units"][0], center, scale)
        return np.asarray(points, float)

    return predict


def title(expert: Expert) -> str:
    """Returns the name of the judge `expert` for reports, with the digits of its weights."""
    return f"FAN 2D-68, weights {layers.fingerprint(expert.params)}"


def own_error(seen: np.ndarray, true: np.ndarray) -> float:
    """Returns the judge's mean distance from true landmarks, pixels; frames without are left out.

    Args:
      seen: [T, 68, 2] by the judge.
      true: [T, 68, 2].
    """
    return float(np.nanmean(np.linalg.norm(np.asarray(seen) - np.asarray(true), axis=-1)))
