"""Cubic interpolation that overshoots nowhere and has no kinks (C1).

Between two knots the curve is a cubic with the knots' values and slopes. The slopes are harmonic
means of the neighbouring chords' slopes, and 0 where these differ in sign, so that the curve rises
where the knots rise, falls where they fall, and peaks in knots only: Fritsch & Butland 1984, "A
method for constructing local monotone piecewise cubic interpolants", SIAM J. Sci. Stat. Comput. 5.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def slopes(places: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns the slope in each knot, float64 [K, D]; 0 in the first and the last.

    Args:
      places: [K] of the knots, strictly ascending.
      values: [K, D] in the knots.
    """
    width = np.diff(np.asarray(places, np.float64))[:, None]
    chord = np.diff(np.asarray(values, np.float64), axis=0) / width
    left, right = chord[:-1], chord[1:]
    heavy, light = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
    agree = left * right > 0
    left, right = np.where(agree, left, 1), np.where(agree, right, 1)
    result = np.zeros(np.shape(values))
    result[1:-1] = np.where(agree, (heavy + light) / (heavy / left + light / right), 0)
    return result


def cubic(share: Any, start: Any, end: Any, start_rise: Any, end_rise: Any) -> Any:
    """Returns the cubic between two knots; for numbers and for arrays of NumPy and JAX.

    Args:
      share: of the way from the first to the second knot, 0 to 1.
      start: value in the first.
      end: value in the second.
      start_rise: slope in the first, times the distance of the knots.
      end_rise: slope in the second, times the distance of the knots.
    """
    rest = 1 - share
    return (
        rest * rest * (1 + 2 * share) * start
        + share * share * (1 + 2 * rest) * end
        + rest * share * (rest * start_rise - share * end_rise)
    )
