"""68 face landmarks of every frame: dlib, made precise by averaging and still by optical flow.

dlib's predictor rounds to whole pixels and depends on the box it is given: 8 jittered boxes on an
enlarged picture are averaged. What noise is left is removed without lag or loss of blinks by a
least squares in time that takes optical flow for the motion between frames (`fuse`). Both lengths
in time and the flow stop at jump cuts (`find_cuts`).

Frames are RGB uint8 [H, W, 3]; points are (x, y) pixels, pixel centres at whole numbers. Lengths
below named `*_AT_512` are pixels of a 512 pixel wide picture and scale with the width.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from emojax.data import files
from emojax.data.errors import DataError
from emojax.opencv import cv2

# The detector wants faces of about 55 pixels and more; a portrait's face fills a third of the
# picture. What is not found there is looked for again in up to SEARCH_WIDTH pixels.
DETECT_WIDTH, SEARCH_WIDTH = 256, 1024
# The predictor's rounding error shrinks with enlargement; at 1024 averaging hides the rest.
PREDICT_WIDTH = 1024
NUM_BOXES = 8
BOX_SHIFT, BOX_SIZE = 0.06, 0.10  # jitter, of the box's side
BOX_SIGMA = 5.0  # frames over which the box is smoothed
MAX_GAP = 5  # frames without a face through which the box is interpolated

# A cut is a change of the picture far above its neighbourhood's; steady fast motion is not. On the
# clips at hand, cuts reach 9 to 27 times the local median and motion 4.6.
CUT_OVER_MEDIAN, CUT_OVER_NEIGHBOR, CUT_MIN = 6.5, 2.5, 2.0
CUT_REACH = 12  # frames on either side
CUT_SIDE = 64  # pixels to which pictures are reduced for it

DETECTION_SIGMA_AT_512 = 0.5  # 1.0 would cost 4 % of the mouth's motion, 0.35 nothing more
FLOW_SIGMA_AT_512 = 0.3
FLOW_RELATIVE = 0.15  # of the motion's length
FLOW_WINDOW_AT_512, FLOW_LEVELS = 15, 2
MAX_ROUND_TRIP_AT_512 = 1.8  # flow there and back: beyond, it tells nothing


@dataclasses.dataclass(frozen=True)
class Faces:
    """Where faces are in a clip.

    Attributes:
      boxes: [T, 3] centre x, centre y and side of the followed face, pixels; NaN where there is
      none.
      counts: [T] int, faces found, those smaller than half of the largest one left out.
      cuts: [C] int, first frames after jump cuts.
    """

    boxes: np.ndarray
    counts: np.ndarray
    cuts: np.ndarray


@dataclasses.dataclass(frozen=True)
class Landmarks:
    """The landmarks of a clip.

    Attributes:
      points: [T, 68, 2] pixels, finite everywhere; where `found` is False, what the predictor makes
        of an interpolated box: no landmarks of a face.
      found: [T] bool, a face was seen in this frame or within `MAX_GAP` frames on both sides.
      cuts: [C] int, first frames after jump cuts.
    """

    points: np.ndarray
    found: np.ndarray
    cuts: np.ndarray


def load_models() -> tuple[Callable, Callable]:
    """Returns dlib's frontal face detector and 68-point predictor.

    Raises:
      DataError: one of the two packages is not installed.
    """
    names = ("dlib", "face_recognition_models")
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise DataError(
            expected="the packages dlib-bin and face-recognition-models, for landmarks",
            got=f"no module {' and '.join(missing)}",
            fix="Install the extra: pip install 'emojax[face]'.",
        )
    import dlib  # an extra: only who makes landmarks needs it

    # Its package imports pkg_resources, which new Pythons lack: the file is opened by its place.
    package = pathlib.Path(importlib.util.find_spec("face_recognition_models").origin).parent
    model = package / "models" / "shape_predictor_68_face_landmarks.dat"
    return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(model))


def detect(image: np.ndarray, detector: Callable, *, width: int = DETECT_WIDTH) -> np.ndarray:
    """Returns the boxes of all upright faces in one picture.

    Args:
      image: uint8 [H, W, 3].
      detector: of `load_models`.
      width: to which the longer side is scaled; faces of 55 pixels and more are found.

    Returns:
      [K, 3] centre x, centre y, side; pixels of `image`, largest first.
    """
    scale = width / max(image.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = (
        image if scale == 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=method)
    )
    found = [
        (r.left() + r.right(), r.top() + r.bottom(), r.width() + r.height())
        for r in detector(np.ascontiguousarray(small))
    ]
    boxes = np.array(found, np.float64).reshape(-1, 3) / (2 * scale)
    return boxes[np.argsort(-boxes[:, 2])]


def find_faces(
    frames: Sequence[np.ndarray], detector: Callable, *, progress: Callable = iter
) -> Faces:
    """Finds the face to follow in every frame, and the jump cuts.

    Args:
      frames: uint8 [H, W, 3] each.
      detector: of `load_models`.
      progress: wraps the iterable of frame numbers, for a progress bar.
    """
    boxes = np.full((len(frames), 3), np.nan)
    counts = np.zeros(len(frames), np.int64)
    small = np.empty((len(frames), CUT_SIDE, CUT_SIDE), np.float32)
    last = None
    for t in progress(range(len(frames))):
        image = frames[t]
        small[t] = reduce_for_cuts(image)
        found = detect(image, detector)
        width = min(max(image.shape[:2]), SEARCH_WIDTH)
        if not len(found) and width > DETECT_WIDTH:
            found = detect(image, detector, width=width)
        if not len(found):
            continue
        counts[t] = np.sum(found[:, 2] > found[0, 2] / 2)
        # The face nearest to the last one, unless it is a small one in the background.
        near = found[found[:, 2] > found[0, 2] / 2]
        if last is not None:
            near = near[np.argsort(np.hypot(*(near[:, :2] - last[:2]).T))]
        boxes[t] = last = near[0]
    return Faces(boxes, counts, find_cuts(small))


def reduce_for_cuts(image: np.ndarray) -> np.ndarray:
    """Returns the small grey picture of `image` that `find_cuts` compares, [64, 64] float32."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.float32(cv2.resize(gray, (CUT_SIDE, CUT_SIDE), interpolation=cv2.INTER_AREA))


