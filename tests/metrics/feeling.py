"""A made-up person whose pictures say what he feels, a judge who reads it there, and a scenario.

The upper left corner of a picture holds valence and arousal as colours; the rest is brighter where
they are higher. The judge's landmarks follow the colours by action units.
"""

import dataclasses
import functools

import numpy as np

from emojax.data import face68
from emojax.emotion import circumplex, measures, reading, sampler
from emojax.metrics import emotional, true_twins
from emojax.metrics.judge import Judge
from emojax.metrics.true_twins import TrueTwin
from tests.drive import scene

SIZE, COUNT, TRAIN = 32, 42, 16
CORNER = (slice(0, 2), slice(0, 2))
FACE = face68.MEAN_SHAPE[:, :2] * (1, -1) / 4 + 16  # pixels
UP = {"brows": {1: 1.2, 2: 1.2, 4: -1.0}, "corners": {12: 1.2, 15: -1.0}, "lids": {5: 0.3, 45: -1}}
POINTS = {"brows": face68.BROWS, "corners": (48, 54, 60, 64), "lids": (37, 38, 43, 44)}
NORMAL = np.float32([0.6, 0, 0.8])


def picture(number, point):
    """What a frame looks like with an emotion, float32 [S, S, 3] of 8 bits."""
    image = np.full((SIZE, SIZE, 3), 0.3 + 0.1 * np.sin(number))
    image += 0.1 * np.array([point[0], point[1], 0])
    image[CORNER] = [0.5 + 0.5 * point[0], 0.5 + 0.5 * point[1], 0]
    return np.float32(np.uint8(np.clip(image, 0, 1) * 255 + 0.5)) / 255


@functools.cache
def _units(valence, arousal):
    """Action units by number, 0 to 1."""
    shown = np.asarray(circumplex.action_units(valence, arousal)) / circumplex.STRONGEST
    return dict(zip(circumplex.ACTION_UNITS, shown, strict=True))


def face(point, number=0):
    """Landmarks with an emotion while the lips open and close, [68, 2]."""
    units = _units(*(round(float(value), 3) for value in point))
    found = FACE.copy()
    for name, which in POINTS.items():
        found[list(which), 1] -= sum(gain * units[unit] for unit, gain in UP[name].items())
    found[list(face68.INNER_LIP[5:]), 1] += 1 + np.sin(number)
    return found


@functools.cache
def reader():
    """Fitted to such faces."""
    points = np.tile(np.concatenate([sampler.grid(9), emotional.POINTS]), (2, 1))
    lengths = np.stack([measures.measure(face(point)) for point in points])
    noise = 0.002 * np.random.default_rng(0).normal(size=lengths.shape)
    features = lengths - measures.measure(face((0, 0))) + noise
    return reading.fit(features, points, np.repeat([0, 1], len(points) // 2))


def judge(count):
    """Who reads the colours of the corner; of frame 3 he sees no face."""
    found = np.ones(count, bool)
    found[3] = False

    def predict(image, box):
        corner = image[CORNER].mean(axis=(0, 1)) / 255
        return face(2 * corner[:2] - 1, number=box[0])

    boxes = np.stack([np.arange(count), np.zeros(count), np.ones(count)], axis=-1)
    return Judge(boxes, found, predict)


def twin(recording, number, point):
    """In the place of `true_twins.at`."""
    everywhere = np.ones((SIZE, SIZE), bool)
    normals = np.tile(NORMAL, (SIZE, SIZE, 1))
    return TrueTwin(picture(number, point), everywhere, everywhere, normals)


def clip():
    """Whose frames are neutral."""
    talk = scene.clip(COUNT, SIZE)
    images = np.stack([np.uint8(255 * picture(n, (0, 0)) + 0.5) for n in range(COUNT)])
    return dataclasses.replace(talk, images=images, num_train=TRAIN)


def exam(monkeypatch, *, has_truth=True, windows=None):
    """An exam of the clip's held-out rows."""
    monkeypatch.setattr(emotional.judge, "appoint", lambda frames, progress: judge(len(frames)))
    monkeypatch.setattr(true_twins, "at", twin)
    monkeypatch.setattr(true_twins, "fitted", lambda recording, size: recording)
    talk = clip()
    return emotional.prepare(
        talk,
        np.arange(TRAIN, COUNT),
        reader(),
        recording="of the puppet" if has_truth else None,
        windows=windows,
    )


def renders(shown, *, normals=True):
    """A head that draws what `shown` makes of the wanted point; plainly it is neutral."""

    def felt(batches):
        for some in batches:
            for row, point in zip(some.rows, some.valence_arousal, strict=True):
                yield picture(int(row), shown(point))

    def plain(batches):
        for some in batches:
            yield from (picture(int(row), (0, 0)) for row in some.rows)

    def drawn(batches):
        for some in batches:
            yield from (np.tile(0.9 * NORMAL, (SIZE, SIZE, 1)) for _ in some.rows)

    return emotional.Renders(felt, plain, drawn if normals else None)
