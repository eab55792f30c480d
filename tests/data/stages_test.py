"""What single stages do with what they are given; the whole run is in pipeline_test.py."""

import dataclasses
import shutil

import numpy as np
import pytest

from emojax.data import (
    action_units,
    arrays,
    audio_features,
    clip,
    files,
    labels,
    landmarks,
    pipeline,
    relief,
    surfaces,
)
from emojax.data.errors import DataError
from emojax.data.job import Settings
from tests.data import actor, folders

SIZE = 256  # at which dlib finds the drawn face


def test_a_stage_without_its_input_says_which(folder):
    with pytest.raises(DataError, match="stage tracking first"):
        pipeline.run(folder, Settings(), stages=["action_units"], overwrite=True)
    (folder / "ori_imgs" / "7.lms").unlink()
    with pytest.raises(DataError, match="stage landmarks first"):
        pipeline.run(folder, Settings(), stages=["tracking"], overwrite=True)
    (folder / "ori_imgs" / "7.jpg").unlink()
    with pytest.raises(DataError, match="none numbered 7"):
        pipeline.run(folder, Settings(), stages=["background"], overwrite=True)


def test_given_files_are_used_and_named(folder, tmp_path):
    rng = np.random.default_rng(0)
    units = action_units.ActionUnits(
        action_units.ESTIMATED,
        np.float32(np.round(rng.uniform(0, 5, (30, 9)), 2)),
        np.ones(30, bool),
        "",
    )
    action_units.write(tmp_path / "face.csv", units)
    np.save(tmp_path / "ds.npy", rng.normal(size=(30, 16, 29)).astype(np.float32))
    manifest = pipeline.run(
        folder,
        Settings(au=tmp_path / "face.csv", audio_features=tmp_path / "ds.npy"),
        stages=["action_units", "features"],
        overwrite=True,
    )
    assert "face.csv" in manifest["sources"]["action_units"]
    assert manifest["sources"]["features"].startswith("deepspeech: ds.npy")
    loaded = clip.load(folder)
    assert loaded.audio.name == "deepspeech"
    np.testing.assert_allclose(loaded.action_units.values, units.values, atol=1e-6)
    assert (folder / audio_features.KINDS["mel"].file).exists()  # not ours to delete


def test_given_masks_are_used(small, folder, tmp_path):
    parsing = shutil.copytree(folder / files.PARSING, tmp_path / "parsing")
    teeth = shutil.copytree(folder / files.TEETH, tmp_path / "teeth")
    manifest = pipeline.run(
        folder, Settings(parsing=parsing, teeth_mask=teeth), stages=["masks"], overwrite=True
    )
    assert manifest["sources"]["masks"] == "parsing given: parsing"
    np.testing.assert_array_equal(clip.load(folder).labels[:], small[0].labels)
    np.save(teeth / "4.npy", np.zeros((8, 8), bool))
    with pytest.raises(DataError, match=r"--teeth_mask as large as the frames.*4\.npy.*is 8 x 8"):
        pipeline.run(folder, Settings(teeth_mask=teeth), stages=["masks"], overwrite=True)
    (parsing / "9.png").unlink()
    with pytest.raises(DataError, match=r"--parsing with 0\.png to 29\.png.*29 such files"):
        pipeline.run(folder, Settings(parsing=parsing), stages=["masks"], overwrite=True)


def test_a_face_that_is_mostly_lost_is_refused(tmp_path):
    pytest.importorskip("dlib", reason="needs the extra face: dlib-bin")
    half = actor.film(num_frames=30, size=SIZE, face_lost=(3, 27))
    folder = tmp_path / "half"
    files.make_folder(folder / files.FRAMES)
    for t, image in enumerate(half.images):
        files.write_picture(folder / files.FRAMES / f"{t}.jpg", image)
    with pytest.raises(DataError, match=r"50% of the frames; got one in 2"):
        pipeline.run(folder, Settings(size=SIZE), stages=["landmarks"])


def test_background_is_drawn_from_frames_with_a_face(small, folder):
    """Masks of frames without a face are of no worth: the person would be taken for the wall."""
    found = np.ones(30, bool)
    found[10:] = False
    cuts = np.zeros(0, np.int64)
    np.savez(folder / files.LANDMARKS, points=small[0].landmarks, found=found, cuts=cuts)
    white = np.full((64, 64, 3), 255, np.uint8)  # the code of the background
    for number in range(10, 30):
        files.write_picture(folder / files.PARSING / f"{number}.png", white)
        (folder / files.TEETH / f"{number}.npy").unlink()
        np.save(folder / files.TEETH / f"{number}.npy", np.zeros((64, 64), bool))
    pipeline.run(folder, Settings(), stages=["background"], overwrite=True)
    picture = files.read_picture(folder / files.BACKGROUND)
    frame = files.read_picture(folder / files.FRAMES / "0.jpg").astype(int)
    face = small[0].labels[0] == labels.Label.FACE
    assert np.abs(frame - picture)[face].mean() > 20


def test_every_stage_shows_its_progress(folder):
    seen = []

    def progress(iterable, name):
        seen.append(name)
        return iterable

    names = ["background", "torso", "features"]
    pipeline.run(folder, Settings(), stages=names, overwrite=True, progress=progress)
    assert seen == ["stages", "background", "torso"]


def test_normals_come_from_the_landmarks_shape_and_say_so(small, folder):
    film, _ = small
    track, found = folders.track(film), np.ones(30, bool)
    found[4] = False
    arrays.write_named(folder / files.TRACKING, dataclasses.asdict(track))
    tracked = landmarks.Landmarks(film.landmarks, found, np.zeros(0, np.int64))
    arrays.write_named(folder / files.LANDMARKS, dataclasses.asdict(tracked))
    manifest = pipeline.run(folder, Settings(), stages=["normals"])
    assert manifest["sources"]["normals"] == relief.SOURCE
    assert surfaces.source(folder) == relief.SOURCE
    loaded = clip.load(folder)
    bytes_ = clip.batch(loaded, np.array([4, 5])).normals
    assert bytes_.shape == (2, loaded.size, loaded.size, 3)
    nothing, normals = surfaces.from_bytes(bytes_)
    assert (nothing == 0).all()
    skin = np.linalg.norm(normals, axis=-1) > 0
    assert np.mean(film.labels[5][skin] == labels.Label.FACE) > 0.8
    assert normals[skin][:, 2].mean() > 0.6
    files.write_picture(folder / "normals" / "0.png", bytes_[1])
    assert surfaces.source(folder) is None, "another tool's"


def test_a_folder_without_a_tracked_shape_is_tracked_for_its_normals(folder, monkeypatch):
    monkeypatch.setattr("emojax.data.tracking.NUM_STEPS", 100)
    assert not (folder / files.TRACKING).exists()
    pipeline.run(folder, Settings(), stages=["normals"])
    assert len(list((folder / "normals").glob("*.png"))) == 30
    assert not (folder / files.TRACKING).exists()