def find_cuts(small: np.ndarray) -> np.ndarray:
    """Returns the first frames after jump cuts.

    Args:
      small: [T, h, w] grey pictures, 0 to 255, reduced so far that motion of a head is a small
      change.
    """
    change = np.zeros(len(small))
    for t in range(1, len(small)):
        change[t] = np.abs(small[t] - small[t - 1]).mean()
    cuts = []
    for t in range(1, len(small)):
        before, after = change[max(t - CUT_REACH, 1) : t], change[t + 1 : t + 1 + CUT_REACH]
        around = np.concatenate([before, after])
        if not len(around) or change[t] < CUT_MIN:
            continue
        beside = max(before[-1:].sum(), after[:1].sum())
        # The noise of a still camera is about a third of a grey level after the reduction.
        if change[t] > CUT_OVER_MEDIAN * (np.median(around) + 0.3) and (
            change[t] > CUT_OVER_NEIGHBOR * beside
        ):
            cuts.append(t)
    return np.array(cuts, np.int64)


def segments(cuts: np.ndarray, num_frames: int) -> list[slice]:
    """Returns the uncut stretches of a clip.

    Args:
      cuts: [C] first frames after cuts, ascending.
      num_frames: T.
    """
    edges = [0, *(int(cut) for cut in cuts), num_frames]
    return [slice(a, b) for a, b in itertools.pairwise(edges) if b > a]


