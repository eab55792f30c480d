"""One run of preprocessing: its settings, and the parts of the folder that stages read."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from emojax.data import (
    arrays,
    crop,
    files,
    landmarks,
    record,
    tracking,
)
from emojax.data.errors import DataError
from emojax.data.label_files import LabelFiles


@dataclasses.dataclass(frozen=True)
class Settings:
    """What decides the content of a data set folder.

    Attributes:
      video: the source; None for a folder whose frames exist already.
      size: side of the square pictures, pixels.
      margin: side of the crop over the face box's.
      crop: "left,top,side" in pixels of the source, instead of the one around the head.
      focal: pixels at `size`; the nominal one by default.
      parsing: folder of parsing pictures N.png to use.
      teeth_mask: folder of teeth masks N.npy to use.
      au: OpenFace CSV to use.
      audio_features: .npy of sound features to use.
      seed: of everything random.
    """

    video: pathlib.Path | None = None
    size: int = 512
    margin: float = crop.MARGIN
    crop: str | None = None
    focal: float | None = None
    parsing: pathlib.Path | None = None
    teeth_mask: pathlib.Path | None = None
    au: pathlib.Path | None = None
    audio_features: pathlib.Path | None = None
    seed: int = 0


@dataclasses.dataclass
class Job:
    """One run of some stages.

    Attributes:
      folder: of the data set.
      settings: of this run.
      manifest: content of `preprocess.json`; see `record`.
      progress: (iterable, description) -> iterable, for a progress bar.
    """

    folder: pathlib.Path
    settings: Settings
    manifest: dict
    progress: Callable[[Iterable, str], Iterable]

    def bar(self, name: str) -> Callable:
        """Returns a wrapper of iterables that shows progress under a name."""
        return lambda iterable: self.progress(iterable, name)

    def save(self) -> None:
        """Writes the manifest."""
        record.write(self.folder, self.manifest)

    def frames(self, numbers: Sequence[int] | None = None) -> files.Pictures:
        """Returns the frames of the folder, or those of some numbers."""
        there = files.numbered(self.folder / files.FRAMES, ".jpg")
        if list(there) != list(range(len(there))) or not there:
            holes = sorted(set(range(max(there, default=0) + 1)) - set(there))
            raise DataError(
                expected=f"{files.FRAMES}/0.jpg, 1.jpg, ... without a gap in {self.folder}",
                got=f"{len(there)} pictures, none numbered {holes[0]}",
                fix="Restore them, or run the stage decode with --video.",
            )
        return files.Pictures([there[n] for n in (there if numbers is None else numbers)])

    def landmarks(self) -> landmarks.Landmarks:
        """Returns the folder's landmarks, ours or those of another tool."""
        path = self.folder / files.LANDMARKS
        num_frames = len(self.frames())
        if path.exists():
            stored = landmarks.Landmarks(**arrays.read_named(path, ("points", "found", "cuts")))
            if stored.points.shape != (num_frames, 68, 2) or stored.found.shape != (num_frames,):
                raise DataError(
                    expected=f"landmarks of {num_frames} frames in {path}",
                    got=f"points {stored.points.shape}, found {stored.found.shape}",
                    fix="Run the stage landmarks again, or delete the file to use N.lms.",
                )
            return stored
        there = files.numbered(self.folder / files.FRAMES, ".lms")
        if list(there) != list(range(num_frames)):
            raise DataError(
                expected=f"landmarks of all {num_frames} frames",
                got=f"{len(there)} files .lms",
                fix="Run the stage landmarks first.",
            )
        points = np.stack([landmarks.read_lms(path) for path in there.values()])
        return landmarks.Landmarks(points, np.ones(num_frames, bool), np.zeros(0, np.int64))

    def found(self) -> np.ndarray:
        """Returns which frames show the face, bool [T]: all, where nobody noted it."""
        if (self.folder / files.LANDMARKS).exists():
            return self.landmarks().found
        return np.ones(len(self.frames()), bool)

    @property
    def is_tracked(self) -> bool:
        """Whether the folder holds a tracked head: those made elsewhere hold poses alone."""
        return (self.folder / files.TRACKING).exists()

    def track(self) -> tracking.Track:
        """Returns the folder's tracked head."""
        path = self.folder / files.TRACKING
        if not self.is_tracked:
            raise DataError(
                expected=f"{files.TRACKING} in {self.folder}",
                got="no such file",
                fix="Run the stage tracking first.",
            )
        names = [field.name for field in dataclasses.fields(tracking.Track)]
        values = arrays.read_named(path, names)
        return tracking.Track(**values | {"focal": float(values["focal"])})

    def labels(self, numbers: Sequence[int]) -> LabelFiles:
        """Returns the label pictures of some frames."""
        return LabelFiles(self.folder, numbers, self.frames()[0].shape[:2])


def external(folder: pathlib.Path, suffix: str, count: int, flag: str) -> dict:
    """Returns the files of another tool by number, one for each frame.

    Args:
      folder: that the user names.
      suffix: of the files.
      count: T.
      flag: by which the user names the folder.

    Raises:
      DataError: they are not numbered 0 to T - 1.
    """
    there = files.numbered(folder, suffix)
    if list(there) != list(range(count)):
        raise DataError(
            expected=f"{flag} with 0{suffix} to {count - 1}{suffix}",
            got=f"{len(there)} such files"
            + (f" from {min(there)} to {max(there)}" if there else ""),
            fix="Make them from the 25 fps pictures in ori_imgs.",
        )
    return there
