"""The doctor's look at all pictures, small and grey: repeats, flicker, a background that moves."""

from __future__ import annotations

import itertools

import numpy as np

from emojax.data import files
from emojax.data.checkup import report
from emojax.data.checkup.contents import Contents
from emojax.data.checkup.curves import Curves, longest_run, second_difference
from emojax.data.checkup.report import Finding
from emojax.data.checkup.thresholds import Thresholds

# Mean change of pictures that are the same; a still scene of a codec changes ten times as much.
SAME = 0.02  # grey levels
_MEDIAN_OF = 60  # frames of a shot from which its background is taken


def check(
    contents: Contents, curves: Curves, thresholds: Thresholds, background: np.ndarray | None
) -> list[Finding]:
    """Returns the findings about how pictures follow each other.

    Args:
      contents: of the folder.
      curves: of the folder.
      thresholds: to judge by.
      background: bool [64, 64], pixels that show the background all the time, or None where that
        is not known.
    """
    if len(contents) < 3 or not contents.readable.any():
        return [report.unknown("duplicates", "repeated pictures", "Needs pictures.")]
    small = contents.small
    change = np.array([np.abs(b.astype(np.int16) - a).mean() for a, b in itertools.pairwise(small)])
    same = change < SAME
    start, length = longest_run(same)
    seen = np.ones(small.shape[1:], bool) if background is None else background
    brightness = small[:, seen].mean(axis=1)
    out = [
        report.at_most(
            "duplicates", "repeated pictures", same.mean(), thresholds.duplicates, unit="%",
            advice="Record at 25 fps: pictures were repeated to reach it, or the video hung.",
            frames=(int(np.argmax(same)) + 1,) if same.any() else (),
        ),
        report.at_most(
            "frozen_seconds", "longest frozen stretch", length / files.FPS,
            thresholds.frozen_seconds, unit="s",
            advice=f"Cut frames {start} to {start + length} out: the picture stands "
            "still there.",
            frames=(start,) if length else (),
        ),
        report.at_most(
            "flicker", "flicker of brightness", flicker(brightness, curves.shots),
            thresholds.flicker, unit="grey levels",
            advice="Use constant light and fixed exposure, or remove the flicker before.",
        ),
    ]  # fmt: skip
    title = "motion of the background"
    if background is None:
        return [*out, report.unknown("background_motion", title, "Needs masks.")]
    moves = np.mean([_unrest(small[shot][:, seen]) for shot in curves.shots])
    out.append(
        report.at_most(
            "background_motion",
            title,
            float(moves),
            thresholds.background_motion,
            unit="grey levels",
            advice="Use a fixed camera and a background without motion.",
        )
    )
    return out


def flicker(brightness: np.ndarray, shots: tuple[slice, ...]) -> float:
    """Returns the root mean square of the second difference of a brightness, or NaN.

    Args:
      brightness: [T] grey levels.
      shots: uncut stretches.
    """
    bends = second_difference(brightness, shots)
    return float(np.sqrt(np.mean(bends**2))) if len(bends) else float("nan")


def _unrest(pixels: np.ndarray) -> float:
    """Mean deviation of pixels [T, N] from their median, the picture's brightness left out."""
    pixels = pixels[:: max(1, len(pixels) // _MEDIAN_OF)].astype(np.float32)
    off = pixels - np.median(pixels, axis=0)
    return float(np.abs(off - off.mean(axis=1, keepdims=True)).mean())
