"""Parsing of portraits by a small network that is fitted to each clip.

The teacher (`teacher`) parses every tenth frame, badly now and then; a network of 16 inputs per
pixel learns from all of them what is steady over the clip and parses every frame. It knows colours,
blurred colours, texture, and the place in the head and in the picture, hence also a background that
stands still. `cleanup` then sharpens and steadies what it says.

Frames are RGB uint8 [H, H, 3], any size; landmarks float [T, 68, 2] (x, y) pixels, iBUG order. All
network work happens at SIDE x SIDE pixels, so that one compilation serves every clip.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from emojax.data.labels import Label
from emojax.data.masks import cleanup, headframe, teacher
from emojax.opencv import cv2

SIDE = 256
CLASSES = (Label.BACKGROUND, Label.FACE, Label.HAIR, Label.NECK, Label.TORSO)

_WIDTHS = (16, 32, 32, len(CLASSES))
_STEPS, _BATCH, _LEARNING_RATE = 1500, 2048, 1e-2
# Pixels per class and frame that the teacher gives, and how many training draws from: 26 MB.
_PIXELS, _POOL = 1500, 400_000
# More teacher frames than this add nothing but minutes.
_MAX_TEACHERS = 150


@dataclasses.dataclass(frozen=True)
class Segmenter:
    """A network fitted to one clip.

    Attributes:
      weights: three of [inputs, outputs], the first with the scaling of the features in it.
      biases: three of [outputs].
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]


def _shrink(image: np.ndarray) -> np.ndarray:
    """The working picture of a frame."""
    shrinks = image.shape[0] > SIDE
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (SIDE, SIDE), interpolation=kind)


def _colors(picture: np.ndarray) -> np.ndarray:
    """Lab, blurred Lab and local contrast of a small picture, float32 [SIDE, SIDE, 7]."""
    lab = teacher.lab(picture)
    blurred = cv2.blur(cv2.blur(lab, (7, 7)), (7, 7))
    light = lab[..., 0]
    contrast = np.sqrt(
        np.maximum(cv2.blur(light * light, (5, 5)) - cv2.blur(light, (5, 5)) ** 2, 0)
    )
    return np.dstack([lab, blurred, contrast])


@jax.jit
def _inputs(colors, affine, chin):
    """The 16 inputs of the network: colours, and the place in head and picture."""
    index = jnp.arange(SIDE, dtype=jnp.float32)
    x, y = jnp.broadcast_arrays(index[None, :], index[:, None])
    a = affine[0, 0] * x + affine[0, 1] * y + affine[0, 2]
    b = affine[1, 0] * x + affine[1, 1] * y + affine[1, 2]
    x, y = x / SIDE - 0.5, y / SIDE - 0.5
    places = jnp.stack([a, b, a * a, b * b, x, y, x * x, y * y, b - chin], axis=-1)
    return jnp.concatenate([colors, places], axis=-1).reshape(-1, _WIDTHS[0])


