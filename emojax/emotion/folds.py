"""Shading of folds: what skin does where it is pushed together, drawn; and undone, where relaxed.

A fold is a valley along a curve with a bright flank on the bulging side: the picture is multiplied
by exp(S), S = -a exp(-d^2 / 2 s^2) + 0.4 a exp(-(d - 2.2 s)^2 / 2 (1.4 s)^2), d the signed distance
to the curve, tapered to its ends. Curves hang on the moved control points. Amplitudes above about
0.2 look drawn.

A fold of the person's own stays in the picture when the face is warped, and contradicts another
expression: frown lines under raised brows, the lines of a smile beside falling corners. Such
valleys are filled up towards the skin around them (a morphological closing of log luminance), where
the expression does not have them.

Which fold belongs to which action unit is FACS (Ekman, Friesen & Hager 2002); the profile and its
sizes are ours, by eye.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from emojax.data import face68
from emojax.emotion.displacement import Motion
from emojax.emotion.field import Field
from emojax.opencv import cv2

FLANK, FLANK_AT, FLANK_WIDTH = 0.4, 2.2, 1.4  # of the amplitude; in widths of the valley
TAPER = 0.3  # of the length, at each end
FAINTEST = 0.008  # amplitude under which nothing is drawn: a grey level in a hundred
AROUND = 0.03  # IOD around lids and lips that have no folds
PIECES = 10  # straight pieces of a curve

CLOSING = 0.09  # IOD, folds up to this wide are filled
FILLED = 0.75  # share of a valley that is filled
# Log luminance; what is deeper is no fold but hair, and twice as deep is left alone.
DEEPEST, DEEPEST_FOREHEAD = 0.35, 0.18


class Fold(NamedTuple):
    """One fold.

    Attributes:
      curve: [P, 2] its points, head frame.
      depth: amplitude a, log luminance.
      width: s, IOD.
      flank: which side is bright: 1 to the right of the way along the curve, -1 to its left.
    """

    curve: np.ndarray
    depth: float
    width: float
    flank: int


def _smooth(*points: np.ndarray) -> np.ndarray:
    """A curve through three points, or a straight line through two, [PIECES + 1, 2]."""
    t = np.linspace(0, 1, PIECES + 1)[:, None]
    if len(points) == 2:
        return (1 - t) * points[0] + t * points[1]
    a, b, c = points
    bend = 2 * b - (a + c) / 2
    return (1 - t) ** 2 * a + 2 * t * (1 - t) * bend + t**2 * c


def folds_of(motion: Motion) -> list[Fold]:
    """Returns the folds of an expression, faint ones left out.

    Args:
      motion: of the face.
    """
    p = motion.controls + motion.displacements
    at = motion.level
    found = _brow_folds(p, at)
    for sign, wing, corner, eye, lids in (
        (-1, 31, 48, 36, (36, 41, 40, 39)),
        (1, 35, 54, 45, (45, 46, 47, 42)),
    ):
        out = np.array([sign, 1.0])
        start = p[wing] + out * (0.06, -0.07)
        end = p[corner] + out * (0.13, 0)
        middle = (p[wing] + p[corner]) / 2 + out * (0.17, 0)
        dimple = 0.5 * at(14) * (sign > 0)
        smile = max(at(12), 0.55 * at(9), 0.5 * at(10), 0.2 * at(15), dimple)
        found.append(Fold(_smooth(start, middle, end), 0.13 * smile, 0.024, -sign))
        lid = p[list(lids)] + np.array([0, 0.07])
        pouch = _smooth(lid[0], (lid[1] + lid[2]) / 2 + np.array([0, 0.015]), lid[3])
        found.append(Fold(pouch, 0.09 * max(at(6), 0.7 * at(7)), 0.018, sign))
        for slope in (-0.35, 0.0, 0.4):
            foot = _smooth(p[eye] + out * (0.09, 0.09 * slope), p[eye] + out * (0.24, 0.24 * slope))
            found.append(Fold(foot, 0.09 * at(6), 0.011, 1))
        bunny = _smooth(p[28] + out * (0.06, -0.05), p[28] + out * (0.10, 0.05))
        found.append(Fold(bunny, 0.09 * at(9), 0.013, -sign))
        hang = p[corner] + out * (0.02, 0.03)
        found.append(Fold(_smooth(hang, hang + out * (0.03, 0.17)), 0.12 * at(15), 0.022, -sign))
    x, y = (p[57] + p[8]) / 2 - (0, 0.10)
    arc = _smooth(*np.array([(x - 0.18, y + 0.04), (x, y), (x + 0.18, y + 0.04)]))
    found.append(Fold(arc, 0.12 * at(17), 0.022, 1))
    return [fold for fold in found if fold.depth > FAINTEST]


def _brow_folds(p: np.ndarray, at) -> list[Fold]:
    """Lines of the forehead and between the brows."""
    found = []
    raised = max(at(1), at(2))
    share = 0.5 + 0.5 * min(at(2) / max(raised, 1e-6), 1.0)  # of the forehead's width
    for height in (0.20, 0.32, 0.43):
        left, right = (p[[a, b, c]] - (0, height) for a, b, c in ((17, 19, 21), (22, 24, 26)))
        middle = (left[2] + right[0]) / 2 - (0, 0.03)
        ends = [middle + share * (end - middle) for end in (left[0], right[2])]
        # The line follows the brows: highest over their middles.
        line = _smooth(ends[0], middle, ends[1])
        found.append(Fold(line, 0.10 * raised, 0.018, 1))
    for sign, brow in ((-1, 21), (1, 22)):
        inwards = np.array([-sign, 1.0])
        top = p[brow] + inwards * (0.05, -0.10)
        found.append(
            Fold(_smooth(top, p[brow] + inwards * (0.05, 0.09)), 0.17 * at(4), 0.016, sign)
        )
    return found


def relief(folds: list[Fold], points: np.ndarray) -> np.ndarray:
    """Returns S of some folds, float32 [...].

    Args:
      folds: any number.
      points: [..., 2] head frame.
    """
    total = np.zeros(points.shape[:-1], np.float32)
    for fold in folds:
        total += _relief(fold, np.float32(points))
    return total


def _relief(fold: Fold, points: np.ndarray) -> np.ndarray:
    """S of one fold."""
    curve = np.float32(fold.curve)
    best = np.full(points.shape[:-1], np.inf, np.float32)
    signed, along = np.zeros_like(best), np.zeros_like(best)
    for k, (a, b) in enumerate(itertools.pairwise(curve)):
        way = b - a
        length = max(float(way @ way), 1e-12)
        dx, dy = points[..., 0] - a[0], points[..., 1] - a[1]
        t = np.clip((dx * way[0] + dy * way[1]) / length, 0, 1)
        ex, ey = dx - t * way[0], dy - t * way[1]
        squared = ex * ex + ey * ey
        nearer = squared < best
        best = np.where(nearer, squared, best)
        signed = np.where(nearer, way[0] * dy - way[1] * dx, signed)
        along = np.where(nearer, k + t, along)
    distance = np.sqrt(best)
    side = np.where(signed >= 0, distance, -distance) * fold.flank
    share = along / (len(curve) - 1)
    ends = np.clip(np.minimum(share, 1 - share) / TAPER, 0, 1)
    valley = np.exp(-best / (2 * fold.width**2))
    off = (side - FLANK_AT * fold.width) / (FLANK_WIDTH * fold.width)
    flank = FLANK * np.exp(-off * off / 2)
    return fold.depth * ends * ends * (3 - 2 * ends) * (flank - valley)


def put_into(picture: np.ndarray, field: Field, motion: Motion) -> None:
    """Draws an expression's folds, and fills up those that contradict it.

    Args:
      picture: uint8 [H, W, 3], the warped frame; changed.
      field: of the warp.
      motion: of the face.
    """
    part, unit = picture[field.part], motion.frame.unit
    drawn = np.zeros(field.window.shape, np.float32)
    for fold in folds_of(motion):
        reach = fold.width * (FLANK_AT + 3 * FLANK_WIDTH)
        box, points = _box(motion, field, fold.curve, reach)
        if points.size:
            drawn[box] += _relief(fold, points)
    for curve, reach, share, deepest in _relaxed(motion):
        box, points = _box(motion, field, curve, reach)
        if points.size:
            filling = _valleys(part, box, points, curve, reach, deepest, unit)
            drawn[box] += share * filling
    used = cv2.boundingRect(np.uint8(drawn != 0))
    box = slice(used[1], used[1] + used[3]), slice(used[0], used[0] + used[2])
    if not used[2]:
        return
    drawn = drawn[box] * field.window[box] * _skin(motion, field, box)
    part[box] = np.uint8(np.clip(part[box] * np.exp(drawn)[..., None] + 0.5, 0, 255))


def _box(motion: Motion, field: Field, curve: np.ndarray, reach: float):
    """Rows and columns of the field's part around a curve, and its pixels in the head frame."""
    height, width = field.window.shape
    corners = motion.frame.to_picture(curve) - (field.left, field.top)
    reach = reach * motion.frame.unit + 1
    low = np.clip(np.floor(corners.min(axis=0) - reach), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0) + reach) + 1, 0, (width, height)).astype(int)
    x, y = np.arange(low[0], high[0]) + field.left, np.arange(low[1], high[1]) + field.top
    pixels = motion.frame.to_head(np.stack(np.meshgrid(x, y), axis=-1))
    return (slice(low[1], high[1]), slice(low[0], high[0])), pixels


