"""Regions of a portrait: the one label picture, and the colours in which the field stores it.

A label picture is uint8 [H, W] of `Label` values; every pixel has exactly one. The field's
`parsing/N.png` (AD-NeRF, ER-NeRF, TalkingGaussian) has RGB colours instead and no teeth: these lie
beside it, in `teeth_mask/N.npy`. TalkingGaussian then takes face = blue XOR teeth and mouth = grey
OR teeth, so teeth are *written blue*: both come out right there, and ER-NeRF, which knows no inside
of the mouth, takes them for face as it does with every mouth.
"""

from __future__ import annotations

import enum

import numpy as np


class Label(enum.IntEnum):
    """What a pixel shows."""

    BACKGROUND = 0
    FACE = 1  # skin of the head, ears, brows, eyes, glasses, lips
    HAIR = 2
    MOUTH = 3  # inside of the lips, teeth excepted
    TEETH = 4
    NECK = 5
    TORSO = 6  # clothes


HEAD = (Label.FACE, Label.HAIR, Label.MOUTH, Label.TEETH)
PERSON = (*HEAD, Label.NECK, Label.TORSO)

# RGB of the field's parsing pictures, by Label (TalkingGaussian data_utils/face_parsing/test.py).
COLORS = np.array(
    [
        [255, 255, 255],
        [0, 0, 255],
        [0, 0, 0],
        [100, 100, 100],
        [0, 0, 255],
        [0, 255, 0],
        [255, 0, 0],
    ],
    np.uint8,
)

# Colours that a parsing picture may have: teeth have none of their own.
_PALETTE = tuple(label for label in Label if label != Label.TEETH)
_CODES = COLORS.astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)
_UNKNOWN = 255


def isin(labels: np.ndarray, regions: tuple[Label, ...]) -> np.ndarray:
    """Returns where a label picture shows one of some regions.

    Args:
      labels: uint8 [...].
      regions: any of `Label`.

    Returns:
      bool [...].
    """
    table = np.zeros(256, bool)
    table[list(regions)] = True
    return table[labels]


def to_parsing(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns a label picture in the field's two files.

    Args:
      labels: uint8 [H, W].

    Returns:
      uint8 [H, W, 3] RGB for `parsing/N.png`, bool [H, W] for `teeth_mask/N.npy`.
    """
    return COLORS[labels], labels == Label.TEETH


def from_parsing(parsing: np.ndarray, teeth: np.ndarray | None) -> np.ndarray:
    """Returns the label picture of the field's two files.

    A colour that is none of the palette (a rescaled or lossy picture) takes the nearest one's
    label.

    Args:
      parsing: uint8 [H, W, 3] RGB.
      teeth: bool [H, W], or None where there is no such file.

    Returns:
      uint8 [H, W].
    """
    # A colour as one number, looked up for the palette's own and searched for others.
    codes = parsing.astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)
    labels = np.full(parsing.shape[:2], _UNKNOWN, np.uint8)
    for label in _PALETTE:
        labels[codes == _CODES[label]] = label
    others = labels == _UNKNOWN
    if others.any():
        pixels = parsing[others].astype(np.int32)
        distance = [
            np.square(pixels - COLORS[label].astype(np.int32)).sum(-1) for label in _PALETTE
        ]
        labels[others] = np.array(_PALETTE, np.uint8)[np.argmin(distance, axis=0)]
    if teeth is not None:
        labels[teeth] = Label.TEETH
    return labels
