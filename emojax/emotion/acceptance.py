"""Which emotional pictures may be trained on: the same lips, the same person.

Two measures, both against the picture that was changed:

  lips: the largest change of the three gaps between the inner lips (61-67, 62-66, 63-65), in
    distances between the eyes' centres. Speech is in this gap: an emotion must leave it.
  likeness: correlation, -1 to 1, of the two faces brought to the same eyes and nose and reduced to
    `SIDE` pixels, each colour without its mean; the mean over colours. Expressions move little at
    that size; another person, another light or a spoilt picture changes it.

A network that knows faces says more about identity; one can be given (`identity`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from emojax.data import face68
from emojax.emotion import anatomy
from emojax.opencv import cv2

_GAPS = ((61, 67), (62, 66), (63, 65))
SIDE = 12  # pixels of the compared faces
LEFT, TOP, RIGHT, BOTTOM = -0.95, -0.55, 0.95, 1.55  # of the compared part, head frame

# Two pictures of a person -> how alike a network finds them.
Identity = Callable[[np.ndarray, np.ndarray], float]


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is accepted.

    Attributes:
      lips: most change of the lips' gap, IOD. dlib's own error on a still mouth is 0.02.
      likeness: least correlation. Of nine people, warped faces had 0.90 and more with their
        source, two people 0.87 at most.
      identity: least value of the given network, if there is one.
    """

    lips: float = 0.06
    likeness: float = 0.88
    identity: float = 0.5


USUAL = Limits()


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What was found in one picture.

    Attributes:
      reason: "" where the picture is accepted, otherwise the check that it failed.
      lips: change of the lips' gap, IOD; NaN without landmarks.
      likeness: -1 to 1; NaN without landmarks.
    """

    reason: str
    lips: float = float("nan")
    likeness: float = float("nan")

    @property
    def accepted(self) -> bool:
        """Whether the picture may be used."""
        return not self.reason


def lip_change(before: np.ndarray, after: np.ndarray) -> float:
    """Returns the largest change of a gap between the inner lips, IOD of the first face.

    Args:
      before: [68, 2] pixels.
      after: [68, 2] pixels.
    """
    upper, lower = np.array(_GAPS).T
    gaps = [np.linalg.norm(x[upper] - x[lower], axis=-1) for x in (before, after)]
    return float(np.abs(gaps[1] - gaps[0]).max() / max(anatomy.head_frame(before).unit, 1e-6))


def likeness(
    source: np.ndarray, picture: np.ndarray, before: np.ndarray, after: np.ndarray
) -> float:
    """Returns how alike two faces look from afar, -1 to 1.

    Args:
      source: uint8 [H, W, 3].
      picture: uint8 [H', W', 3].
      before: [68, 2] landmarks in `source`, pixels.
      after: [68, 2] landmarks in `picture`, pixels.
    """
    first, second = (_small(*x) for x in ((source, before), (picture, after)))
    first, second = (x - x.mean(axis=(0, 1)) for x in (first, second))
    scale = np.sqrt((first**2).sum(axis=(0, 1)) * (second**2).sum(axis=(0, 1)))
    return float(np.mean((first * second).sum(axis=(0, 1)) / np.maximum(scale, 1e-6)))


def _small(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The face in the common frame, float32 [SIDE, SIDE, 3]."""
    corners = landmarks[list(face68.EYE_CORNERS)]
    # Lids move the eyes' centres: the frame hangs on their corners.
    still = np.array(landmarks, np.float64)
    for eye, (outer, inner) in (
        (face68.RIGHT_EYE, (corners[0], corners[1])),
        (face68.LEFT_EYE, (corners[2], corners[3])),
    ):
        still[list(eye)] = (outer + inner) / 2
    frame = anatomy.head_frame(still)
    x = np.linspace(LEFT, RIGHT, 2 * SIDE)
    y = np.linspace(TOP, BOTTOM, 2 * SIDE)
    places = frame.to_picture(np.stack(np.meshgrid(x, y), axis=-1))
    # Reduced in two steps, or fine texture would alias.
    sigma = max(frame.unit * (RIGHT - LEFT) / (4 * SIDE), 0.3)
    low = np.floor(places.min(axis=(0, 1)) - 3 * sigma).astype(int)
    high = np.ceil(places.max(axis=(0, 1)) + 3 * sigma).astype(int) + 1
    low, high = (np.clip(v, 0, picture.shape[1::-1]) for v in (low, high))
    if (high - low < 2).any():
        return np.zeros((SIDE, SIDE, 3), np.float32)
    part = cv2.GaussianBlur(picture[low[1] : high[1], low[0] : high[0]], (0, 0), sigma)
    face = cv2.remap(
        part, np.float32(places - low), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.resize(np.float32(face), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def judge(
    source: np.ndarray,
    picture: np.ndarray,
    before: np.ndarray,
    after: np.ndarray | None,
    *,
    limits: Limits = USUAL,
    identity: Identity | None = None,
) -> Verdict:
    """Returns whether a picture may be trained on, and why not.

    Args:
      source: uint8 [H, W, 3], before.
      picture: uint8 [H, W, 3], after.
      before: [68, 2] landmarks of the source, pixels.
      after: [68, 2] landmarks of the picture; None where no face was found in it.
      limits: of what is accepted.
      identity: a network's opinion.
    """
    if after is None or not np.isfinite(after).all():
        return Verdict("no face found")
    lips, alike = lip_change(before, after), likeness(source, picture, before, after)
    if lips > limits.lips:
        return Verdict("lips", lips, alike)
    if alike < limits.likeness:
        return Verdict("identity", lips, alike)
    if identity is not None and identity(source, picture) < limits.identity:
        return Verdict("identity", lips, alike)
    return Verdict("", lips, alike)
