"""The inside of the mouth, and the teeth in it, from landmarks and the colours of a person's lips.

The inner-lip landmarks are biased (nearly closed lips: 2 to 4 pixels of 512 too low), so they only
say where to look: in a band around their polygon, what is darker than the lips or coloured like
teeth is inside, and so is all of a row of teeth that begins there. Work happens on an enlarged
cut-out in which the outer eye corners are 500 pixels apart. Lengths below are in units of 1/125 of
that distance, about a pixel of a 512-pixel portrait.

A tooth mask is a hint of colour, not a truth to train on: blurred or shaded teeth are missed.

Images are RGB uint8 [H, W, 3]; landmarks [68, 2] (x, y) pixels, iBUG order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from emojax.data import face68
from emojax.data.labels import HEAD, Label, isin
from emojax.opencv import cv2

_UNITS = 125.0  # per outer eye distance
_ZOOM = 4  # pixels of the cut-out per unit
_MARGIN = 6.0  # of the cut-out around the outer lips

_NUM_FRAMES = 100  # that show a clip's lip colours

# Nearly closed lips still read a gap of up to two units: below this one nothing is visible.
_MIN_GAP = 1.0
_BAND = 2.5  # how far inside may reach above and below the inner polygon
_LIP = 1.0  # and how much of the outer polygon's rim is never inside
_CERTAIN = 1.0  # by how much the inner polygon is shrunk to be inside whatever its colour
_ROW = 0.2  # of a row of teeth that lies in the band makes the rest inside too
_SMOOTH = 0.75  # radius of closing and opening

_DARKER = 1.8  # robust standard deviations of the lips' lightness
_TOOTH_REDNESS, _TOOTH_LIGHTNESS = 0.68, 0.85  # relative to the lips


@dataclasses.dataclass(frozen=True)
class LipColors:
    """What the lips of a clip look like (CIE Lab, L 0 to 100).

    Attributes:
      lightness: median L.
      deviation: robust standard deviation of L.
      redness: median a / L.
    """

    lightness: float
    deviation: float
    redness: float


def _ellipse(radius: float) -> np.ndarray:
    """A round structuring element, radius in units."""
    side = 2 * round(radius * _ZOOM) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def _cut(image, landmarks):
    """The enlarged mouth: its Lab colours, its landmarks, and where it was cut (slices)."""
    unit = max(float(face68.eye_distance(landmarks)), 1.0) / _UNITS
    lips = landmarks[list(face68.OUTER_LIP)]
    high = np.array(image.shape[1::-1])
    first = np.clip(np.floor(lips.min(axis=0) - _MARGIN * unit), 0, high - 1).astype(int)
    last = np.clip(np.ceil(lips.max(axis=0) + _MARGIN * unit) + 1, first + 1, high).astype(int)
    where = np.s_[first[1] : last[1], first[0] : last[0]]
    size = np.maximum(np.round((last - first) * _ZOOM / unit), 1).astype(int)
    factor = size / (last - first)
    points = (landmarks - first + 0.5) * factor - 0.5
    # Cubic overshoot ends where the range of uint8 does.
    crop = cv2.resize(image[where], tuple(map(int, size)), interpolation=cv2.INTER_CUBIC)
    lab = cv2.cvtColor(crop.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    return lab, points, where


def _filled(points, shape):
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 1, shift=4)
    return mask


def _teeth_beyond(found, is_tooth):
    """Rows of teeth that reach out of what is found: the landmarks often end in mid-tooth."""
    is_tooth = cv2.morphologyEx(is_tooth.astype(np.uint8), cv2.MORPH_OPEN, _ellipse(_SMOOTH))
    _, index, stats, _ = cv2.connectedComponentsWithStats(is_tooth, connectivity=4)
    area = stats[:, cv2.CC_STAT_AREA]
    known = np.bincount(index[found > 0], minlength=len(area))
    # A highlight on the lip lies outside; of a row of teeth, a part has been found.
    is_row = known > _ROW * area
    is_row[0] = False
    return is_row[index].astype(np.uint8)


def _gap(landmarks):
    """Mean distance of the three pairs of inner-lip points, in units."""
    distance = np.linalg.norm(landmarks[[61, 62, 63]] - landmarks[[67, 66, 65]], axis=-1).mean()
    return distance / max(float(face68.eye_distance(landmarks)), 1.0) * _UNITS


def spread(found: np.ndarray) -> np.ndarray:
    """Returns the frames that stand for a clip: at most 100 with a face, evenly spread.

    Args:
      found: bool [T], frames with a face.
    """
    there = np.flatnonzero(found)
    return there[np.linspace(0, len(there) - 1, min(_NUM_FRAMES, len(there))).astype(int)]


def fit(
    frames: Sequence[np.ndarray], landmarks: np.ndarray, *, found: np.ndarray | None = None
) -> LipColors:
    """Returns the colours of the lips of a clip: the ring between outer and inner lip.

    Args:
      frames: T images; at most 100 of them are read.
      landmarks: [T, 68, 2] pixels.
      found: bool [T], frames with a face, of which one at least is needed; all by default.
    """
    samples = []
    for t in spread(np.ones(len(frames), bool) if found is None else found):
        lab, points, _ = _cut(frames[int(t)], np.asarray(landmarks[t], np.float64))
        outer = cv2.erode(_filled(points[list(face68.OUTER_LIP)], lab.shape[:2]), _ellipse(_LIP))
        inner = _filled(points[list(face68.INNER_LIP)], lab.shape[:2])
        ring = (outer > 0) & (cv2.dilate(inner, _ellipse(_BAND)) == 0)
        samples.append(lab[ring][:: _ZOOM * _ZOOM])
    colors = np.concatenate(samples)
    if not len(colors):
        return LipColors(40.0, 5.0, 0.5)  # a mouth of no pixels: nothing will be inside it either
    lightness = float(np.median(colors[:, 0]))
    deviation = 1.4826 * float(np.median(np.abs(colors[:, 0] - lightness)))
    redness = float(np.median(colors[:, 1] / np.maximum(colors[:, 0], 1)))
    return LipColors(lightness, deviation, redness)


def inside(
    image: np.ndarray, landmarks: np.ndarray, colors: LipColors
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the inside of the mouth, and the teeth in it.

    Args:
      image: RGB uint8 [H, W, 3].
      landmarks: [68, 2] pixels.
      colors: of the clip's lips.

    Returns:
      mouth, teeth: bool [H, W] each, teeth a part of mouth; both empty when the lips are closed.
    """
    mouth, teeth = np.zeros((2, *image.shape[:2]), bool)
    landmarks = np.asarray(landmarks, np.float64)
    if _gap(landmarks) < _MIN_GAP:
        return mouth, teeth
    lab, points, where = _cut(image, landmarks)
    lightness = lab[..., 0]
    redness = lab[..., 1] / np.maximum(lightness, 1)
    is_dark = lightness < colors.lightness - _DARKER * colors.deviation
    is_tooth = (redness < _TOOTH_REDNESS * colors.redness) & (
        lightness > _TOOTH_LIGHTNESS * colors.lightness
    )

    inner = _filled(points[list(face68.INNER_LIP)], lightness.shape)
    outer = _filled(points[list(face68.OUTER_LIP)], lightness.shape)
    tall = np.ones((2 * round(_BAND * _ZOOM) + 1, 1), np.uint8)
    rim = cv2.erode(outer, _ellipse(_LIP))
    band = cv2.dilate(inner, tall) & rim
    found = band & (is_dark | is_tooth) | cv2.erode(inner, _ellipse(_CERTAIN))
    found |= _teeth_beyond(found, is_tooth & (rim > 0))
    found = cv2.morphologyEx(found, cv2.MORPH_CLOSE, _ellipse(_SMOOTH))
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, _ellipse(_SMOOTH))

    size = mouth[where].shape[::-1]

    def shrink(mask):
        share = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        return share >= 0.5

    mouth[where] = shrink(found)
    teeth[where] = shrink(found & is_tooth) & mouth[where]
    return mouth, teeth


def overlay(labels: np.ndarray, mouth: np.ndarray, teeth: np.ndarray) -> np.ndarray:
    """Returns a label picture with the inside of the mouth in it.

    Args:
      labels: uint8 [H, W] of `Label`.
      mouth: bool [H, W], teeth included.
      teeth: bool [H, W].

    Returns:
      uint8 [H, W]; the mouth shows only where the head is.
    """
    out = labels.copy()
    head = isin(labels, HEAD)
    out[mouth & head] = Label.MOUTH
    out[mouth & head & teeth] = Label.TEETH
    return out
