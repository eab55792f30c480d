"""A folder is read as far as it can be, and what is wrong with a part is said in words."""

import numpy as np
import pytest

from emojax.data import files, record, tracking
from emojax.data.checkup import contents
from tests.data import actor, faults, folders


@pytest.fixture(scope="module")
def film():
    return actor.film(num_frames=40, size=96, cut_at=25)


@pytest.fixture(scope="module")
def original(film, tmp_path_factory):
    return folders.write_folder(film, tmp_path_factory.mktemp("contents") / "a", extras=True)


@pytest.fixture
def folder(original, tmp_path):
    return faults.link(original, tmp_path / "b")


def test_a_whole_folder_has_everything(film, folder):
    there = contents.read(folder)
    assert there.faults == {}
    assert len(there) == 40
    assert there.size == (96, 96)
    assert there.unit == 96 / 512
    np.testing.assert_allclose(there.landmarks, film.landmarks, atol=1e-4)
    assert there.readable.all()
    assert there.found.all()
    assert there.tracked.all()
    np.testing.assert_allclose(there.focal, film.focal)
    shift = film.world_to_camera[:, :3, :3] @ np.array([0, 0, tracking.ORIGIN_DEPTH / 1000])
    np.testing.assert_allclose(
        there.world_to_camera[:, :3, 3], film.world_to_camera[:, :3, 3] - shift, atol=1e-5
    )
    np.testing.assert_array_equal(there.cuts, [25])
    np.testing.assert_array_equal(there.faces, np.ones(40))
    assert there.sound.rate == 16000
    assert set(there.features) == {"mel"}
    assert there.units.values.shape == (40, 9)
    assert there.manifest["format"] == record.FORMAT


def test_an_empty_folder_has_nothing(tmp_path):
    there = contents.read(tmp_path)
    assert len(there) == 0
    assert there.size is None
    assert there.unit == 1.0
    assert there.sound is None
    assert there.faults == {}


def test_frames_without_a_whole_picture_repeat_the_one_before(folder):
    faults.copy(folder, files.FRAMES, ".jpg", range(40))
    (folder / files.FRAMES / "7.jpg").unlink()
    files.write_bytes(folder / files.FRAMES / "8.jpg", b"none")
    there = contents.read(folder)
    assert list(np.flatnonzero(~there.readable)) == [7, 8]
    np.testing.assert_array_equal(there.small[8], there.small[6])
    assert "8.jpg" in there.faults["damaged pictures"]


def test_pictures_of_gt_imgs_stand_in(folder):
    for path in files.numbered(folder / files.FRAMES, ".jpg").values():
        path.unlink()
    there = contents.read(folder)
    assert there.kind == files.GROUND_TRUTH
    assert len(there) == 40


def test_a_number_far_off_is_left_out(folder):
    faults.absurd_number(folder)
    there = contents.read(folder)
    assert len(there) == 40
    assert "99999999.jpg" in there.faults["pictures"]


def test_a_record_of_another_length_is_not_used(folder):
    np.savez(folder / "other.npz", found=np.zeros(7, bool))
    (folder / "other.npz").replace(folder / files.LANDMARKS)
    there = contents.read(folder)
    assert there.found.all()
    assert there.faces is None
    assert "expected 40 frames" in there.faults[files.LANDMARKS]


def test_frames_left_out_of_the_transforms_have_no_pose(folder):
    faults.half_the_poses(folder)
    there = contents.read(folder)
    np.testing.assert_array_equal(there.tracked, np.arange(40) % 2 == 1)
    assert np.isnan(there.world_to_camera[0]).all()


def test_different_focal_lengths_are_a_fault(folder):
    faults.change_transforms(folder, lambda content: content.update(focal_len=99.0))
    assert "one focal length" in contents.read(folder).faults["poses"]


def test_words_name_the_kind_of_foreign_errors():
    assert contents.words(KeyError("found")) == "KeyError: 'found'"
