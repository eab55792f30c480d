"""Eyes in two layers: lids move with the skin, the eyeball stays where it is.

A warp alone would stretch the iris by as much as the lids open, up to 1.6 times: visibly oval. So
inside the new line of the lids the unmoved frame is shown. Where a lid was lifted off, the rows
that no frame shows are the eyeball mirrored under the old shadow of the lid, no brighter than is
usual in their column (or the catch-light doubles), hardly darker (or lashes do), and shaded by the
lid. Eyes that are nearly shut have no such layer.

Lines of the lids are cubics through four landmarks each, drawn a little inside: landmarks lie on
the lashes, which belong to the skin.
"""

from __future__ import annotations

import numpy as np

from emojax.emotion.displacement import Motion
from emojax.opencv import cv2

INSET_UP, INSET_DOWN = 0.018, 0.012  # IOD inside the landmarks
FEATHER = 1.2  # pixels
SHUT = 0.045  # IOD of opening, before or after, under which there is no layer
SHADE, SHADE_DEPTH = 0.25, 0.03  # of rows under a lifted lid; IOD over which it ends
SHADOW = 0.014  # IOD, of a lid and its lashes on the eyeball
DARKEST = 0.75  # of a column's usual colour, of mirrored rows
_UPPER = {36: (36, 37, 38, 39), 42: (42, 43, 44, 45)}
_LOWER = {36: (36, 41, 40, 39), 42: (42, 47, 46, 45)}


def _line(points: np.ndarray) -> np.ndarray:
    """The cubic y(x) through four points, highest power first."""
    return np.linalg.solve(np.vander(points[:, 0], 4) + 1e-9 * np.eye(4), points[:, 1])


def put_into(picture: np.ndarray, source: np.ndarray, motion: Motion) -> None:
    """Shows both eyeballs between the moved lids.

    Args:
      picture: uint8 [H, W, 3], the warped frame; changed.
      source: uint8 [H, W, 3], the frame before.
      motion: of the face.
    """
    before = motion.controls[:68]
    after = before + motion.displacements[:68]
    for eye in (36, 42):
        _put_one(picture, source, motion, before, after, eye)


def _usual(ball: np.ndarray, was_open: np.ndarray) -> np.ndarray:
    """The usual colour of each column of an eyeball: no mirrored row is brighter, [h, w, 3]."""
    seen = np.where(was_open[..., None], ball, np.nan)
    known = was_open.any(axis=0)
    columns = np.nanmedian(seen[:, known], axis=0)
    places = np.arange(len(known))
    filled = np.stack([np.interp(places, places[known], c) for c in columns.T], axis=-1)
    return np.broadcast_to(cv2.blur(np.float32(filled)[None], (3, 1)), ball.shape)


def _put_one(picture, source, motion: Motion, before, after, eye: int) -> None:
    """Shows one eyeball."""
    upper, lower = list(_UPPER[eye]), list(_LOWER[eye])
    openings = [(p[lower[1:3], 1] - p[upper[1:3], 1]).mean() for p in (before, after)]
    widths = np.diff(before[upper, 0]).min(), np.diff(after[upper, 0]).min()
    if min(openings) < SHUT or min(widths) < 0.02:
        return
    if np.abs(after - before)[upper + lower].max() < 1e-4:
        return
    frame = motion.frame
    corners = frame.to_picture(after[upper + lower])
    low = np.maximum(np.floor(corners.min(axis=0)) - 2, 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0)) + 3, picture.shape[1::-1]).astype(int)
    if (high - low < 2).any():
        return
    pixels = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True))), -1)
    head = frame.to_head(pixels)
    x, y = head[..., 0], head[..., 1]
    old_top = np.polyval(_line(before[upper]), x) + INSET_UP
    old_bottom = np.polyval(_line(before[lower]), x) - INSET_DOWN
    new_top = np.polyval(_line(after[upper]), x) + INSET_UP
    new_bottom = np.polyval(_line(after[lower]), x) - INSET_DOWN
    # Distance along y is no distance to a steep line, but lids are flat where it matters.
    inside = np.minimum(y - new_top, new_bottom - y) * frame.unit / FEATHER
    ends = np.minimum(x - after[upper[0], 0], after[upper[3], 0] - x) * frame.unit / FEATHER
    share = np.clip(np.minimum(inside, ends) + 0.5, 0, 1)
    # The shadow that the lid threw on its old place is filled with the rest.
    top = old_top + SHADOW
    above = (y < top) & (new_top < old_top)
    # A thin opening would be mirrored beyond its other line: hold it there.
    mirrored = np.where(above, np.minimum(2 * top - y, np.maximum(old_bottom, y)), y)
    places = np.float32(frame.to_picture(np.stack([x, mirrored], axis=-1)))
    ball = np.float32(
        cv2.remap(source, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )
    was_open = (y >= top) & (y <= old_bottom)
    if above.any() and was_open.any():
        usual = _usual(ball, was_open)
        ball[above] = np.clip(ball, DARKEST * usual, usual)[above]
        depth = np.clip(1 - (y - new_top) / SHADE_DEPTH, 0, 1)
        ball *= 1 - (SHADE * depth * above)[..., None]
    box = slice(low[1], high[1]), slice(low[0], high[0])
    shown = picture[box] + share[..., None] * (ball - picture[box])
    picture[box] = np.uint8(np.clip(shown + 0.5, 0, 255))
