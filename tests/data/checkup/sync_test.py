"""Lips and features against sound on an undamaged film. Faults are in doctor_test."""

import dataclasses

import numpy as np

from emojax.data.checkup import contents, curves, sync
from emojax.data.checkup.thresholds import Thresholds
from tests.data import actor, folders


def test_lags_are_read_off_shifted_courses(tmp_path):
    film = actor.film(num_frames=220, size=48)
    there = contents.read(folders.write_folder(film, tmp_path))
    course = curves.curves(there)
    found = sync.check(there, course, Thresholds())
    assert {f.name: f.level for f in found} == dict.fromkeys(
        ("sync_lag", "sync_clarity", "mel_lag", "mel_clarity"), "good"
    )
    late = dataclasses.replace(course, opening=np.roll(course.opening, 6))
    lag = sync.check(there, late, Thresholds())[0]
    assert lag.value.startswith("+6 frames")
    assert lag.level == "not usable"
    assert "by 0.24 s (6 frames) to later" in lag.advice


def test_short_clips_are_not_blamed_for_an_unclear_lag(tmp_path):
    film = actor.film(num_frames=220, size=48)
    there = contents.read(folders.write_folder(film, tmp_path))
    course = curves.curves(there)
    strange = dataclasses.replace(course, opening=course.opening[::-1].copy())
    for seconds, level in ((15.0, "usable"), (8.0, "not usable")):
        limits = Thresholds(clarity_seconds=seconds)
        assert sync.check(there, strange, limits)[1].level == level


def test_without_sound_nothing_is_known(tmp_path):
    film = actor.film(num_frames=220, size=48)
    there = dataclasses.replace(contents.read(folders.write_folder(film, tmp_path)), sound=None)
    found = sync.check(there, curves.curves(there), Thresholds())
    assert {finding.level for finding in found} == {"unknown"}
