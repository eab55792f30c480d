"""Curves agree with the film's truth, and helpers with what is computed by hand."""

import dataclasses

import numpy as np
import pytest

from emojax.data import files
from emojax.data.checkup import contents, curves
from tests.data import actor, folders


@pytest.fixture(scope="module")
def film():
    return actor.film(num_frames=60, size=64, cut_at=40)


@pytest.fixture(scope="module")
def folder(film, tmp_path_factory):
    return folders.write_folder(film, tmp_path_factory.mktemp("curves"))


def test_curves_are_the_films(film, folder):
    found = curves.curves(contents.read(folder))
    assert [(shot.start, shot.stop) for shot in found.shots] == [(0, 40), (40, 60)]
    assert np.corrcoef(found.opening, film.opening_mm)[0, 1] > 0.99
    assert np.corrcoef(found.drop, film.blink)[0, 1] > 0.95
    rotation = film.world_to_camera[:, :3, :3]
    turned = np.degrees(np.arctan2(-rotation[:, 0, 2], -rotation[:, 2, 2]))
    np.testing.assert_allclose(found.yaw, turned, atol=0.01)
    loud = 20 * np.log10(np.sqrt(np.mean(film.waveform[640 * 30 : 640 * 31] ** 2)) + 1e-9)
    assert found.loudness[30] == pytest.approx(max(loud, curves.SILENCE), abs=0.5)


def test_lids_are_compared_within_their_shot(folder):
    there = contents.read(folder)
    points = there.landmarks.copy()
    eyes = points[40:, 36:48]
    middle = eyes.mean(axis=1, keepdims=True)
    points[40:, 36:48] = middle + (eyes - middle) * (1, 0.5)
    narrow = dataclasses.replace(there, landmarks=points)
    assert np.median(curves.curves(narrow).drop[40:]) < 0.1
    uncut = dataclasses.replace(narrow, cuts=there.cuts[:0])
    assert np.median(curves.curves(uncut).drop[40:]) > 0.2


def test_what_is_missing_is_not_a_number(folder, tmp_path):
    (folder / files.FRAMES / "9.lms").rename(tmp_path / "9.lms")
    (folder / files.SOUND).rename(tmp_path / "aud.wav")
    found = curves.curves(contents.read(folder))
    assert np.isnan(found.opening[9])
    assert np.isnan(found.drop[9])
    assert (found.loudness == curves.SILENCE).all()


def test_gaps_are_filled_by_lines():
    values = np.array([np.nan, 1, np.nan, 3, np.nan])
    np.testing.assert_array_equal(curves.filled(values), [1, 1, 2, 3, 3])
    np.testing.assert_array_equal(curves.filled(np.full(2, np.nan)), [0, 0])


def test_second_differences_stop_at_cuts_and_gaps():
    values = np.array([0, 1, 2, 50, 51, 52, np.nan, 54, 56, 60.0])
    bends = curves.second_difference(values, (slice(0, 3), slice(3, 10)))
    np.testing.assert_array_equal(bends, [0, 0, 2])


def test_the_usual_size_is_the_deviation_of_noise():
    noise = 3 * np.random.default_rng(0).standard_normal(10000)
    assert curves.usual(noise) == pytest.approx(3, rel=0.05)
    assert np.isnan(curves.usual(np.zeros(0)))


@pytest.mark.parametrize(
    ("flags", "run"), [([0, 1, 1, 0, 1], (1, 2)), ([0, 0], (0, 0)), ([1, 1], (0, 2)), ([], (0, 0))]
)
def test_the_longest_run(flags, run):
    assert curves.longest_run(np.array(flags, bool)) == run