def smooth_boxes(faces: Faces) -> tuple[np.ndarray, np.ndarray]:
    """Returns boxes for every frame, still and without lag, and where they can be relied on.

    Args:
      faces: as detected.

    Returns:
      [T, 3] boxes, finite; [T] bool, False in stretches of more than `MAX_GAP` frames with no face.

    Raises:
      DataError: there is no face in any frame.
    """
    num_frames = len(faces.boxes)
    seen = np.isfinite(faces.boxes[:, 0])
    if not seen.any():
        raise DataError(
            expected="a face that looks at the camera",
            got=f"none in {num_frames} frames",
            fix="Use a video with one upright, frontal face, at least 60 pixels wide.",
        )
    boxes, found = np.empty((num_frames, 3)), np.zeros(num_frames, bool)
    time = np.arange(num_frames)
    for part in segments(faces.cuts, num_frames):
        inside = time[part][seen[part]]
        anchors = inside if len(inside) else time[seen]  # a shot without a face: any box, not found
        filled = [np.interp(time[part], anchors, faces.boxes[anchors, i]) for i in range(3)]
        boxes[part] = cv2.GaussianBlur(
            np.stack(filled, axis=-1),
            (1, 0),
            sigmaX=1,
            sigmaY=BOX_SIGMA,
            borderType=cv2.BORDER_REPLICATE,
        )
        if len(inside):
            found[part] = _short_gaps(seen[part])
    return boxes, found


def _short_gaps(seen: np.ndarray) -> np.ndarray:
    """Where seen, or in a gap of at most `MAX_GAP` between two that are; [T] bool."""
    time = np.arange(len(seen))
    last = np.maximum.accumulate(np.where(seen, time, -1))
    following = np.minimum.accumulate(np.where(seen, time, len(seen))[::-1])[::-1]
    between = (last >= 0) & (following < len(seen))
    return seen | (between & (following - last - 1 <= MAX_GAP))


def predict(image: np.ndarray, box: np.ndarray, predictor: Callable) -> np.ndarray:
    """Returns the mean of the predictor's landmarks over jittered boxes.

    Args:
      image: uint8 [H, W, 3].
      box: [3] centre x, centre y, side; pixels.
      predictor: of `load_models`.

    Returns:
      [68, 2] pixels.
    """
    import dlib

    scale = max(round(PREDICT_WIDTH / image.shape[1]), 1)
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if scale > 1:
        gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    total = np.zeros((68, 2))
    for dx, dy, grow in _JITTER:
        half = box[2] * (1 + grow) / 2
        x, y = box[0] + dx * box[2], box[1] + dy * box[2]
        corners = [round(scale * v) for v in (x - half, y - half, x + half, y + half)]
        parts = predictor(gray, dlib.rectangle(*corners)).parts()
        total += [(part.x, part.y) for part in parts]
    # Pixel i of an enlarged picture has its centre at (i + 0.5) / scale - 0.5 of the small one.
    return (total / NUM_BOXES + 0.5) / scale - 0.5


def _jitter() -> np.ndarray:
    """[NUM_BOXES, 3] shifts in x and y and growth of the boxes, of mean zero, always the same."""
    unit = np.random.default_rng(0).uniform(-1, 1, (NUM_BOXES, 3))
    return (unit - unit.mean(axis=0)) * [BOX_SHIFT, BOX_SHIFT, BOX_SIZE]


_JITTER = _jitter()


