"""What the figures of preprocessing measure, on films and pictures whose truth is known."""

import pathlib

import numpy as np
import pytest

from emojax.data import files, tracking
from emojax.data.labels import Label
from emojax.opencv import cv2
from tests.data import actor, faults, folders
from tests.experiments import command


@pytest.fixture(scope="module")
def quality():
    """The experiment as a module."""
    return command.module("preprocess_quality")


@pytest.fixture(scope="module")
def film():
    return actor.film(num_frames=20, size=256, seed=1)


@pytest.fixture(scope="module")
def folder(film, tmp_path_factory):
    return folders.write_folder(film, tmp_path_factory.mktemp("quality") / "film", extras=True)


@pytest.fixture(scope="module")
def grays(film):
    return [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in film.images]


def test_jitter_is_that_of_noise_on_still_points(quality):
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(np.uint8(rng.integers(0, 256, (96, 96))), (0, 0), 1.5)
    points = rng.uniform(20, 76, (1, 68, 2)) + rng.normal(0, 0.1, (60, 68, 2))
    found = quality.still_jitter(points, [picture] * 60)
    assert set(found) == set(quality.GROUPS)
    # Variance of x(t - 1) - 2 x(t) + x(t + 1) is six times that of x.
    assert np.mean(list(found.values())) == pytest.approx(0.1 * np.sqrt(6), rel=0.05)


def test_points_that_move_do_not_count(quality):
    points = np.zeros((30, 68, 2)) + np.arange(30)[:, None, None]
    picture = np.zeros((96, 96), np.uint8)
    assert np.isnan(list(quality.still_jitter(points, [picture] * 30).values())).all()


def test_true_poses_agree_with_the_flow_and_late_ones_do_not(quality, film, grays):
    true = folders.track(film)
    found = quality.flow_check(true, film.landmarks, grays)
    assert found["difference_x"] < 0.25 * found["motion_x"]
    late = tracking.Track(**vars(true) | {"world_to_camera": np.roll(true.world_to_camera, 4, 0)})
    wrong = quality.flow_check(late, film.landmarks, grays)
    assert wrong["difference_x"] > 2 * found["difference_x"]


def test_masks_that_flicker_are_less_stable(quality, film, folder, tmp_path):
    steady = quality.mask_stability(folder, film.images, range(6))
    spoiled = faults.link(folder, tmp_path / "spoiled")
    faults.flickering_masks(spoiled)
    flickering = quality.mask_stability(spoiled, film.images, range(6))
    assert steady["person"] > 0.98
    assert flickering["person"] < steady["person"] - 0.01
    assert flickering["changed"] > steady["changed"]
    assert flickering["worst_person"] <= flickering["person"]


def test_a_clip_without_cuts_has_no_smear(quality, folder):
    job = quality._job(folder)
    assert quality.smear_at_cuts(folder, job.frames(), job.landmarks()) == {"cuts": []}


# --- the field's recipes, and what the sheets show ---


def _portrait():
    """Head over neck over clothes; in columns 30 to 33 the chin touches the clothes."""
    picture = np.zeros((64, 64), np.uint8)
    picture[10:40, 20:44] = Label.FACE
    picture[40:48, 24:40] = Label.NECK
    picture[48:, 8:56] = Label.TORSO
    picture[40:48, 30:34] = Label.FACE
    image = np.full((64, 64, 3), 90, np.uint8)
    image[picture == Label.NECK] = (200, 150, 120)
    image[picture == Label.TORSO] = (20, 30, 60)
    return image, picture


def test_the_fields_torso_has_a_notch_under_the_chin_and_fades(quality):
    image, picture = _portrait()
    made = quality.field_torso(image, picture, np.full_like(image, 10))
    opaque = made[..., 3] == 255
    assert opaque[picture >= Label.NECK].all()
    assert opaque[20, 25]
    assert not opaque[20, 30:34].any(), "the notch"
    assert opaque[40:48, 31].all(), "the collar reaches nine pixels up"
    assert made[12, 26, 0] == pytest.approx(200 * 0.98 ** (44 - 12), abs=8)
    assert (made[~opaque] == 0).all()


def test_the_fields_background_copies_the_nearest_colour(quality):
    frames = np.zeros((41, 64, 64, 3), np.uint8)
    frames[:, :, :32], frames[:, :, 32:] = 50, 200
    picture = np.zeros((64, 64), np.uint8)
    picture[20:44, 20:44] = Label.FACE
    frames[:, picture > 0] = 255
    room = quality.field_background(frames, lambda t: picture)
    assert (room[:, :30] == 50).all()
    assert (room[:, 34:] == 200).all()


def test_planted_specks_grow_stripes_in_the_fields_torso_only(quality, film, folder):
    picture, points = film.labels[0], film.landmarks[0]
    specks = quality.with_specks(picture, points)
    planted = (specks == Label.NECK) & (picture != Label.NECK)
    assert 2 <= planted.sum() < 100
    behind = files.read_picture(folder / files.BACKGROUND)
    grown = [
        (make(film.images[0], specks, behind)[..., 3] > 0).sum()
        - (make(film.images[0], picture, behind)[..., 3] > 0).sum()
        for make in (quality.field_torso, quality.torso.torso)
    ]
    assert grown[0] > 3 * planted.sum()
    assert abs(grown[1]) <= planted.sum()


def test_the_sheets_show_before_and_after(quality, folder):
    drawn = quality.draw_cured(folder, range(20))
    tile = quality.TILE
    assert {name: picture.shape for name, picture in drawn.items()} == {
        "chin_on_collar": (tile, 3 * tile, 3),
        "ear_stripe": (2 * tile, 3 * tile, 3),
        "background_streaks": (tile, 3 * tile, 3),
    }
    for picture in drawn.values():
        before, after = picture[:, tile : 2 * tile], picture[:, 2 * tile :]
        assert (before != after).any(axis=-1).mean() > 0.005


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="needs Linux")
def test_reading_at_random_keeps_little_in_memory(quality, monkeypatch):
    monkeypatch.syspath_prepend(str(command.ROOT / "experiments"))
    found = quality.prefetch_memory(600, 256)  # 300 MB of pictures
    assert found["frames"] == 600
    assert found["resident_before_mb"] < found["peak_resident_mb"]
    assert found["peak_resident_mb"] < found["resident_before_mb"] + 100
