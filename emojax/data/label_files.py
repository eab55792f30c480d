"""The label pictures of a data set folder, read from its parsing and teeth masks when asked for."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np

from emojax.data import arrays, files, labels
from emojax.data.errors import DataError


class LabelFiles(Sequence):
    """A sequence of label pictures, each checked against its frame's size.

    Teeth are read from `teeth_mask`: from all of its files, or from none where there are none.

    Args:
      folder: of the data set.
      numbers: of the frames, in the order of the sequence.
      size: height and width of the frames.
    """

    def __init__(self, folder: pathlib.Path, numbers: Sequence[int], size: tuple[int, int]):
        self._folder, self._numbers, self._size = folder, numbers, tuple(size)
        self.has_teeth = any((folder / files.TEETH).glob("[0-9]*.npy"))

    def __len__(self) -> int:
        """Number of frames."""
        return len(self._numbers)

    def __getitem__(self, row: int) -> np.ndarray:
        """Returns the labels of frame `numbers[row]`, uint8 [H, W]."""
        number = self._numbers[row]
        path = self._folder / files.PARSING / f"{number}.png"
        parsing, teeth = files.read_picture(path), None
        if parsing.shape[:2] != self._size:
            raise DataError(
                expected=f"{path} as large as the frame, {self._size[1]} x {self._size[0]}",
                got=f"{parsing.shape[1]} x {parsing.shape[0]}",
                fix=f"Make {files.PARSING} from the frames in {files.FRAMES}.",
            )
        if self.has_teeth:
            teeth = arrays.read_mask(self._folder / files.TEETH / f"{number}.npy", self._size)
        return labels.from_parsing(parsing, teeth)
