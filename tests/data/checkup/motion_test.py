"""Flicker by formula. Faults in whole folders are in doctor_test."""

import numpy as np
import pytest

from emojax.data.checkup import motion


def test_flicker_ignores_trends_and_cuts():
    time = np.arange(100.0)
    brightness = 90 + 0.5 * time + 40 * (time >= 50)
    shots = (slice(0, 50), slice(50, 100))
    assert motion.flicker(brightness, shots) == pytest.approx(0, abs=1e-9)
    assert motion.flicker(brightness + time % 2, shots) == pytest.approx(2)
    assert np.isnan(motion.flicker(brightness[:2], (slice(0, 2),)))
