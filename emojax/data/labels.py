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
    palette = [Label.BACKGROUND, Label.FACE, Label.HAIR, Label.MOUTH, Label.NECK, Label.TORSO]
    shape = parsing.shape[:2]
    pixels = parsing.reshape(-1, 3).astype(np.int32)
    codes, inverse = np.unique(pixels @ [1, 256, 65536], return_inverse=True)
    colors = np.stack([codes & 255, codes >> 8 & 255, codes >> 16], axis=-1)
    distance = np.square(colors[:, None] - COLORS[palette].astype(np.int32)).sum(axis=-1)
    labels = np.array(palette, np.uint8)[distance.argmin(axis=-1)][inverse].reshape(shape)
    if teeth is not None:
        labels[teeth] = Label.TEETH
    return labels