def _relaxed(motion: Motion):
    """Curves around which valleys are filled, how far around, by how much, and how deep ones."""
    p = motion.controls + motion.displacements
    at = motion.level
    brow = min(max(at(1), at(2), at(12), 2 * at(45)), 1.0) * (1 - at(4))
    gap = p[22, 0] - p[21, 0]
    if brow > 0.1 and gap > 0.12:
        # As wide as the skin between the brows; the hair is spared.
        x, y = (p[21] + p[22]) / 2
        line = _smooth(np.array([x, y - 0.16]), np.array([x, y + 0.10]))
        yield line, gap / 2 - 0.02, FILLED * brow, DEEPEST
    frown = min(max(at(4), at(9), at(45)), 1.0) * (1 - max(at(1), at(2)))
    if frown > 0.1:
        for height in (0.22, 0.38):
            left, right = (p[[a, b]].mean(axis=0) - (0, height) for a, b in ((18, 19), (24, 25)))
            yield _smooth(left, right), 0.14, FILLED * frown, DEEPEST_FOREHEAD
    mouth = min(max(at(15), at(20)), 1.0) * (1 - max(at(12), at(9), at(10)))
    if mouth > 0.1:
        for sign, wing, corner in ((-1, 31, 48), (1, 35, 54)):
            out = np.array([sign, 1.0])
            start, end = p[wing] + out * (0.12, -0.02), p[corner] + out * (0.14, 0.02)
            middle = (p[wing] + p[corner]) / 2 + out * (0.19, 0)
            yield _smooth(start, middle, end), 0.10, FILLED * mouth, DEEPEST


