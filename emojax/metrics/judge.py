"""The judge of faces: dlib's landmarks in true and rendered pictures, with the same boxes in both.

Boxes come from the true pictures alone and are smooth in time, so that what differs between two
sets of points is what the pictures differ in. Nothing is smoothed over time: a rendering that
trembles shall be seen to. Points are [T, 68, 2] pixels, pixel centres at whole numbers.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from emojax.data import landmarks

VERSION = 1  # of this file's procedure


@dataclasses.dataclass(frozen=True)
class Judge:
    """Ready to look at one clip's frames.

    Attributes:
      boxes: float [T, 3] centre x, centre y, side; pixels.
      found: bool [T], frames in which a true face is seen.
      predict: (uint8 [H, W, 3], box) -> [68, 2].
    """

    boxes: np.ndarray
    found: np.ndarray
    predict: Callable[[np.ndarray, np.ndarray], np.ndarray]

    def look(self, image: np.ndarray, index: int) -> np.ndarray:
        """Returns the landmarks in a picture of some frame, [68, 2]; NaN where no face is.

        Args:
          image: float [H, W, 3], 0 to 1.
          index: of the frame.
        """
        if not self.found[index]:
            return np.full((68, 2), np.nan)
        return self.predict(np.uint8(np.clip(image, 0, 1) * 255 + 0.5), self.boxes[index])


def appoint(frames: Sequence[np.ndarray], *, progress: Callable = iter) -> Judge:
    """Finds the faces in the true pictures.

    Args:
      frames: uint8 [H, W, 3] each, in time.
      progress: wraps the iterable of frame numbers, for a progress bar.

    Raises:
      DataError: dlib is not installed, or there is no face in any frame.
    """
    detector, predictor = landmarks.load_models()
    faces = landmarks.find_faces(frames, detector, progress=progress)
    boxes, found = landmarks.smooth_boxes(faces)
    return Judge(boxes, found, functools.partial(landmarks.predict, predictor=predictor))


def protocol() -> dict:
    """Returns what two runs must have in common for their landmarks to be comparable."""
    procedure = (landmarks.DETECT_WIDTH, landmarks.PREDICT_WIDTH, landmarks.NUM_BOXES)
    return {
        "name": "dlib, 68 points",
        "version": VERSION,
        "procedure": hashlib.sha256(repr(procedure).encode()).hexdigest()[:8],
        "boxes": "of the true pictures, smoothed",
    }
