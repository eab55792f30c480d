"""Square pictures at another size: photographs, label pictures, pictures with alpha."""

from __future__ import annotations

import numpy as np

from emojax.opencv import cv2


def square(picture: np.ndarray, side: int, *, exact: bool) -> np.ndarray:
    """Returns a picture at another size.

    Args:
      picture: [S, S] or [S, S, C].
      side: of the new one, pixels.
      exact: keep values as they are: for labels, which have no mean.
    """
    if picture.shape[0] == side:
        return picture
    shrinks = picture.shape[0] > side
    method = cv2.INTER_NEAREST if exact else cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(picture, (side, side), interpolation=method)


def rgba(picture: np.ndarray, side: int) -> np.ndarray:
    """Returns a picture with alpha at another size: colours weigh by their alpha.

    Args:
      picture: uint8 [S, S, 4].
      side: of the new one, pixels.
    """
    if picture.shape[0] == side:
        return picture
    alpha = picture[..., 3:].astype(np.float32) / 255
    small = square(np.concatenate([picture[..., :3] * alpha, alpha], -1), side, exact=False)
    alpha = np.clip(small[..., 3:], 0, 1)
    color = np.where(alpha > 0, small[..., :3] / np.maximum(alpha, 1e-6), 0)
    return np.uint8(np.clip(np.concatenate([color, 255 * alpha], -1), 0, 255) + 0.5)
