"""Facial action units: estimates from tracked landmarks, and OpenFace's CSV form.

Estimates are measures of the face in millimetres of the head frame (`head_points`), calibrated on
the clip itself: 0 is the person's usual level, 5 the strongest that the clip shows or a floor below
which noise would be inflated, whichever is more. They follow the *course* of an action unit;
OpenFace's absolute intensities they are not. AU6 has no landmark of its own (the cheek) and is a
proxy.

| unit | action | measure |
| --- | --- | --- |
| 1, 2 | inner, outer brow raiser | height of points 20-23; 17, 18, 25, 26 over the eye line |
| 4 | brow lowerer | gap of 21 and 22 and height of the inner brows, downwards |
| 5, 7 | upper lid raiser, lid tightener | slow part of the lid distance, above and below usual |
| 6 | cheek raiser (proxy) | lower lids up and lip corners out |
| 25, 26 | lips part, jaw drop | distance 62-66; 8 to 33 |
| 45 | blink | fast drop of the lid distance |

Sources: FACS (Ekman, Friesen 1978) for the units, Baltrusaitis et al. 2018 (OpenFace 2.0) for the
file.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import math
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from emojax.data import face68, files
from emojax.data.errors import DataError
from emojax.data.landmarks import segments
from emojax.data.tracking import Track

ESTIMATED = (1, 2, 4, 5, 6, 7, 25, 26, 45)
LANDMARKS = "built-in estimates from landmarks"  # the `source` of these
# What TalkingGaussian reads and heads are conditioned on; all others are optional.
REQUIRED = (1, 4, 5, 6, 7, 25, 45)
MAX_INTENSITY = 5.0  # of OpenFace

STRONGEST = 99.0  # percentile of a clip that counts as its strongest action
MOUTH_FLOOR, BROW_FLOOR, LID_FLOOR, CHEEK_FLOOR = 8.0, 3.0, 2.0, 3.0  # mm
CLOSED_LIPS = 3.0  # percentile; closed lips read a gap of up to 2 px

OPEN_WINDOW, OPEN_PERCENTILE, OPEN_MEDIAN = 61, 80.0, 31  # frames; the usual opening of an eye
CLOSED_DROP = 0.5  # lids of a closed eye still read half of the open distance
BLINK_DROP = 0.35  # seen blinks drop by 0.48 to 0.63, glances by 0.32 at most
# Two lows this near are one blink, unless the eye opens between them: lids tremble while closed.
# Single closures of narrow eyes read a drop of 0.23 to 0.35 in their middle, open eyes 0.1.
BLINK_GAP, REOPENED_DROP = 8, 0.2
SLOW_WINDOW = 15  # frames; longer than a blink


@dataclasses.dataclass(frozen=True)
class ActionUnits:
    """Intensities of action units over a clip.

    Attributes:
      numbers: which units, ascending, as in `values`' columns.
      values: float32 [T, A], 0 to 5.
      success: bool [T], frames in which there was a face.
      source: where they come from, for reports.
    """

    numbers: tuple[int, ...]
    values: np.ndarray
    success: np.ndarray
    source: str

    def column(self, number: int) -> np.ndarray:
        """Returns the intensities of one unit, [T].

        Args:
          number: 1, 2, 4, ...

        Raises:
          DataError: the clip has none.
        """
        return self.values[:, self.places((number,))[0]]

    def places(self, numbers: Sequence[int]) -> np.ndarray:
        """Returns the columns of some units, int [A].

        Args:
          numbers: of the units.

        Raises:
          DataError: the clip lacks one.
        """
        for number in numbers:
            if number in self.numbers:
                continue
            raise DataError(
                expected=f"action unit {number}",
                got=f"{', '.join(map(str, self.numbers))} from {self.source}",
                fix="Use an au.csv that has it, or the built-in estimates.",
            )
        return np.array([self.numbers.index(number) for number in numbers])


def head_points(track: Track, landmarks: np.ndarray) -> np.ndarray:
    """Returns the seen landmarks in the head frame, at the depth that tracking gives them.

    Args:
      track: of the clip.
      landmarks: [T, 68, 2] pixels from the principal point.

    Returns:
      [T, 68, 3] millimetres, x to the image right, y up, z out of the face.
    """
    rotation = track.world_to_camera[:, :3, :3].astype(np.float64)
    translation = track.world_to_camera[:, :3, 3].astype(np.float64)
    camera = np.einsum("tij,tnj->tni", rotation, track.points()) + translation[:, None]
    seen = camera.copy()
    seen[..., :2] = landmarks * camera[..., 2:] / track.focal
    return 1000 * np.einsum("tji,tnj->tni", rotation, seen - translation[:, None])


def _running(values: np.ndarray, window: int, percentile: float) -> np.ndarray:
    """Running percentile over a window that shrinks at the ends, [T]."""
    half = min(window // 2, max(len(values) - 1, 0))
    padded = np.pad(values, half, mode="reflect")
    return np.percentile(
        np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), percentile, axis=-1
    )


def _by_shot(
    function: Callable, values: np.ndarray, found: np.ndarray, cuts: Sequence[int]
) -> np.ndarray:
    """What function makes of each shot, other frames interpolated; 0 in shots without a face."""
    out = np.zeros(len(values))
    for shot in segments(cuts, len(values)):
        known = np.flatnonzero(found[shot])
        if len(known):
            time = np.arange(shot.stop - shot.start)
            out[shot] = function(np.interp(time, known, values[shot][known]))
    return out


def eye_drop(
    lid_gap: np.ndarray, *, found: np.ndarray | None = None, cuts: Sequence[int] = ()
) -> np.ndarray:
    """Returns by how much the eyes are less open than they usually are around that time.

    Args:
      lid_gap: [T] mean distance of the lids, any unit.
      found: [T] bool, frames with a face; all by default. The others are interpolated.
      cuts: first frames after jump cuts: eyes are compared with those of the same shot.

    Returns:
      [T], 0 as usual, `CLOSED_DROP` when closed, negative when wide open.
    """

    def drop(gap: np.ndarray) -> np.ndarray:
        usual = _running(_running(gap, OPEN_WINDOW, OPEN_PERCENTILE), OPEN_MEDIAN, 50.0)
        return 1 - gap / np.maximum(usual, 1e-6)

    known = np.ones(len(lid_gap), bool) if found is None else np.asarray(found, bool)
    return _by_shot(drop, lid_gap, known, cuts)


def blinks(drop: np.ndarray) -> np.ndarray:
    """Returns the frames of the blinks' lowest points.

    Args:
      drop: [T] of `eye_drop`.

    Returns:
      [B] int, ascending.
    """
    is_low = np.concatenate([[False], drop >= BLINK_DROP, [False]])
    edges = np.flatnonzero(np.diff(is_low.astype(int)))
    spans: list[tuple[int, int]] = []
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        if spans:
            first, last = spans[-1]
            if begin - last <= BLINK_GAP and drop[last:begin].min() > REOPENED_DROP:
                spans[-1] = first, end
                continue
        spans.append((begin, end))
    return np.array([a + int(np.argmax(drop[a:b])) for a, b in spans], np.int64)


def _without_pose(measure: np.ndarray, pose: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """A measure less what is linear in pitch and yaw; its median stays."""
    design = pose - np.median(pose[trusted], axis=0)
    middle = np.median(measure[trusted])
    weights, *_ = np.linalg.lstsq(design[trusted], measure[trusted] - middle, rcond=None)
    return measure - design @ weights


def _calibrate(
    measure: np.ndarray, neutral: float, floor: float, trusted: np.ndarray
) -> np.ndarray:
    """0 at the neutral level, 5 at the strongest of the clip or at the floor."""
    strength = measure - neutral
    strongest = max(np.percentile(strength[trusted], STRONGEST), floor)
    return MAX_INTENSITY * np.clip(strength / strongest, 0, 1)


def estimate(
    track: Track,
    landmarks: np.ndarray,
    found: np.ndarray,
    *,
    width: int,
    height: int,
    cuts: Sequence[int] = (),
) -> ActionUnits:
    """Returns action units 1, 2, 4, 5, 6, 7, 25, 26 and 45 from landmarks.

    Args:
      track: of the clip.
      landmarks: [T, 68, 2] pixels, pixel centres at whole numbers.
      found: [T] bool, frames with a face; the others get 0 and count for nothing.
      width: of the pictures, pixels.
      height: of the pictures, pixels.
      cuts: first frames after jump cuts: no course of the lids runs across them.
    """
    centred = landmarks + 0.5 - np.array([width, height]) / 2
    points = head_points(track, centred)
    rotation = track.world_to_camera[:, :3, :3]
    yaw = np.arctan2(-rotation[:, 0, 2], -rotation[:, 2, 2])
    pitch = np.arcsin(np.clip(rotation[:, 1, 2], -1, 1))
    pose = np.stack([pitch, yaw], axis=-1)

    def still(measure: np.ndarray) -> np.ndarray:
        return _without_pose(measure, pose, found)

    eye_line = points[:, list(face68.EYE_CORNERS), 1].mean(axis=1)
    inner = still(points[:, [20, 21, 22, 23], 1].mean(axis=1) - eye_line)
    outer = still(points[:, [17, 18, 25, 26], 1].mean(axis=1) - eye_line)
    frown = -still(points[:, 22, 0] - points[:, 21, 0]) / 2 - inner / 2
    gap = points[:, 62, 1] - points[:, 66, 1]
    jaw = still(points[:, 33, 1] - points[:, 8, 1])
    lids = face68.lid_gap(points)
    drop = eye_drop(lids, found=found, cuts=cuts)
    slow = still(_by_shot(lambda x: _running(x, SLOW_WINDOW, 50.0), lids, found, cuts))
    lower_lid = still(points[:, [40, 41, 46, 47], 1].mean(axis=1) - eye_line)
    mouth_width = still(points[:, 54, 0] - points[:, 48, 0])
    cheek = lower_lid - np.median(lower_lid[found])
    cheek += (mouth_width - np.median(mouth_width[found])) / 4

    def around_median(measure: np.ndarray, floor: float) -> np.ndarray:
        return _calibrate(measure, float(np.median(measure[found])), floor, found)

    def from_closed(measure: np.ndarray) -> np.ndarray:
        closed = float(np.percentile(measure[found], CLOSED_LIPS))
        return _calibrate(measure, closed, MOUTH_FLOOR, found)

    columns = {
        1: around_median(inner, BROW_FLOOR),
        2: around_median(outer, BROW_FLOOR),
        4: around_median(frown, BROW_FLOOR),
        5: around_median(slow, LID_FLOOR),
        6: around_median(cheek, CHEEK_FLOOR),
        7: around_median(-slow, LID_FLOOR),
        25: from_closed(gap),
        26: from_closed(jaw),
        45: MAX_INTENSITY * np.clip(drop / CLOSED_DROP, 0, 1),
    }
    values = np.stack([columns[number] for number in ESTIMATED], axis=-1)
    return ActionUnits(
        ESTIMATED,
        np.float32(np.where(found[:, None], values, 0)),
        np.asarray(found, bool),
        LANDMARKS,
    )


def write(path: pathlib.Path, units: ActionUnits, *, fps: float = files.FPS) -> None:
    """Writes OpenFace's CSV form.

    Args:
      path: of the file, replaced all at once.
      units: to write.
      fps: frames a second.
    """
    header = ["frame", "face_id", "timestamp", "confidence", "success"]
    header += [f"AU{number:02d}_r" for number in units.numbers]
    lines = [", ".join(header)]  # OpenFace's names begin with a blank, and readers rely on it
    for t, (row, ok) in enumerate(zip(units.values, units.success, strict=True)):
        start = [str(t + 1), "0", f"{t / fps:.3f}", "0.98" if ok else "0.00", str(int(ok))]
        lines.append(", ".join(start + [f"{value:.2f}" for value in row]))
    files.write_text(path, "\n".join(lines) + "\n")


def read(path: pathlib.Path, num_frames: int) -> ActionUnits:
    """Reads OpenFace's CSV form.

    Args:
      path: of the file.
      num_frames: T, that the file must have.

    Returns:
      All its `AUxx_r` columns.

    Raises:
      DataError: the file cannot be read, has no such column or not one that heads need, has another
        number of rows, or numbers that are missing, NaN or outside 0 to 5.
    """
    try:
        data = path.read_bytes()
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig")), skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            expected=f"OpenFace's CSV in {path}",
            got=str(error),
            fix="Run OpenFace's FeatureExtraction with -aus on the 25 fps video, or omit --au.",
        ) from error
    header = [name.strip() for name in rows[0]] if rows else []
    rows = [row for row in rows[1:] if row]
    places = {
        int(name[2:4]): place
        for place, name in enumerate(header)
        if len(name) == 6 and name.startswith("AU") and name[2:4].isdecimal() and name[4:] == "_r"
    }
    missing = [f"AU{number:02d}_r" for number in REQUIRED if number not in places]
    if missing:
        raise DataError(
            expected=f"the columns {', '.join(f'AU{n:02d}_r' for n in REQUIRED)} in {path.name} "
            "(others are optional)",
            got=f"none named {', '.join(missing)}",
            fix="Run OpenFace's FeatureExtraction with -aus, or leave the file out: built-in "
            "estimates are used then.",
        )
    if len(rows) != num_frames:
        raise DataError(
            expected=f"{num_frames} rows in {path.name}, one for each 25 fps frame",
            got=f"{len(rows)} ({(len(rows) - num_frames) / files.FPS:+.2f} s)"
            + _rate_hint(len(rows), num_frames),
            fix="Run OpenFace on the 25 fps frames of this folder (ori_imgs), not on the source.",
        )
    numbers = tuple(sorted(places))
    values = np.empty((num_frames, len(numbers)))
    for t, row in enumerate(rows):
        for k, number in enumerate(numbers):
            text = row[places[number]] if places[number] < len(row) else ""
            try:
                values[t, k] = float(text)
            except ValueError:
                values[t, k] = math.nan
    wrong = ~((values >= 0) & (values <= MAX_INTENSITY))
    if wrong.any():
        t, k = np.argwhere(wrong)[0]
        raise DataError(
            expected=f"intensities from 0 to 5 in {path.name}",
            got=f"{wrong.sum()} that are none, the first in row {t + 1}, AU{numbers[k]:02d}_r",
            fix="Run OpenFace again, or fill the gaps by interpolation.",
        )
    success = np.ones(num_frames, bool)
    if "success" in header:
        place = header.index("success")
        success = np.array([row[place].strip() not in ("0", "0.0") for row in rows])
    digest = hashlib.sha256(data).hexdigest()
    return ActionUnits(numbers, np.float32(values), success, f"{path.name}, sha256 {digest[:12]}")


def _rate_hint(rows: int, num_frames: int) -> str:
    """Names the frame rate that would explain a wrong count."""
    for fps in (24, 30, 50, 60):
        if abs(rows - num_frames * fps / files.FPS) < 0.005 * num_frames:
            return f", as a file made at {fps} frames a second would have"
    return ""
