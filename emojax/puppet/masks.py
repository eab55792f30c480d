"""What a pixel of the puppet shows: the fine regions of its truth, and what portraits call them."""

from __future__ import annotations

import enum

import numpy as np

from emojax.data.labels import Label


class Region(enum.IntEnum):
    """What a pixel shows; every pixel has exactly one."""

    BACKGROUND = 0
    SKIN = 1  # of the face, lids included
    EAR = 2
    BROW = 3
    EYE = 4  # the ball between the lids
    LIPS = 5
    MOUTH = 6  # inside of the lips, teeth and tongue excepted
    TEETH = 7
    TONGUE = 8
    HAIR = 9
    NECK = 10
    TORSO = 11  # cloth


_LABELS = np.array(
    [
        Label.BACKGROUND,
        Label.FACE,
        Label.FACE,
        Label.FACE,
        Label.FACE,
        Label.FACE,
        Label.MOUTH,
        Label.TEETH,
        Label.MOUTH,
        Label.HAIR,
        Label.NECK,
        Label.TORSO,
    ],
    np.uint8,
)


def to_labels(regions: np.ndarray) -> np.ndarray:
    """Returns the label picture of data sets (`emojax.data.labels.Label`).

    Args:
      regions: uint8 [...] of `Region`.

    Returns:
      uint8 [...] of `Label`.
    """
    return _LABELS[regions]
