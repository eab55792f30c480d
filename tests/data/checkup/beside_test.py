"""What a wrong length of sound says of the frame rate. Faults in folders are in doctor_test."""

import pytest

from emojax.data.checkup import beside, contents
from emojax.data.checkup.thresholds import Thresholds
from tests.data import actor, faults, folders


@pytest.mark.parametrize(("rate", "hint"), [(30, "30 fps"), (24, "24 fps"), (27, "")])
def test_the_rate_behind_a_wrong_length_is_named(rate, hint, tmp_path):
    folders.write_folder(actor.film(num_frames=100, size=48), tmp_path)
    # Pictures of a video at `rate` taken for 25 a second: its sound has another length.
    faults.play(tmp_path, lambda x: faults.audio.resample(x, rate, 25))
    found = beside.check(contents.read(tmp_path), Thresholds())
    finding = next(f for f in found if f.name == "sound_length")
    assert finding.level == "usable"
    assert hint in finding.advice
    assert ("would have" in finding.advice) == bool(hint)
