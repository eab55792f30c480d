"""The doctor's look at the face in some pictures: sharpness and exposure."""

from __future__ import annotations

import numpy as np

from emojax.data import face68
from emojax.data.checkup import report, samples
from emojax.data.checkup.contents import Contents
from emojax.data.checkup.curves import Curves
from emojax.data.checkup.report import GOOD, NOT_USABLE, USABLE, Finding
from emojax.data.checkup.samples import Table
from emojax.data.checkup.thresholds import Thresholds
from emojax.opencv import cv2

FACE_EYES = 100  # px apart, at which sharpness is measured
BLURRED = 0.5  # of the usual sharpness
BLACK, WHITE = 3, 252  # grey levels


def check(contents: Contents, curves: Curves, thresholds: Thresholds) -> list[Finding]:
    """Returns the findings about sharpness and exposure of the face.

    Args:
      contents: of the folder.
      curves: of the folder.
      thresholds: to judge by.
    """
    rows = [_measure(contents, number) for number in samples.choose(contents, curves)]
    columns = samples.table(rows)
    return [*_sharpness(columns, thresholds), *_exposure(columns, thresholds)]


def _measure(contents: Contents, number: int) -> dict[str, float]:
    """What one picture says of the face."""
    values = {"number": float(number)}
    image = samples.read_picture(contents, number)
    if image is None:
        return values
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    hull = samples.face_hull(contents, number, gray.shape)
    if hull is not None:
        face = gray[hull]
        values["sharpness"] = sharpness(gray, contents.landmarks[number])
        values["luminance"] = float(face.mean())
        values["clipped"] = float(np.mean((face <= BLACK) | (face >= WHITE)))
    return values


def sharpness(gray: np.ndarray, points: np.ndarray) -> float:
    """Returns the variance of a face's Laplacian over its variance, eyes scaled to 100 px apart.

    Args:
      gray: uint8 [H, W].
      points: [68, 2] landmarks, pixels.

    Returns:
      About 0.15 for a sharp face, 0.05 if blurred by 1 px at 512, 0.01 by 2 px; NaN if it lies
      outside of the picture.
    """
    low = np.maximum(np.floor(points.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0)), np.array(gray.shape[::-1]) - 1).astype(int)
    if (high - low < 8).any():
        return float("nan")
    face = gray[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    scale = FACE_EYES / float(face68.eye_distance(points))
    size = np.maximum(np.round(np.array(face.shape[::-1]) * scale), 8).astype(int)
    if size.max() > 4 * max(gray.shape):
        return float("nan")
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    face = cv2.resize(face, tuple(int(s) for s in size), interpolation=method)
    return float(cv2.Laplacian(face, cv2.CV_32F).var() / max(face.var(), 1e-6))


def _sharpness(columns: Table, thresholds: Thresholds) -> list[Finding]:
    """Whether faces are sharp, and alike so."""
    usual = samples.median(columns, "sharpness")
    known = samples.known(columns, "sharpness")
    blurred = float(np.mean(known < BLURRED * usual)) if len(known) else float("nan")
    worst = samples.extreme(columns, "sharpness", -1)
    return [
        report.at_least(
            "sharpness", "sharpness of the face", usual, thresholds.sharpness,
            advice="Use sharper footage: the head cannot become sharper than that.", frames=worst,
        ),
        report.at_most(
            "blurred", "pictures far less sharp than usual", blurred, thresholds.blurred, unit="%",
            advice="Record with a shorter exposure and fixed focus.", frames=worst,
        ),
    ]  # fmt: skip


def _exposure(columns: Table, thresholds: Thresholds) -> list[Finding]:
    """Whether faces are neither dark nor burnt."""
    value = samples.median(columns, "luminance")
    low, high, least, most = thresholds.face_luminance
    if not np.isfinite(value):
        luminance = report.unknown("face_luminance", "brightness of the face", "Needs landmarks.")
    else:
        level = GOOD if low <= value <= high else USABLE if least <= value <= most else NOT_USABLE
        advice = "Light the face more." if value < low else "Expose the face less."
        luminance = Finding(
            "face_luminance", "brightness of the face", value, "grey levels",
            f"{low:g} to {high:g}", f"{least:g} to {most:g}", level,
            "" if level == GOOD else advice,
        )  # fmt: skip
    return [
        luminance,
        report.at_most(
            "clipped", "black or white pixels in the face", samples.mean(columns, "clipped"),
            thresholds.clipped, unit="%", advice="Use softer light: detail is lost there.",
            frames=samples.extreme(columns, "clipped", 1),
        ),
    ]  # fmt: skip
