"""A film's frames again, with emotions drawn over the disc: twins, written for training.

Of each twin the data set gets picture, regions, landmarks and normals, all true, in the form of
`emojax.data.emotional`. Pictures are as the puppet draws them: without the noise and compression
that the film may have.
"""

from __future__ import annotations

import concurrent.futures
import pathlib
from collections.abc import Callable, Iterator

import jax
import numpy as np

from emojax.data import cameras, emotional, files
from emojax.data.emotional import EmotionalPicture
from emojax.data.errors import DataError
from emojax.emotion import sampler
from emojax.puppet import dataset, masks, truth, twins
from emojax.puppet.twins import Recording

SOURCE = "twins"
AHEAD = 4  # pictures of a thread that wait to be written


def write(
    key: jax.Array,
    folder: pathlib.Path,
    count: int,
    *,
    samples: int = 4,
    workers: int = 2,
    overwrite: bool = False,
    progress: Callable = iter,
) -> int:
    """Writes twins of training frames into a film's data set, and returns how many.

    Args:
      key: of frames and points; consumed.
      folder: of a film with truth.
      count: how many; frames come again when there are more twins than frames.
      samples: as for `picture.draw`.
      workers: threads that draw.
      overwrite: replace those that are there.
      progress: wraps the iterable of numbers, for a progress bar.

    Raises:
      DataError: the folder is no film with truth, has such pictures already, or none was asked for.
    """
    if count < 1:
        raise DataError(expected="one twin or more", got=str(count), fix="Ask for some.")
    recording = twins.read(folder)
    train = cameras.read_transforms(folder / files.TRANSFORMS[0])["numbers"]
    frame_key, point_key = jax.random.split(key)
    rounds = -(-count // len(train))
    orders = [jax.random.permutation(k, len(train)) for k in jax.random.split(frame_key, rounds)]
    frames = train[np.concatenate(orders)[:count]]
    points = np.asarray(sampler.uniform(point_key, count))
    made = pictures(recording, frames, points, samples=samples, workers=workers)
    shown = (picture for _, picture in zip(progress(range(count)), made, strict=True))
    return emotional.write(folder, shown, source=SOURCE, facts={}, overwrite=overwrite)


def pictures(
    recording: Recording,
    frames: np.ndarray,
    points: np.ndarray,
    *,
    samples: int = 4,
    workers: int = 2,
) -> Iterator[EmotionalPicture]:
    """Yields the twin of each frame at its point.

    Args:
      recording: of the film.
      frames: int [M], numbers of its frames.
      points: float [M, 2] valence and arousal.
      samples: as for `picture.draw`.
      workers: threads that draw.
    """

    def one(place: int) -> EmotionalPicture:
        frame, point = int(frames[place]), points[place]
        drawn, found = jax.device_get(twins.draw(recording, frame, point, samples=samples))
        return EmotionalPicture(
            frame=frame,
            emotion=np.float32(point),
            image=np.uint8(drawn.image * 255 + 0.5),
            labels=masks.to_labels(drawn.labels),
            landmarks=np.float32(dataset.landmark_pixels(found.points)),
            normals=np.float32(truth.to_viewer(drawn.normals, recording.camera)),
        )

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for first in range(0, len(frames), AHEAD * workers):
            yield from pool.map(one, range(first, min(first + AHEAD * workers, len(frames))))
