"""The contact sheet of the scenario "emotion": one instant at the twelve points, for eyes.

A cell a point, counter-clockwise from pleasure as in `circumplex.POINTS`: the true twin (the head's
own neutral face where truth is not known), the rendering, four times their difference, and for a
head that has normals these, beside the twin's. The wanted valence and arousal stand over each cell,
with its class.
"""

from __future__ import annotations

import numpy as np

from emojax.data import captions, surfaces
from emojax.emotion import circumplex
from emojax.metrics.emotional import FELT, POINTS, Shown
from emojax.opencv import cv2

TILE = 160  # pixels: twelve cells of four fit a screen in height
COLUMNS = 3  # cells in a row
GAIN = 4.0  # of the difference


def sheet(shown: Shown) -> np.ndarray:
    """Returns the sheet, uint8 [4 (captions.BAR + TILE), 3 N TILE, 3] of cells of N tiles.

    Args:
      shown: one instant at all points.
    """
    cells = [_cell(shown, point) for point in range(FELT)]
    rows = [cells[first : first + COLUMNS] for first in range(0, FELT, COLUMNS)]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _cell(shown: Shown, point: int) -> np.ndarray:
    """One point: a band with titles over its tiles."""
    has_twins = len(shown.truth) > 1
    truth = shown.truth[point if has_twins else 0]
    picture = shown.head[point]
    valence, arousal = POINTS[point]
    name = circumplex.CLASSES[int(circumplex.classify(valence, arousal))]
    tiles = [truth, picture, GAIN * np.abs(picture - truth)]
    titles = ["twin" if has_twins else "neutral", f"{valence:g} {arousal:g} {name}",
              f"difference x {GAIN:g}"]  # fmt: skip
    if shown.normals is not None and shown.true_normals is not None:
        tiles.append(surfaces.to_bytes(shown.true_normals[point]) / np.float32(255))
        titles.append("twin's normals")
    if shown.normals is not None:
        tiles.append(surfaces.of_drawn(shown.normals[point]) / np.float32(255))
        titles.append("normals")
    band = captions.titles(titles, TILE)
    return np.concatenate([band, np.concatenate([_tile(x) for x in tiles], axis=1)])


def _tile(picture: np.ndarray) -> np.ndarray:
    """A picture as a tile, uint8."""
    shrinks = picture.shape[0] > TILE
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(np.float32(picture), (TILE, TILE), interpolation=method)
    return np.uint8(np.clip(resized, 0, 1) * 255 + 0.5)
