"""The mouth's part of the field: columns move as a whole, so that the opening stays what it is.

Between the lips the field is not interpolated but a shear (`displacement.Mouth`): one shift along x
and one along y for each column, both lips and everything between. Gap, teeth and tongue keep their
heights and their texture; the mouth only becomes wider or narrower and its corners rise or fall.
The inverse along x is read off the map itself, which is monotone. Outside of the inner lips the
shear gives way to the interpolated field, whose lip points lie on the same shear.
"""

from __future__ import annotations

import numpy as np

from emojax.data import face68
from emojax.emotion.displacement import Motion, Mouth
from emojax.emotion.field import Field
from emojax.opencv import cv2

AROUND = 0.02  # IOD around the inner lips that is sheared too: detectors draw the line inside
FADE = 0.06  # IOD over which the shear gives way
BEYOND = 1.6  # half mouths on either side of its middle to which the map is tabulated
SAMPLES = 256


def source_of(mouth: Mouth, points: np.ndarray) -> np.ndarray:
    """Returns where points of the result come from.

    Args:
      mouth: its shear.
      points: [..., 2] of the result, head frame.

    Returns:
      [..., 2] of the source, head frame.
    """
    x = mouth.centre + mouth.half * np.linspace(-BEYOND, BEYOND, SAMPLES)
    moved = x + mouth.shift(x)[0]
    before = np.interp(points[..., 0], moved, x)
    return np.stack([before, points[..., 1] - mouth.shift(before)[1]], axis=-1)


def put_into(field: Field, motion: Motion) -> None:
    """Puts the shear between the lips into a field.

    Args:
      field: of the face; its `shift` is changed.
      motion: of the face.
    """
    frame = motion.frame
    inner = motion.landmarks()[list(face68.INNER_LIP)] - (field.left, field.top)
    reach = (AROUND + FADE) * frame.unit
    height, width = field.window.shape
    low = np.clip(np.floor(inner.min(axis=0) - reach - 2), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(inner.max(axis=0) + reach + 3), 0, (width, height)).astype(int)
    if (high <= low).any():
        return
    columns, rows = high - low
    outside = np.full((rows, columns), 255, np.uint8)
    corners = np.int32(np.round((inner - low) * 16))
    cv2.fillPoly(outside, [corners], 0, shift=4)
    cv2.polylines(outside, [corners], True, 0, shift=4)  # lips that touch have no inside
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, 5) / frame.unit
    share = np.clip(1 - (distance - AROUND) / FADE, 0, 1)
    share = share * share * (3 - 2 * share)
    box = slice(low[1], high[1]), slice(low[0], high[0])
    x, y = np.arange(low[0], high[0]) + field.left, np.arange(low[1], high[1]) + field.top
    points = frame.to_head(np.stack(np.meshgrid(x, y), axis=-1))
    sheared = frame.vectors(source_of(motion.mouth, points) - points)
    # Not the whole way where the mouth lies at the face's edge: the window is 0 outside.
    share = (share * np.minimum(field.window[box] * 2, 1))[..., None]
    field.shift[box] += np.float32(share * (sheared - field.shift[box]))
