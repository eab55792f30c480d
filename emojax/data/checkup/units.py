"""The doctor's look at action units: dummy columns, agreement with the landmarks, shifts."""

from __future__ import annotations

import numpy as np

from emojax.data.checkup import report
from emojax.data.checkup.contents import Contents
from emojax.data.checkup.curves import Curves, filled
from emojax.data.checkup.following import MAX_LAG
from emojax.data.checkup.report import GOOD, NOT_USABLE, USABLE, Finding, stated
from emojax.data.checkup.thresholds import Thresholds

MOUTH, BLINK = 25, 45
MIN_SPREAD = 0.02  # of intensities 0 to 5; OpenFace writes two decimals
_MIN_CORRELATION = 0.3  # for a lag to mean anything


def check(contents: Contents, curves: Curves, thresholds: Thresholds) -> list[Finding]:
    """Returns the findings about action units.

    Args:
      contents: of the folder.
      curves: of the folder.
      thresholds: to judge by.
    """
    if contents.units is None:
        return [report.unknown("unit_columns", "columns of au.csv", "Needs au.csv.")]
    return [
        _columns(contents),
        _failures(contents, thresholds),
        *_lips(contents, curves, thresholds),
        _lids(contents, curves, thresholds),
    ]


def _columns(contents: Contents) -> Finding:
    """Columns that never change: dummies, a face that was not tracked."""
    still = [n for n in contents.units.numbers if contents.units.column(n).std() < MIN_SPREAD]
    level = GOOD if not still else USABLE
    # Brows that rest are a poor clip; lips and lids that never move are no measurement of one.
    if MOUTH in still or BLINK in still:
        level = NOT_USABLE
    names = ", ".join(f"AU{n:02d}" for n in still)
    return stated(
        "unit_columns",
        "columns of au.csv",
        f"constant: {names}" if still else "all vary",
        level,
        good="all vary",
        advice="Run OpenFace on these pictures, or delete au.csv to use built-in estimates: with "
        "constant columns that part of the face stays frozen."
        if still
        else "",
    )


def _failures(contents: Contents, thresholds: Thresholds) -> Finding:
    """Rows without a face."""
    failed = ~contents.units.success & contents.found
    return report.at_most(
        "unit_failures", "failed rows of au.csv", failed.mean(), thresholds.unit_failures,
        unit="%", advice="Delete au.csv to use built-in estimates, or cut those frames out.",
        frames=tuple(int(t) for t in np.flatnonzero(failed)[:1]),
    )  # fmt: skip


def _lips(contents: Contents, curves: Curves, thresholds: Thresholds) -> list[Finding]:
    """Whether AU25 goes with the lips, and at the same time."""
    titles = "AU25 with the lip gap", "AU25 behind the lips"
    lag, correlation = best_lag(filled(curves.opening), contents.units.column(MOUTH))
    agreement = report.at_least(
        "unit_agreement", titles[0], correlation, thresholds.unit_agreement,
        advice="Make au.csv again from these pictures: it is of another clip or shifted.",
    )  # fmt: skip
    if correlation < _MIN_CORRELATION:
        return [agreement, report.unknown("unit_lag", titles[1], "No agreement at any lag.")]
    advice = f"Shift the rows of au.csv by {-lag:+d} frames, or make it again from these pictures."
    shifted = report.at_most(
        "unit_lag", titles[1], abs(lag), thresholds.unit_lag, unit="frames", advice=advice
    )
    return [agreement, shifted]


def _lids(contents: Contents, curves: Curves, thresholds: Thresholds) -> Finding:
    """Whether AU45 goes with the lids."""
    _, correlation = best_lag(filled(curves.drop), contents.units.column(BLINK))
    return report.at_least(
        "blink_agreement", "AU45 with the lids", correlation, thresholds.blink_agreement,
        advice="Compare AU45 with the eyes in the pictures: it does not follow the lids.",
    )  # fmt: skip


def best_lag(course: np.ndarray, other: np.ndarray) -> tuple[int, float]:
    """Returns by how many frames `other` comes after `course`, and their correlation then.

    Args:
      course: [T].
      other: [T].
    """
    reach = min(MAX_LAG, len(course) // 3)
    best = (0, 0.0)
    for lag in sorted(range(-reach, reach + 1), key=abs):  # of equals the nearest to none
        a, b = course[max(-lag, 0) : len(course) - max(lag, 0)], other[max(lag, 0) :]
        b = b[: len(a)]
        if len(a) < 3 or a.std() < 1e-9 or b.std() < 1e-9:
            continue
        correlation = float(np.corrcoef(a, b)[0, 1])
        if correlation > best[1]:
            best = (lag, correlation)
    return best
