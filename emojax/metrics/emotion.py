"""Is the wanted emotion seen: V/A-RMSE, V/A-SA, top-3 accuracy (EmoTalkingGaussian, S17, S18).

The judge is EmoNet with the user's weights; its name and theirs stand in every score. It errs
itself: `own_error` says by how much where the truth is known. The paper's list of labels for its 12
points is lost; `LABELS` is inferred from the circumplex and stands here to be replaced.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from emojax.data.errors import DataError
from emojax.emotion import circumplex
from emojax.experts import Expert, layers
from emojax.opencv import cv2

TOP = 3
BATCH = 8
SIDE = 256  # of the faces that EmoNet takes
# Landmarks reach from brows to chin, the detectors' boxes that EmoNet knows from the hairline.
SQUARE = 1.4  # side over the longer one of the landmarks' box
LIFT = 0.1  # of the side, upwards

# One predefined class for each of `circumplex.POINTS`.
LABELS = (
    "happy", "surprise", "fear", "disgust", "sad", "sad", "neutral", "happy",
    "happy", "anger", "sad", "neutral",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Seen:
    """What the judge sees in the frames of one film.

    Attributes:
      valence_arousal: [N, 2].
      logits: [N, C].
      judge: network, and the digits of its weights.
    """

    valence_arousal: np.ndarray
    logits: np.ndarray
    judge: str


@dataclasses.dataclass(frozen=True)
class EmotionScore:
    """How well wanted emotions are seen, each value the mean over points.

    Attributes:
      rmse: [2] of valence and arousal, smaller is better.
      sign_agreement: [2], 0 to 1.
      top_accuracy: 0 to 1, of the predefined class among the three likeliest; NaN where classes
        are unknown to the judge.
      num_frames: by point.
      judge: network, and the digits of its weights.
    """

    rmse: np.ndarray
    sign_agreement: np.ndarray
    top_accuracy: float
    num_frames: tuple[int, ...]
    judge: str


def look(expert: Expert, faces: Iterable[np.ndarray]) -> Seen:
    """Returns what EmoNet sees.

    Args:
      expert: EmoNet, of 8 or of 5 classes.
      faces: uint8 RGB [256, 256, 3] each, cut to the face; the same cut for all that is compared.

    Raises:
      DataError: another network, or no face.
    """
    if not expert.spec.name.startswith("emonet"):
        raise DataError(
            expected="EmoNet as the judge",
            got=expert.spec.name,
            fix='Give experts.load("emonet_8").',
        )
    images = [np.asarray(face).transpose(2, 0, 1) for face in faces]
    if not images:
        raise DataError(expected="at least one face", got="none", fix="Judge a film with frames.")
    names = ["valence", "arousal", "expression"]
    parts = []
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        # The last batch is filled up: one shape, one compilation.
        filled = np.stack(batch + batch[-1:] * (BATCH - len(batch)))
        found = expert.apply(expert.params, filled, outputs=names)
        parts.append([np.asarray(found[name])[: len(batch)] for name in names])
    valence, arousal, logits = (np.concatenate(part) for part in zip(*parts, strict=True))
    judge = f"{expert.spec.name}, weights {layers.fingerprint(expert.params)}"
    return Seen(np.stack([valence, arousal], axis=1), logits, judge)


def crop(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Returns the face as EmoNet takes it, uint8 [256, 256, 3]; edges go on beyond the picture.

    Args:
      image: uint8 RGB [H, W, 3].
      points: [68, 2] landmarks, pixels, of this picture or of the true one.

    Raises:
      DataError: landmarks are not finite, or all in one place.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    side = SQUARE * float((high - low).max())
    if not side > 0 or not np.isfinite(side):
        raise DataError(
            expected="landmarks of a face",
            got=f"{points.shape} that span {side / SQUARE:.1f} pixels",
            fix="Judge frames in which a face was found.",
        )
    corner = (low + high) / 2 - side * np.array([0.5, 0.5 + LIFT])
    scale = SIDE / side
    shift = -corner * scale - 0.5  # pixel centres are at whole numbers, edges half a pixel before
    into = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return cv2.warpAffine(
        image, into, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def score(films: Mapping[tuple[float, float], Seen]) -> EmotionScore:
    """Returns the score of films, each of one wanted emotion held still.

    Args:
      films: (valence, arousal) -> what was seen. Points of `circumplex.POINTS` have their class
        from `LABELS`; the others' is not judged.

    Raises:
      DataError: there is no film, or they were judged by different judges.
    """
    judges = {seen.judge for seen in films.values()}
    if len(judges) != 1:
        raise DataError(
            expected="films judged by one judge",
            got=", ".join(sorted(judges)) or "no film",
            fix="Judge all of them with the same weights.",
        )
    labels = dict(zip(circumplex.POINTS, LABELS, strict=True))
    hits = [
        top_accuracy(seen.logits, labels[point])
        for point, seen in films.items()
        if point in labels and circumplex.CLASSES.index(labels[point]) < seen.logits.shape[1]
    ]
    return EmotionScore(
        rmse=np.mean([rmse(p, seen.valence_arousal) for p, seen in films.items()], axis=0),
        sign_agreement=np.mean(
            [sign_agreement(p, seen.valence_arousal) for p, seen in films.items()], axis=0
        ),
        top_accuracy=float(np.mean(hits)) if hits else float("nan"),
        num_frames=tuple(len(seen.logits) for seen in films.values()),
        judge=judges.pop(),
    )


def rmse(wanted: Sequence[float], seen: np.ndarray) -> np.ndarray:
    """Returns the root mean squared error of valence and of arousal over frames, [2] (S17).

    Args:
      wanted: [2].
      seen: [N, 2].
    """
    return np.sqrt(np.mean((np.asarray(seen) - np.asarray(wanted)) ** 2, axis=0))


def sign_agreement(wanted: Sequence[float], seen: np.ndarray) -> np.ndarray:
    """Returns the share of frames whose valence and arousal have the wanted sign, [2] (S18).

    Zero is a sign of its own, as in the paper.

    Args:
      wanted: [2].
      seen: [N, 2].
    """
    return np.mean(np.sign(seen) == np.sign(wanted), axis=0)


def top_accuracy(logits: np.ndarray, label: str, *, count: int = TOP) -> float:
    """Returns the share of frames in which a class is among the likeliest.

    Args:
      logits: [N, C], classes in the order of `circumplex.CLASSES`.
      label: the class.
      count: how many are the likeliest.
    """
    likeliest = np.argsort(-np.asarray(logits), axis=1, kind="stable")[:, :count]
    return float((likeliest == circumplex.CLASSES.index(label)).any(axis=1).mean())


def own_error(seen: Seen, true: np.ndarray) -> dict[str, float]:
    """Returns the judge's own error on faces whose emotion is known.

    Args:
      seen: of true pictures.
      true: [N, 2] valence and arousal of each.

    Returns:
      RMSE and correlation of valence and of arousal; NaN where the truth does not vary.
    """
    true = np.asarray(true, float)
    if true.shape != seen.valence_arousal.shape:
        raise DataError(
            expected=f"true emotions {list(seen.valence_arousal.shape)}",
            got=f"shape {list(true.shape)}",
            fix="Give (valence, arousal) for each judged face.",
        )
    errors = np.sqrt(np.mean((seen.valence_arousal - true) ** 2, axis=0))
    found: dict[str, float] = {}
    for i, name in enumerate(("valence", "arousal")):
        pair = np.stack([seen.valence_arousal[:, i], true[:, i]])
        varies = len(true) > 1 and (pair.std(axis=1) > 0).all()
        found[f"{name}_rmse"] = float(errors[i])
        found[f"{name}_correlation"] = float(np.corrcoef(pair)[0, 1]) if varies else float("nan")
    return found
