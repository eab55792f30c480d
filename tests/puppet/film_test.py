import json
import pathlib

import numpy as np
import pytest

from emojax.data import clip, doctor, files
from emojax.data.errors import DataError
from emojax.data.labels import Label
from emojax.puppet import film, masks, picture, truth
from emojax.puppet.film import Format
from tests.puppet import footage

COUNT = 25


@pytest.fixture(scope="module")
def folder():
    return footage.folder()


def _content(place):
    """Everything in a folder, by relative name."""
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in sorted(pathlib.Path(place).rglob("*"))
        if path.is_file() and path.name != files.MANIFEST and ".packed" not in path.parts
    }


def test_training_reads_the_folder_and_nothing_stands_in_for_missing_files(folder):
    found = clip.load(folder)
    assert found.fallbacks == ()
    assert (len(found), found.num_train, found.size) == (COUNT, 22, footage.FORM.size)
    assert len(found.cuts) == 0
    assert found.valence_arousal.shape == (COUNT, 2)
    assert found.action_units.numbers == (
        1,
        2,
        4,
        5,
        6,
        7,
        9,
        10,
        12,
        14,
        15,
        17,
        20,
        23,
        25,
        26,
        45,
    )
    assert found.action_units.source == "the puppet's own"
    acted = np.asarray(footage.planned().performance.controls.action_units)
    np.testing.assert_allclose(found.action_units.values, acted, atol=0.006)


def test_the_doctor_finds_no_fault_but_the_length_and_the_size(folder):
    report = doctor.examine(folder)
    allowed = {"duration", "resolution", "eye_distance", "sharpness", "blinks", "unit_columns"}
    allowed |= {"sound_clipped", "sounds", "sync_lag", "sync_clarity", "silence"}
    bad = {f.name for f in report.findings if f.level in ("usable", "not usable")}
    assert bad <= allowed, bad


def test_masks_partition_the_picture_and_agree_with_the_regions(folder):
    for t in (0, 12):
        regions = files.read_picture(folder / truth.REGIONS / f"{t}.png")[..., 0]
        found = clip.batch(clip.load(folder), np.array([t]))
        np.testing.assert_array_equal(found.labels[0], masks.to_labels(regions))
        depth = truth.read_picture(folder / truth.DEPTH / f"{t}.png")
        np.testing.assert_array_equal(depth > 0, regions != masks.Region.BACKGROUND)


def test_what_lies_behind_the_head_is_the_body_and_the_room(folder):
    found = clip.batch(clip.load(folder), np.array([3]))
    body = np.isin(found.labels[0], (5, 6))
    difference = np.abs(found.images[0].astype(int) - found.backdrops[0])
    assert np.mean(difference[body]) < 2.5  # JPEG
    assert np.mean(difference[found.labels[0] == 0]) < 3


def test_the_same_take_gives_the_same_bits_with_any_number_of_workers(folder, tmp_path):
    film.shoot(footage.planned(), tmp_path / "again", form=footage.FORM, workers=1)
    assert _content(tmp_path / "again") == _content(folder)


def test_another_length_or_person_compiles_nothing_anew(folder, tmp_path):
    before = picture._draw._cache_size()
    take = footage.planned(1.2, "-0.5,-0.2")
    seen = []

    def watch(frames):
        for frame in frames:
            seen.append(frame)
            yield frame

    film.shoot(take, tmp_path / "film", form=footage.FORM, progress=watch)
    assert picture._draw._cache_size() == before
    assert seen == list(range(30))


def test_without_truth_the_standard_folder_is_the_same(folder, tmp_path):
    form = Format(size=footage.FORM.size, samples=1, has_truth=False)
    film.shoot(footage.planned(), tmp_path / "bare", form=form)
    whole, bare = _content(folder), _content(tmp_path / "bare")
    assert {name for name in whole if name not in bare} == {
        name for name in whole if name.startswith("truth/")
    }
    same = set(bare) - {film.MANIFEST}
    assert all(bare[name] == whole[name] for name in same)


def test_views_are_data_sets_of_their_own(tmp_path):
    form = Format(size=footage.FORM.size, samples=1, views=1)
    film.shoot(footage.planned(), tmp_path / "rig", form=form)
    front, side = clip.load(tmp_path / "rig"), clip.load(tmp_path / "rig" / film.VIEWS / "1")
    assert len(front) == len(side)
    np.testing.assert_array_equal(front.action_units.values, side.action_units.values)
    assert not np.allclose(front.world_to_camera[0], side.world_to_camera[0], atol=0.05)
    head = [np.linalg.norm(c.world_to_camera[0, :3, 3]) for c in (front, side)]
    assert head[0] == pytest.approx(head[1], rel=0.05)


def test_noise_and_compression_change_pictures_and_no_truth(folder, tmp_path):
    form = Format(size=footage.FORM.size, samples=1, noise=5.0, compression=30)
    film.shoot(footage.planned(), tmp_path / "worn", form=form)
    clean, worn = _content(folder), _content(tmp_path / "worn")
    assert clean.keys() == worn.keys()
    assert clean["ori_imgs/4.jpg"] != worn["ori_imgs/4.jpg"]
    for name in clean:
        if name.startswith(("truth/", "parsing/", "transforms", "au", "va")):
            assert clean[name] == worn[name], name
    images = [
        files.read_picture(place / "ori_imgs/4.jpg").astype(float)
        for place in (folder, tmp_path / "worn")
    ]
    assert 1 < np.abs(images[0] - images[1]).mean() < 12


def test_the_body_is_drawn_where_the_head_may_uncover_it():
    seen = np.full((100, 100), Label.BACKGROUND, np.uint8)
    seen[20:70, 30:70] = Label.FACE
    seen[70:80, 40:60] = Label.NECK
    seen[80:, 10:90] = Label.TORSO
    near = film.near_the_body(seen)
    assert near[60:70, 45:55].all()
    assert not near[:56].any()
    assert not near[seen != Label.FACE].any()


def test_the_manifest_says_what_was_filmed(folder):
    content = json.loads((folder / film.MANIFEST).read_text())
    assert content["seed"] == 1
    assert content["frames"] == COUNT
    assert "phonemes are unknown" in content["lips"]


def test_a_failure_leaves_nothing_behind(tmp_path):
    def fail(frames):
        yield next(iter(frames))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        film.shoot(footage.planned(), tmp_path / "out", form=footage.FORM, progress=fail)
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_the_users_is_replaced(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    film.check(out, Format(), overwrite=False)  # empty
    (out / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(DataError, match="other files, which are not replaced"):
            film.shoot(footage.planned(), out, form=footage.FORM, overwrite=overwrite)
    (out / film.MANIFEST).write_text("{}")
    with pytest.raises(DataError, match="--overwrite"):
        film.check(out, Format(), overwrite=False)
    film.check(out, Format(), overwrite=True)
    with pytest.raises(DataError, match="a file"):
        film.check(out / "thesis.txt", Format(), overwrite=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 100}, r"a multiple of 8; got 100\. Take 96"),
        ({"size": 32}, "64 to 2048"),
        ({"samples": 2}, "samples of 1 or 4"),
        ({"views": 99}, "0 to 16 more views"),
        ({"noise": -1.0}, "noise from 0"),
        ({"compression": 60}, "compression from 0 to 51"),
    ],
)
def test_formats_out_of_range_are_refused(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        film.check(tmp_path / "out", Format(**change), overwrite=False)