def _head(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The head frame and the height of the chin in it, of landmarks in the small picture."""
    chin = headframe.points(landmarks)[8, 1]
    return headframe.affine(landmarks).astype(np.float32), np.float32(chin)


def _network(params, x):
    weights, biases = params
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        x = jax.nn.relu(x @ weight + bias)
    return x @ weights[-1] + biases[-1]


@jax.jit
def _predict(params, colors, affine, chin):
    """Probabilities of all classes but the background, [SIDE, SIDE, 4]."""
    logits = _network(params, _inputs(colors, affine, chin))
    return jax.nn.softmax(logits)[:, 1:].reshape(SIDE, SIDE, -1)


@jax.jit
def _train(key, features, targets):
    """Adam on cross-entropy over a pool of pixels, features of unit variance."""
    key_init, key_batch = jax.random.split(key)
    shapes = list(itertools.pairwise(_WIDTHS))
    keys = jax.random.split(key_init, len(shapes))
    init = jax.nn.initializers.he_normal()
    params = (
        tuple(init(k, shape) for k, shape in zip(keys, shapes, strict=True)),
        tuple(jnp.zeros(width) for width in _WIDTHS[1:]),
    )
    optimizer = optax.adam(optax.cosine_decay_schedule(_LEARNING_RATE, _STEPS, alpha=0.01))

    def loss(params, x, y):
        return optax.softmax_cross_entropy_with_integer_labels(_network(params, x), y).mean()

    def step(carry, key):
        params, state = carry
        rows = jax.random.randint(key, (_BATCH,), 0, features.shape[0])
        gradient = jax.grad(loss)(params, features[rows], targets[rows])
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(params, updates), state), None

    keys = jax.random.split(key_batch, _STEPS)
    (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), keys)
    return params


def _teach(rng, frames, landmarks, picks, progress):
    """Features and class numbers of pixels that the teacher is sure of, _POOL per class."""
    pictures = [_shrink(frames[int(t)]) for t in picks]
    points = headframe.rescale(np.asarray(landmarks)[picks], SIDE / frames[0].shape[0])
    skin = teacher.fit_skin(pictures, points)
    palette = teacher.fit_palette(pictures, points)
    pairs = list(zip(pictures, points, strict=True))
    people = [teacher.person(*pair, palette) for pair in progress(pairs)]
    hair = teacher.fit_hair(pictures, points, people)
    pool = [[] for _ in CLASSES]
    for picture, shape, foreground in zip(pictures, points, people, strict=True):
        truth = teacher.regions(picture, shape, foreground, skin, hair).ravel()
        features = np.asarray(_inputs(_colors(picture), *_head(shape)))
        for rows, label in zip(pool, CLASSES, strict=True):
            where = np.flatnonzero(truth == label)
            take = min(_PIXELS, where.size)
            rows.append(features[rng.choice(where, take, replace=False)])
    # The same number of each class that there is, and of all together: one compilation for all.
    pool = [np.concatenate(rows) for rows in pool]
    present = [i for i, rows in enumerate(pool) if len(rows)]
    targets = np.array(present)[np.arange(_POOL) % len(present)]
    features = np.empty((_POOL, _WIDTHS[0]), np.float32)
    for i in present:
        mine = targets == i
        features[mine] = pool[i][rng.integers(0, len(pool[i]), np.count_nonzero(mine))]
    return features, targets.astype(np.int32)


def fit(
    key: jax.Array,
    frames: Sequence[np.ndarray],
    landmarks: np.ndarray,
    *,
    found: np.ndarray | None = None,
    every: int = 10,
    progress: Callable = iter,
) -> Segmenter:
    """Fits the network of a clip to what the teacher says of some of its frames.

    Args:
      key: consumed.
      frames: T pictures, RGB uint8 [H, H, 3]; only the teacher's are read, one at a time.
      landmarks: [T, 68, 2] pixels.
      found: bool [T], frames with a face, of which one at least is needed; all by default. The
        others teach nothing.
      every: the teacher parses each `every`-th frame, and no more than 150 in all.
      progress: wraps the list of the teacher's frames, for a progress bar.

    Returns:
      The fitted network.
    """
    key_pool, key_train = jax.random.split(key)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key_pool)).tolist())
    there = np.flatnonzero(np.ones(len(frames), bool) if found is None else found)
    picks = there[:: max(every, -(-len(there) // _MAX_TEACHERS))]
    features, targets = _teach(rng, frames, landmarks, picks, progress)
    mean, std = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-3)
    params = _train(key_train, (features - mean) / std, targets)
    weights, biases = jax.tree.map(np.asarray, params)
    first = weights[0] / std[:, None]
    return Segmenter((first, *weights[1:]), (biases[0] - mean @ first, *biases[1:]))


def apply(
    segmenter: Segmenter,
    frames: Sequence[np.ndarray],
    landmarks: np.ndarray,
    *,
    found: np.ndarray | None = None,
    cuts: Sequence[int] = (),
) -> Iterator[np.ndarray]:
    """Parses the frames of a clip in order.

    Args:
      segmenter: fitted to this clip.
      frames: T pictures, RGB uint8 [H, H, 3], read one at a time.
      landmarks: [T, 68, 2] pixels.
      found: bool [T], frames with a face; all by default. Nothing is carried out of the others.
      cuts: first new frame of each jump cut: nothing is carried across.

    Yields:
      Label pictures, uint8 [H, H] of CLASSES.
    """
    params = segmenter.weights, segmenter.biases
    memory = None
    for t in range(len(frames)):
        frame = frames[t]
        picture = _shrink(frame)
        shape = headframe.rescale(np.asarray(landmarks[t]), SIDE / frame.shape[0])
        scores = np.asarray(_predict(params, _colors(picture), *_head(shape)))
        small, large = (cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in (picture, frame))
        scores = cleanup.guided(scores, small, large)
        is_first = t in cuts or (found is not None and t > 0 and not found[t - 1])
        memory = cleanup.blend(None if is_first else memory, scores, large)
        yield cleanup.tidy(cleanup.decide(memory.scores, CLASSES[1:]))
