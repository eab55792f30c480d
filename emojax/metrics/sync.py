"""Do lips and sound agree: Sync-E (LSE-D), Sync-C (LSE-C) and offset, as syncnet_python has them.

The judge is SyncNet with the user's weights; its name and theirs stand in each score. It errs:
`own_error` says how it judges the true film, whose offset is zero. Values of other crops, other
weights or Wav2Lip's expert do not compare.

Faces are a square of the whole face, moved down (syncnet_python, run_pipeline.py), 224 x 224. The
original cuts it by S3FD's boxes; boxes around landmarks are tighter, so name their source.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import jax.numpy as jnp
import numpy as np

from emojax.data.errors import DataError
from emojax.experts import Expert, layers, lip_sync, speech_features, syncnet
from emojax.opencv import cv2

CROP_SCALE = 0.4
PADDING = 110  # grey level outside of the picture
SMOOTHING = 13  # frames of the median over boxes
SAMPLES_PER_FRAME = 640  # at 16 kHz and 25 fps
BATCH = 20


@dataclasses.dataclass(frozen=True)
class SyncScore:
    """How well a film's lips and sound agree.

    Attributes:
      distance: Sync-E, LSE-D: smaller is better.
      confidence: Sync-C, LSE-C: larger is better.
      offset: frames by which the sound would have to move.
      num_windows: compared.
      judge: network, and the digits of its weights.
    """

    distance: float
    confidence: float
    offset: int
    num_windows: int
    judge: str


def score(expert: Expert, faces: Sequence[np.ndarray], wave: np.ndarray) -> SyncScore:
    """Returns Sync-E, Sync-C and offset of a film.

    Args:
      expert: SyncNet.
      faces: uint8 RGB [224, 224, 3] each, at 25 fps, of `crop_faces`.
      wave: [N] int16 samples at 16 kHz.

    Raises:
      DataError: another network, or film or sound are too short for one window.
    """
    if expert.spec.name != syncnet.SPEC.name:
        raise DataError(
            expected="SyncNet as the judge",
            got=expert.spec.name,
            fix='Give experts.load("syncnet").',
        )
    count = num_windows(len(faces), len(wave))
    sound = syncnet.mfcc_windows(wave)[:count]
    parts = []
    for start in range(0, count, BATCH):
        starts = range(start, min(start + BATCH, count))
        # The last batch is filled up: one shape, one compilation.
        rows = [min(i, count - 1) for i in range(start, start + BATCH)]
        windows = np.stack([_window(faces, i) for i in rows])
        given = (windows, jnp.asarray(sound[rows]))
        found = expert.apply(expert.params, *given, outputs=["lip_embedding", "audio_embedding"])
        parts.append([np.asarray(found[name])[: len(starts)] for name in sorted(found)])
    heard, seen = (np.concatenate(part) for part in zip(*parts, strict=True))
    found = lip_sync.evaluate(lip_sync.distances(seen, heard))
    return SyncScore(
        distance=float(found.distance),
        confidence=float(found.confidence),
        offset=int(found.offset),
        num_windows=count,
        judge=f"syncnet, weights {layers.fingerprint(expert.params)}",
    )


def own_error(expert: Expert, faces: Sequence[np.ndarray], wave: np.ndarray) -> dict[str, float]:
    """Returns how the judge sees the true film: what a perfect head could reach.

    Args:
      expert: SyncNet.
      faces: of the true film, as in `score`.
      wave: its sound.

    Returns:
      "offset", which is zero for an unfailing judge; "distance" and "confidence" of the truth; and
      "reversed_confidence", that of the same film with its sound played backwards.
    """
    true = score(expert, faces, wave)
    control = score(expert, faces, wave[::-1])
    return {
        "offset": float(true.offset),
        "distance": true.distance,
        "confidence": true.confidence,
        "reversed_confidence": control.confidence,
    }


def num_windows(num_frames: int, num_samples: int) -> int:
    """Returns the windows that the original compares: the shorter one's frames less five.

    Args:
      num_frames: of the film.
      num_samples: of its sound.

    Raises:
      DataError: there is none.
    """
    count = min(num_frames, num_samples // SAMPLES_PER_FRAME) - syncnet.FRAMES
    if count < 1:
        raise DataError(
            expected=f"at least {syncnet.FRAMES + 1} frames and as much sound",
            got=f"{num_frames} frames, {num_samples / speech_features.SAMPLE_RATE:.2f} s of sound",
            fix="Judge a longer film.",
        )
    return count


def crop_faces(frames: Iterable[np.ndarray], boxes: np.ndarray) -> list[np.ndarray]:
    """Returns the squares that SyncNet looks at, uint8 RGB [224, 224, 3] each.

    Args:
      frames: uint8 RGB [H, W, 3].
      boxes: [T, 4] left, top, right, bottom of the face in each.

    Raises:
      DataError: a box is empty, not finite, or its square lies outside of the picture.
    """
    boxes = np.asarray(boxes, float)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not len(boxes) or not np.isfinite(boxes).all():
        raise DataError(
            expected="finite boxes [T, 4], left, top, right, bottom",
            got=f"shape {list(boxes.shape)}",
            fix="Give a box for each frame; fill gaps by interpolation.",
        )
    low, high = boxes[:, :2], boxes[:, 2:]
    half = _median((high - low).max(axis=1) / 2)
    middle = np.stack([_median(column) for column in ((low + high) / 2).T], axis=1)
    return [
        _square(frame, *place)
        for frame, place in zip(frames, zip(half, middle, strict=True), strict=True)
    ]


def _square(frame: np.ndarray, half: float, middle: np.ndarray) -> np.ndarray:
    """One square; corners are truncated as the original does."""
    pad = int(half * (1 + 2 * CROP_SCALE))
    x, y = middle + pad
    sides = half * (1 + CROP_SCALE)
    top, bottom = int(y - half), int(y + half * (1 + 2 * CROP_SCALE))
    left, right = int(x - sides), int(x + sides)
    padded = np.pad(frame, ((pad, pad), (pad, pad), (0, 0)), constant_values=PADDING)
    square = padded[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    inside = [
        min(b - pad, length) - max(a - pad, 0)
        for a, b, length in zip((top, left), (bottom, right), frame.shape[:2], strict=True)
    ]
    if min(inside) <= 0 or half < 1:
        raise DataError(
            expected=f"a face in the picture of {frame.shape[1]} x {frame.shape[0]} pixels",
            got=f"a square around ({middle[0]:.0f}, {middle[1]:.0f}), half side {half:.0f}",
            fix="Give boxes in pixels of these frames.",
        )
    return cv2.resize(np.ascontiguousarray(square), (syncnet.SIDE, syncnet.SIDE))


def _median(values: np.ndarray) -> np.ndarray:
    """A running median, zeros beyond the ends as in scipy.signal.medfilt."""
    reach = SMOOTHING // 2
    if len(values) < SMOOTHING:
        return np.full(len(values), np.median(values))
    views = np.lib.stride_tricks.sliding_window_view(np.pad(values, reach), SMOOTHING)
    return np.median(views, axis=1)


def _window(faces: Sequence[np.ndarray], start: int) -> np.ndarray:
    """Five frames as SyncNet takes them, float32 BGR [3, 5, 224, 224]."""
    frames = np.stack(faces[start : start + syncnet.FRAMES])
    return np.float32(frames[..., ::-1].transpose(3, 0, 1, 2))