def _valleys(part, box, points, curve, reach, deepest, unit: float) -> np.ndarray:
    """How deep dark lines are near a curve, log luminance, faded out with distance."""
    side = max(round(CLOSING * unit), 3)
    rows, columns = box
    wide = slice(max(rows.start - side, 0), rows.stop + side)
    wide = wide, slice(max(columns.start - side, 0), columns.stop + side)
    level = cv2.cvtColor(part[wide], cv2.COLOR_RGB2GRAY)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    closed = cv2.GaussianBlur(cv2.morphologyEx(level, cv2.MORPH_CLOSE, kernel), (0, 0), side / 4)
    depth = np.log((np.float32(closed) + 4) / (np.float32(level) + 4))
    inner = slice(rows.start - wide[0].start, rows.stop - wide[0].start)
    depth = depth[inner, columns.start - wide[1].start : columns.stop - wide[1].start]
    near = relief([Fold(curve, 1.0, reach / 2, 1)], points)
    fold = np.clip(depth, 0, deepest) * np.clip(2 - depth / deepest, 0, 1)
    return fold * np.clip(-near, 0, 1)


def _skin(motion: Motion, field: Field, box: tuple[slice, slice]) -> np.ndarray:
    """1 on skin, 0 on eyes and lips, over a part of the field's part."""
    rows, columns = box
    other = np.full((rows.stop - rows.start, columns.stop - columns.start), 255, np.uint8)
    landmarks = motion.landmarks() - (field.left + columns.start, field.top + rows.start)
    for points in (face68.RIGHT_EYE, face68.LEFT_EYE, face68.OUTER_LIP):
        cv2.fillPoly(other, [np.int32(np.round(landmarks[list(points)] * 16))], 0, shift=4)
    distance = cv2.distanceTransform(other, cv2.DIST_L2, 3)
    return np.clip(distance / (AROUND * motion.frame.unit), 0, 1)
