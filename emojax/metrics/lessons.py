"""Faces of puppets as the judge sees them, with their emotions known: what a reader learns from.

A puppet speaks; some of its frames are drawn neutral and again as twins, with points drawn evenly
from the disc. dlib looks at all twins of a frame with the box of the neutral one, as the judge of
renderings does (`judge`). Landmarks are pixels, pixel centres at whole numbers.
"""

from __future__ import annotations

import dataclasses

import jax
import numpy as np

from emojax.data import landmarks
from emojax.data.errors import DataError
from emojax.emotion import measures, sampler
from emojax.puppet import population, take, twins
from emojax.puppet.twins import Recording

SECONDS = 5.0  # of speech: frames a second apart show different sounds
POINTS_KEY = 2  # of the puppet's seed, whose own key draws its face


@dataclasses.dataclass(frozen=True)
class Lessons:
    """Of one puppet, F frames with P twins each.

    Attributes:
      neutral: [F, 68, 2] landmarks of the neutral faces.
      felt: [F, P, 68, 2] landmarks of their twins.
      emotions: [F, P, 2] valence and arousal of these.
    """

    neutral: np.ndarray
    felt: np.ndarray
    emotions: np.ndarray

    def features(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns how twins' lengths differ from the neutral faces', [F P, 11]; emotions [F P, 2].

        Lengths are those of `emotion.measures`.
        """
        changed = measures.measure(self.felt) - measures.measure(self.neutral)[:, None]
        return changed.reshape(-1, changed.shape[-1]), self.emotions.reshape(-1, 2)


def of_puppet(
    seed: int,
    *,
    world: str = "usual",
    frames: int = 3,
    points: int = 12,
    size: int = 128,
    samples: int = 4,
) -> Lessons:
    """Films some frames of a puppet with their twins, and looks for landmarks.

    Args:
      seed: of the puppet.
      world: that it is drawn from.
      frames: how many, evenly over its speech; those in which dlib sees no face are left out.
      points: twins of each.
      size: side of the pictures, pixels.
      samples: as for `picture.draw`.

    Raises:
      DataError: dlib or espeak-ng is not installed, or dlib sees no face in any of the frames.
    """
    detector, predictor = landmarks.load_models()
    actor = population.cast(seed, world=population.world(world))
    recording = twins.of(take.talk(actor, SECONDS), size=size)
    numbers = np.linspace(0, len(recording), frames + 2)[1:-1].astype(int)
    key = jax.random.fold_in(jax.random.key(seed), POINTS_KEY)
    drawn = np.asarray(sampler.uniform(key, frames * points)).reshape(frames, points, 2)
    neutral, felt, emotions = [], [], []
    for number, some in zip(numbers, drawn, strict=True):
        rest, *others = (
            _picture(recording, int(number), point, samples) for point in (np.zeros(2), *some)
        )
        boxes = landmarks.detect(rest, detector)
        if len(boxes):
            neutral.append(landmarks.predict(rest, boxes[0], predictor))
            felt.append([landmarks.predict(other, boxes[0], predictor) for other in others])
            emotions.append(some)
    if not neutral:
        raise DataError(
            expected=f"a face that dlib finds in frames of puppet {seed}",
            got="none",
            fix="Take another seed, or larger pictures.",
        )
    return Lessons(np.stack(neutral), np.array(felt), np.stack(emotions))


def _picture(recording: Recording, number: int, point: np.ndarray, samples: int) -> np.ndarray:
    """A twin as uint8 [S, S, 3]."""
    drawn, _ = twins.draw(recording, number, np.float32(point), samples=samples)
    return np.uint8(np.asarray(drawn.image) * 255 + 0.5)
