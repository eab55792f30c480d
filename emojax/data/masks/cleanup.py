"""From class scores of single frames to clean, steady label pictures.

Scores are float32 [H, W, 4]: the probability of each class but the background's, which is what they
lack to 1. `guided` carries them from a small working picture to the frame along its edges, `blend`
mixes in what the frame before said of the same surface, `decide` takes the best class, and `tidy`
keeps one person without holes and regions without crumbs. Grey pictures are uint8.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from emojax.data.labels import PERSON, Label
from emojax.opencv import cv2

# Window of the guided filter on a working picture of 256 pixels (the study: 5 at 512).
_RADIUS = 3
# Variance of the guide (0-1) below which a window counts as flat.
_EPSILON = 5e-4

# Share of the frame before, and by how many grey levels it may be off: masks keep still without
# lagging, for the memory moves with the surface and dies where the surface changes.
_MEMORY, _AGREEMENT = 0.88, 16.0
# Flow is found on pictures of at most this side: finer costs much and moves masks no better.
_FLOW_SIDE = 512

# Pieces of a region below this fraction of the picture go to what surrounds them.
_CRUMB = 1e-3


class Memory(NamedTuple):
    """What `blend` keeps of a frame.

    Attributes:
      small: uint8 grey picture on which flow is found.
      gray: uint8 [H, W].
      scores: float32 [H, W, 4].
    """

    small: np.ndarray
    gray: np.ndarray
    scores: np.ndarray


def guided(scores: np.ndarray, small: np.ndarray, large: np.ndarray) -> np.ndarray:
    """Enlarges scores along the edges of the picture.

    The guided filter of He et al. (2010) in its fast form (He and Sun 2015): the local linear
    models are found on the small picture and applied to the large one.

    Args:
      scores: float32 [S, S, 4].
      small: grey uint8 [S, S].
      large: grey uint8 [H, W], the same picture.

    Returns:
      float32 [H, W, 4], about 0 to 1.
    """
    window = (2 * _RADIUS + 1, 2 * _RADIUS + 1)

    def mean(x):
        return cv2.boxFilter(x, -1, window, borderType=cv2.BORDER_REFLECT)

    guide = small.astype(np.float32) / 255
    guide_mean = mean(guide)
    variance = mean(guide * guide) - guide_mean * guide_mean
    scores_mean = mean(scores)
    covariance = mean(scores * guide[..., None]) - scores_mean * guide_mean[..., None]
    slope = covariance / (variance + _EPSILON)[..., None]
    offset = scores_mean - slope * guide_mean[..., None]
    size = large.shape[::-1]
    slope = cv2.resize(mean(slope), size, interpolation=cv2.INTER_LINEAR)
    offset = cv2.resize(mean(offset), size, interpolation=cv2.INTER_LINEAR)
    slope *= (large.astype(np.float32) / 255)[..., None]
    slope += offset
    return slope


def blend(memory: Memory | None, scores: np.ndarray, gray: np.ndarray) -> Memory:
    """Mixes scores with those of the frame before, where it shows the same surface.

    Args:
      memory: of the frame before; None at the first frame and after a cut.
      scores: float32 [H, W, 4].
      gray: uint8 [H, W].

    Returns:
      The mixed scores with what the next frame needs.
    """
    height, width = gray.shape
    factor = min(_FLOW_SIDE / max(height, width), 1)
    small = gray
    if factor < 1:
        small = cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    if memory is None:
        return Memory(small, gray, scores)
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    source = search.calc(small, memory.small, None)
    if factor < 1:
        source = cv2.resize(source, (width, height), interpolation=cv2.INTER_LINEAR)
        source /= factor
    source[..., 0] += np.arange(width, dtype=np.float32)
    source[..., 1] += np.arange(height, dtype=np.float32)[:, None]

    def warp(x):
        return cv2.remap(x, source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    share = _MEMORY * np.exp(-np.square(np.arange(256) / _AGREEMENT))
    weight = cv2.LUT(cv2.absdiff(warp(memory.gray), gray), share.astype(np.float32))
    mixed = warp(memory.scores)
    mixed -= scores
    mixed *= weight[..., None]
    mixed += scores
    return Memory(small, gray, mixed)


def decide(scores: np.ndarray, classes: tuple[Label, ...]) -> np.ndarray:
    """Returns the label picture of the best class of each pixel.

    Args:
      scores: float32 [H, W, 4].
      classes: what the four are.

    Returns:
      uint8 [H, W].
    """
    planes = cv2.split(scores)
    best = 1 - planes[0] - planes[1] - planes[2] - planes[3]
    labels = np.full(best.shape, Label.BACKGROUND, np.uint8)
    for plane, label in zip(planes, classes, strict=True):
        labels[plane > best] = label
        cv2.max(plane, best, best)
    return labels


def pieces(mask: np.ndarray) -> list[np.ndarray]:
    """Returns the outlines of the connected pieces of a mask (8 neighbours), holes left out.

    Args:
      mask: bool [H, W].

    Returns:
      int32 [n, 1, 2] (x, y) each.
    """
    outlines, hierarchy = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
    )
    if not outlines:
        return []
    is_hole = hierarchy[0, :, 3] >= 0
    return [outline for outline, hole in zip(outlines, is_hole, strict=True) if not hole]


def fill(outlines: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Returns the insides of outlines, their holes and themselves included.

    Args:
      outlines: of `pieces`.
      shape: (H, W).

    Returns:
      bool [H, W].
    """
    mask = np.zeros(shape, np.uint8)
    if outlines:
        cv2.drawContours(mask, outlines, -1, 1, cv2.FILLED)
    return mask.view(bool)


def tidy(labels: np.ndarray) -> np.ndarray:
    """Keeps the largest person, fills enclosed holes, and gives crumbs to their surroundings.

    Args:
      labels: uint8 [H, W] of `Label`.

    Returns:
      uint8 [H, W].
    """
    people = pieces(labels != Label.BACKGROUND)
    if not people:
        return labels
    person = fill([max(people, key=cv2.contourArea)], labels.shape)
    labels = np.where(person, labels, np.uint8(Label.BACKGROUND))
    unclear = person & (labels == Label.BACKGROUND)
    for label in PERSON:
        parts = pieces(labels == label)
        crumbs = [piece for piece in parts if cv2.contourArea(piece) < _CRUMB * labels.size]
        if crumbs:
            unclear |= fill(crumbs, labels.shape) & (labels == label)
    known = person & ~unclear
    if not unclear.any() or not known.any():
        return labels
    # The nearest known pixel answers.
    _, nearest = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    answers = np.zeros(np.count_nonzero(known) + 1, np.uint8)
    answers[nearest[known]] = labels[known]
    labels[unclear] = answers[nearest[unclear]]
    return labels
