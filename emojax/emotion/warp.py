"""A face moved to show an emotion: the dense warp of one picture, lips' opening and eyeballs kept.

    skin: smooth field through the control points  (field)
    mouth: columns sheared as a whole              (mouth)
    eyes: unmoved eyeballs between moved lids      (eyes)
    folds: drawn where the expression has them     (folds)

Outside of the face nothing changes, not by one grey level. A field that would come near folding
(`LEAST_STRETCH`) is made again with a smaller gain, so that none folds.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from emojax.data.errors import DataError
from emojax.emotion import anatomy, displacement, eyes, field, folds, mouth
from emojax.opencv import cv2

LEAST_STRETCH, LESS, ATTEMPTS = 0.25, 0.85, 12  # of the Jacobian; factor on the gain


@dataclasses.dataclass(frozen=True)
class Warped:
    """A moved face.

    Attributes:
      picture: uint8 [H, W, 3].
      landmarks: float64 [68, 2] pixels, where the landmarks went.
      field: where its pixels come from; None where no part of the face is in the picture.
      gain: that was used.
      labels: uint8 [H, W] label picture moved along, or None where none was given.
    """

    picture: np.ndarray
    landmarks: np.ndarray
    field: field.Field | None
    gain: float
    labels: np.ndarray | None = None


def warp(
    picture: np.ndarray,
    landmarks: np.ndarray,
    point: np.ndarray,
    units: np.ndarray,
    *,
    resting_lift: float = 0.0,
    gain: float = 1.0,
    with_folds: bool = True,
    labels: np.ndarray | None = None,
) -> Warped:
    """Returns a picture in which the face shows a point of the disc.

    Args:
      picture: uint8 [H, W, 3].
      landmarks: [68, 2] pixels.
      point: [2] valence and arousal.
      units: [17] of `displacement.units_of(point)`.
      resting_lift: `displacement.corner_lift` of the person at rest, IOD.
      gain: times all displacements; 1 is natural, above 1.25 is caricature.
      with_folds: draw folds of the skin.
      labels: uint8 [H, W] regions to move along.

    Raises:
      DataError: there is no face to move (`anatomy.fault`), or the picture is no uint8 RGB.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[-1] != 3:
        raise DataError(
            expected="a picture, uint8 [H, W, 3] RGB",
            got=f"{picture.dtype} {list(picture.shape)}",
            fix="Bring it to 8 bits and three channels.",
        )
    wrong = anatomy.fault(landmarks, picture.shape)
    if wrong:
        raise DataError(
            expected="one upright face towards the camera, eyes, brows and mouth in the picture",
            got=f"a face {wrong}",
            fix="Choose another picture, or leave this one out.",
        )
    for _ in range(ATTEMPTS):
        motion = displacement.motion(landmarks, point, units, resting_lift=resting_lift, gain=gain)
        moved = field.build(motion, picture.shape)
        if moved is None or moved.least_stretch >= LEAST_STRETCH:
            break
        gain *= LESS
    if moved is None:
        return Warped(picture.copy(), np.float64(landmarks), None, gain, labels)
    mouth.put_into(moved, motion)
    result = picture.copy()
    places = sources(moved)
    part = cv2.remap(picture, places, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    inside = moved.window > 0
    result[moved.part][inside] = part[inside]
    eyes.put_into(result, picture, motion)
    if with_folds:
        folds.put_into(result, moved, motion)
    return Warped(result, motion.landmarks(), moved, gain, _moved_labels(labels, moved, places))


def sources(moved: field.Field) -> np.ndarray:
    """Returns where each pixel of a field's part comes from, float32 [h, w, 2], pixels.

    Args:
      moved: the field.
    """
    height, width = moved.window.shape
    places = moved.shift.copy()
    places[..., 0] += np.arange(moved.left, moved.left + width, dtype=np.float32)
    places[..., 1] += np.arange(moved.top, moved.top + height, dtype=np.float32)[:, None]
    return places


def _moved_labels(labels: np.ndarray | None, moved: field.Field, places: np.ndarray):
    """A label picture after the same field: each pixel takes the nearest one's label."""
    if labels is None:
        return None
    result = labels.copy()
    result[moved.part] = cv2.remap(
        labels, places, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )
    return result
