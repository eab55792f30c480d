"""The picture of neck and clothes without the head, continued a little way up behind it.

A rendered head moves against its torso; where the chin rises, neck has to show and not the wall.
Method 5.7 therefore continues, column by column, the collar by 9 and the neck by 53 pixels (of 512)
into the head. Departures from it, each the cure of a fault seen in real clips:

* only large pieces of neck that end on clothes count: specks beside an ear grew stripes up the
  cheek;
* every column between the neck's leftmost and rightmost is continued, with the colours of the
  nearest neck: where the chin touches the collar there is none, which left notches of wall;
* only pixels of the head are painted over, so that nothing grows into the wall beside it;
* colours fade by 0.99 a pixel for the neck, not 0.98, and not at all for the collar: the fading
  imitates the shadow of the chin, but to 0.34 it drew a dark smear.

Images are RGB uint8 [H, W, 3], label pictures uint8 [H, W] of `Label`.
"""

from __future__ import annotations

import numpy as np

from emojax.data import background as background_lib
from emojax.data.labels import HEAD, Label, isin
from emojax.data.masks import cleanup
from emojax.opencv import cv2

# Lengths in pixels of a 512-pixel picture.
_COLLAR, _NECK = 9, 53
_PUSH = 4  # colours are taken this far below the chin, whose edge and shadow mix into the neck
_AVERAGE = 3  # over how many pixels downwards
_SMOOTH = 4.0  # standard deviation across columns: each alone would draw a vertical line
_SPECK = 0.03  # of the largest piece of neck: a smaller one is a speck
_FADING = 0.99  # per pixel


def _neck(labels):
    """The neck without the specks of its colour elsewhere: large pieces that end on clothes."""
    is_neck = labels == Label.NECK
    pieces = cleanup.pieces(is_neck)
    if not pieces:
        return is_neck
    ends = np.zeros_like(is_neck)
    ends[:-1] = is_neck[:-1] & (labels[1:] == Label.TORSO)
    smallest = _SPECK * max(map(cv2.contourArea, pieces))
    kept = np.zeros_like(is_neck)
    for piece in pieces:
        if cv2.contourArea(piece) >= smallest:
            mask = cleanup.fill([piece], labels.shape) & is_neck
            if (mask & ends).any():
                kept |= mask
    return kept


def _sources(image: np.ndarray, mask: np.ndarray, top: np.ndarray, columns: np.ndarray, scale):
    """Colour of a region some pixels below its top in each of some columns, float32 [n, 3]."""
    push, average = round(_PUSH * scale), max(round(_AVERAGE * scale), 1)
    total, weight = np.zeros((columns.size, 3), np.float32), np.zeros((columns.size, 1), np.float32)
    # The deepest that still lies in the region counts; its first pixel always does.
    for depth in range(push + average):
        rows = np.minimum(top[columns] + depth, image.shape[0] - 1)
        inside = mask[rows, columns][:, None]
        if depth < push:
            total = np.where(inside, image[rows, columns], total)
            weight = np.where(inside, 1, weight)
        else:
            total += inside * image[rows, columns]
            weight += inside
    return total / np.maximum(weight, 1)


def _paint(image, painted, region, start, columns, colors, below, above, fading):
    """Continues a colour per column, from `below` pixels under row `start` to `above` over it."""
    steps = np.arange(-below, above)[:, None]
    rows = start[columns] - 1 - steps
    columns = np.broadcast_to(columns, rows.shape)
    inside = (rows >= 0) & (rows < image.shape[0])
    rows = np.clip(rows, 0, image.shape[0] - 1)
    inside &= region[rows, columns]
    shades = colors * (fading ** np.maximum(steps, 0))[..., None]
    where = rows[inside], columns[inside]
    image[where] = np.clip(shades[inside] + 0.5, 0, 255)
    painted[where] = True


def torso(image: np.ndarray, labels: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Returns neck and clothes, continued behind the head.

    Args:
      image: uint8 [H, W, 3].
      labels: uint8 [H, W]; any region may be absent.
      background: of the clip, uint8 [H, W, 3].

    Returns:
      RGBA uint8 [H, W, 4]; alpha is 255 on neck, clothes and their continuation, else all is 0.
    """
    height, width = labels.shape
    scale = max(height, width) / 512
    head = isin(labels, HEAD)
    clothes = labels == Label.TORSO
    neck = _neck(labels)
    body = neck | clothes
    out = background_lib.composite(image, labels, background)
    painted = body.copy()

    # The lowest place in each column where the head ends on the body.
    meets = np.zeros(labels.shape, bool)
    meets[1:] = head[:-1] & body[1:]
    start = height - 1 - meets[::-1].argmax(axis=0)
    columns = np.arange(width)
    has_start = meets.any(axis=0)
    on_neck = has_start & neck[start, columns]

    neck_columns = np.flatnonzero(on_neck)
    collar_columns = np.flatnonzero(has_start & ~on_neck)
    push, collar, above = (round(length * scale) for length in (_PUSH, _COLLAR, _NECK))
    colors = _sources(image, clothes, start, collar_columns, scale)
    _paint(out, painted, head | clothes, start, collar_columns, colors, 1, collar, 1.0)
    if neck_columns.size:
        colors = _sources(image, neck, start, neck_columns, scale)
        first, last = neck_columns[[0, -1]]
        between = first + np.flatnonzero(has_start[first : last + 1])
        colors = [np.interp(between, neck_columns, channel) for channel in colors.T]
        colors = cv2.GaussianBlur(
            np.stack(colors, axis=-1),
            (1, 0),
            0,
            sigmaY=_SMOOTH * scale,
            borderType=cv2.BORDER_REPLICATE,
        )
        fading = _FADING ** (1 / scale)
        _paint(out, painted, head | neck, start, between, colors, push, above, fading)
    alpha = painted.view(np.uint8)
    whole = cv2.cvtColor(out, cv2.COLOR_RGB2RGBA)
    return cv2.copyTo(whole, alpha, np.zeros_like(whole))