def flow(previous: np.ndarray, following: np.ndarray, points: np.ndarray) -> tuple:
    """Returns the optical flow (pyramidal Lucas-Kanade) of points to the next frame.

    Args:
      previous: uint8 [H, W] grey.
      following: uint8 [H, W] grey.
      points: [K, 2] in the previous picture.

    Returns:
      [K, 2] motion, pixels; [K] length of the error of the way there and back, infinite where lost.
    """
    window = max(7, int(FLOW_WINDOW_AT_512 * previous.shape[1] / 512) // 2 * 2 + 1)
    options = {"winSize": (window, window), "maxLevel": FLOW_LEVELS}
    start = points.astype(np.float32)[:, None]
    there, ok_there, _ = cv2.calcOpticalFlowPyrLK(previous, following, start, None, **options)
    back, ok_back, _ = cv2.calcOpticalFlowPyrLK(following, previous, there, None, **options)
    error = np.linalg.norm((back - start)[:, 0], axis=-1)
    ok = (ok_there.ravel() == 1) & (ok_back.ravel() == 1) & np.isfinite(error)
    return np.where(ok[:, None], (there - start)[:, 0], 0), np.where(ok, error, np.inf)


def fuse(
    points: np.ndarray, motion: np.ndarray, error: np.ndarray, *, width: int, cuts: np.ndarray
) -> np.ndarray:
    """Returns the points that fit the detections and the flow between them best.

    Minimises, for each point and coordinate, sum_t (x_t - points_t)^2 / sigma_d^2 + sum_t (x_t+1 -
    x_t - motion_t)^2 / sigma_t^2, a tridiagonal system; sigma_t grows with the flow's own error and
    length.

    Args:
      points: [T, K, 2] detected, pixels.
      motion: [T - 1, K, 2] flow from each frame to the next, pixels.
      error: [T - 1, K] of the flow there and back; infinite where there is none.
      width: of the pictures, pixels.
      cuts: first frames after jump cuts, over which nothing is carried.

    Returns:
      [T, K, 2].
    """
    unit = width / 512
    variance = (
        (FLOW_SIGMA_AT_512 * unit) ** 2
        + (2 * np.minimum(error, 1e6)) ** 2
        + (FLOW_RELATIVE * np.linalg.norm(motion, axis=-1)) ** 2
    )
    weight = np.where(error < MAX_ROUND_TRIP_AT_512 * unit, 1 / variance, 0)
    weight[np.asarray(cuts, np.int64) - 1] = 0
    anchor = 1 / (DETECTION_SIGMA_AT_512 * unit) ** 2
    pull = weight[..., None] * motion
    right = anchor * points
    right[:-1] -= pull
    right[1:] += pull
    diagonal = np.full(points.shape[:2], anchor)
    diagonal[:-1] += weight
    diagonal[1:] += weight
    # Thomas' algorithm, for all points and coordinates at once.
    right = right.astype(np.float64)
    for t in range(1, len(points)):
        factor = weight[t - 1] / diagonal[t - 1]
        diagonal[t] -= factor * weight[t - 1]
        right[t] += factor[:, None] * right[t - 1]
    fused = np.empty_like(right)
    fused[-1] = right[-1] / diagonal[-1][:, None]
    for t in range(len(points) - 2, -1, -1):
        fused[t] = (right[t] + weight[t][:, None] * fused[t + 1]) / diagonal[t][:, None]
    return fused


def find_landmarks(
    frames: Sequence[np.ndarray], faces: Faces, predictor: Callable, *, progress: Callable = iter
) -> Landmarks:
    """Returns precise, temporally stable landmarks of every frame.

    Args:
      frames: uint8 [H, W, 3] each.
      faces: of `find_faces`.
      predictor: of `load_models`.
      progress: wraps the iterable of frame numbers, for a progress bar.

    Raises:
      DataError: there is no face in any frame.
    """
    boxes, found = smooth_boxes(faces)
    num_frames = len(boxes)
    points = np.empty((num_frames, 68, 2))
    motion, error = np.zeros((num_frames - 1, 68, 2)), np.full((num_frames - 1, 68), np.inf)
    previous = None
    for t in progress(range(num_frames)):
        image = frames[t]
        points[t] = predict(image, boxes[t], predictor)
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if previous is not None and found[t] and found[t - 1]:
            motion[t - 1], error[t - 1] = flow(previous, gray, points[t - 1])
        previous = gray
    fused = fuse(points, motion, error, width=frames[0].shape[1], cuts=faces.cuts)
    return Landmarks(fused.astype(np.float32), found, faces.cuts)


_AGAIN = "Make the landmarks again: experiments/preprocess.py --stages landmarks --overwrite."


def read_lms(path: pathlib.Path) -> np.ndarray:
    """Reads one `N.lms`.

    Args:
      path: of the text file, 68 rows of x and y.

    Returns:
      float32 [68, 2] pixels.

    Raises:
      DataError: the file is absent or holds something else.
    """
    try:
        values = np.array(path.read_text().split(), np.float32)
    except (OSError, ValueError) as error:
        raise DataError(
            expected=f"68 rows of two numbers in {path}", got=str(error), fix=_AGAIN
        ) from error
    if values.size != 136 or not np.isfinite(values).all():
        raise DataError(
            expected=f"68 rows of two finite numbers in {path}",
            got=f"{values.size} numbers, {np.isfinite(values).sum()} of them finite",
            fix=_AGAIN,
        )
    return values.reshape(68, 2)


def write_lms(path: pathlib.Path, points: np.ndarray) -> None:
    """Writes points [68, 2] in pixels as `N.lms` at path."""
    files.write_text(path, "".join(f"{x:f} {y:f}\n" for x, y in points))
