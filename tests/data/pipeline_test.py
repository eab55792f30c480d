import dataclasses
import hashlib
import json
import pathlib
import shutil

import numpy as np
import pytest

from emojax.data import (
    action_units,
    audio,
    clip,
    face68,
    files,
    labels,
    pipeline,
)
from emojax.data.errors import DataError
from emojax.data.labels import Label
from emojax.data.pipeline import Settings
from tests.data import actor, folders

COUNT, SIZE = 225, 256


@pytest.fixture(scope="session")
def film():
    return actor.film(num_frames=COUNT, size=SIZE, seed=7)


@pytest.fixture(scope="session")
def video(film, tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "ein Porträt.mp4"
    actor.write_video(path, film)
    return path


@pytest.fixture(scope="session")
def made(video, tmp_path_factory):
    """A whole run on the drawn person's video."""
    pytest.importorskip("dlib", reason="needs the extra face: dlib-bin")
    folder = tmp_path_factory.mktemp("made") / "data"
    seen = []

    def progress(iterable, name):
        seen.append(name)
        return iterable

    manifest = pipeline.run(folder, Settings(video=video, size=SIZE), progress=progress)
    return folder, manifest, seen


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A folder made elsewhere: no manifest."""
    few = actor.film(num_frames=30, size=64, seed=3)
    return few, folders.write_folder(few, tmp_path_factory.mktemp("small"))


@pytest.fixture
def folder(small, tmp_path):
    return shutil.copytree(small[1], tmp_path / "copy")


def _digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (files.MANIFEST,)
    }


def test_every_stage_is_done_and_accounted_for(made):
    _, manifest, seen = made
    for name in pipeline.STAGES:
        record = manifest["stages"][name]
        assert record["done"]
        assert record["frames"] == COUNT
        assert record["seconds"] > 0
        assert record["peak_memory_mb"] > 0
    assert {"decode", "landmarks", "tracking", "masks", "torso"} <= set(seen)
    assert {"landmarks", "masks", "teeth", "action_units", "features"} == set(manifest["sources"])
    assert manifest["video"]["crop"] == {"left": 0, "top": 0, "side": SIZE}


def test_the_folder_loads_as_a_clip(film, made):
    loaded = clip.load(made[0], force=True)
    assert len(loaded) == COUNT
    assert loaded.fallbacks == ()
    error = np.abs(loaded.images[:].astype(int) - film.images)
    assert error.mean() < 6  # two lossy codecs and sensor noise
    assert np.corrcoef(loaded.action_units.column(25), film.opening_mm)[0, 1] > 0.9


def test_landmarks_poses_and_masks_are_near_the_truth(film, made):
    loaded = clip.load(made[0], force=True)
    eyes = face68.eye_distance(film.landmarks)[:, None]
    error = np.linalg.norm(loaded.landmarks - film.landmarks, axis=-1) / eyes
    assert np.median(error) < 0.05
    true = folders.track(film).world_to_camera
    turn = np.einsum("tij,tkj->tik", loaded.world_to_camera[:, :3, :3], true[:, :3, :3])
    relative = np.einsum("tij,kj->tik", turn, turn[0])  # a constant offset is harmless
    angle = np.degrees(np.arccos(np.clip((np.trace(relative, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert np.median(angle) < 2.0
    picture = loaded.labels[:]

    def overlap(regions):
        a, b = labels.isin(picture, regions), labels.isin(film.labels, regions)
        return (a & b).sum() / (a | b).sum()

    assert overlap(labels.PERSON) > 0.95
    assert overlap(labels.HEAD) > 0.9
    assert overlap((Label.TORSO,)) > 0.9
    area = labels.isin(picture, (Label.MOUTH, Label.TEETH)).sum(axis=(1, 2))
    assert np.corrcoef(area, film.mouth_truth.sum(axis=(1, 2)))[0, 1] > 0.8


def test_sound_stays_with_the_picture(film, made):
    waveform = audio.read_wav(made[0] / files.SOUND).waveform
    assert len(waveform) == COUNT * 640
    loud = np.sqrt(np.mean(waveform.reshape(COUNT, 640) ** 2, axis=1))
    true = np.sqrt(np.mean(film.waveform.reshape(COUNT, 640) ** 2, axis=1))
    lags = [np.corrcoef(np.roll(loud, k), true)[0, 1] for k in (-2, -1, 0, 1, 2)]
    assert int(np.argmax(lags)) == 2


def test_what_is_done_is_not_done_again(made, video):
    folder, manifest, _ = made
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    again = pipeline.run(folder, Settings(video=video, size=SIZE))
    after = {path: path.stat().st_mtime_ns for path in before}
    assert before == after
    assert again["stages"] == manifest["stages"]


def test_other_settings_are_refused(made, video):
    folder = made[0]
    with pytest.raises(DataError, match=r"--size.*256; got 128"):
        pipeline.run(folder, Settings(video=video, size=128))
    with pytest.raises(DataError, match="--focal"):
        pipeline.run(folder, Settings(video=video, size=SIZE, focal=900.0))


@pytest.mark.parametrize("stage", ["tracking", "background", "torso", "action_units", "features"])
def test_a_killed_stage_is_begun_again_and_gives_the_same(small, folder, stage, monkeypatch):
    if stage == "action_units":  # needs the track, which is not under test then
        np.savez(folder / "tracking.npz", **dataclasses.asdict(folders.track(small[0])))
    whole = shutil.copytree(folder, folder.with_name("whole"))
    pipeline.run(whole, Settings(), stages=[stage], overwrite=True)

    write = files.write_bytes
    calls = []

    def killed(path, data):
        if path.name != files.MANIFEST:
            calls.append(path)
            if len(calls) > {"torso": 7, "tracking": 2}.get(stage, 0):
                raise KeyboardInterrupt
        write(path, data)

    monkeypatch.setattr(files, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(folder, Settings(), stages=[stage], overwrite=True)
    monkeypatch.undo()
    pipeline.run(folder, Settings(), stages=[stage])
    assert _digests(folder) == _digests(whole)


def test_files_of_the_user_are_not_written_over(folder):
    before = _digests(folder)
    with pytest.raises(DataError, match=r"stage torso makes.*60 files.*--overwrite"):
        pipeline.run(folder, Settings(), stages=["torso"])
    assert _digests(folder) == before
    pipeline.run(folder, Settings(), stages=["torso"], overwrite=True)
    assert _digests(folder) != before


def test_a_stage_that_is_made_again_outdates_what_follows(folder):
    pipeline.run(folder, Settings(), stages=["background", "torso"], overwrite=True)
    manifest = pipeline.run(folder, Settings(), stages=["background"], overwrite=True)
    assert manifest["stages"]["background"]["done"]
    assert not manifest["stages"]["torso"]["done"]
    assert pipeline.run(folder, Settings(), stages=["torso"])["stages"]["torso"]["done"]


def _short(**options):
    return actor.film(num_frames=options.pop("num_frames", 210), size=64, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 8}, "--size"),
        ({"margin": 1.0}, "--margin"),
        ({"crop": "0,0,9999"}, "inside of the picture"),
        ({"crop": "middle"}, "LEFT,TOP,SIDE"),
        ({"video": pathlib.Path("absent.mp4")}, "absent.mp4"),
        ({"au": pathlib.Path("absent.csv")}, "--au"),
        ({"audio_features": pathlib.Path("absent.npy")}, "--audio_features"),
    ],
)
def test_bad_settings_are_refused_before_any_work(video, tmp_path, change, message):
    settings = dataclasses.replace(Settings(video=video, size=SIZE), **change)
    with pytest.raises(DataError, match=message):
        pipeline.run(tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()


def test_files_that_do_not_fit_the_video_are_refused_before_any_work(video, tmp_path):
    np.save(tmp_path / "ds.npy", np.zeros((COUNT * 6 // 5, 16, 29), np.float32))
    with pytest.raises(DataError, match="30 fps"):
        pipeline.run(tmp_path / "out", Settings(video=video, audio_features=tmp_path / "ds.npy"))
    units = action_units.ActionUnits(
        action_units.ESTIMATED, np.zeros((COUNT - 3, 9), np.float32), np.ones(COUNT - 3, bool), ""
    )
    action_units.write(tmp_path / "au.csv", units)
    with pytest.raises(DataError, match=f"{COUNT} rows"):
        pipeline.run(tmp_path / "out", Settings(video=video, au=tmp_path / "au.csv"))
    (tmp_path / "parsing").mkdir()
    with pytest.raises(DataError, match="0 such files"):
        pipeline.run(tmp_path / "out", Settings(video=video, parsing=tmp_path / "parsing"))
    assert not (tmp_path / "out").exists()


def test_videos_without_sound_or_too_short_are_refused(tmp_path):
    silent, short = tmp_path / "silent.mp4", tmp_path / "short.mp4"
    actor.write_video(silent, _short(), sound=False)
    actor.write_video(short, _short(num_frames=100))
    with pytest.raises(DataError, match="no audio track"):
        pipeline.run(tmp_path / "out", Settings(video=silent))
    with pytest.raises(DataError, match=r"at least 8 seconds.*4\.0 s"):
        pipeline.run(tmp_path / "out", Settings(video=short))


def test_a_full_disk_is_named_and_the_run_goes_on_later(folder, monkeypatch):
    import errno

    original = pathlib.Path.write_bytes

    def full(self, data):
        if "torso_imgs" in str(self) and self.name.startswith(".9.png"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(self, data)

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(DataError, match="full disk"):
        pipeline.run(folder, Settings(), stages=["torso"], overwrite=True)
    monkeypatch.undo()
    manifest = json.loads((folder / files.MANIFEST).read_text())
    assert manifest["stages"]["torso"] == {"done": False}
    assert pipeline.run(folder, Settings(), stages=["torso"])["stages"]["torso"]["done"]


def test_a_place_that_cannot_be_written_to_is_named(video, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="place to write to"):
        pipeline.run(tmp_path / "file" / "out", Settings(video=video))


def test_unknown_stages_and_other_records_are_refused(tmp_path):
    with pytest.raises(DataError, match="stages among decode"):
        pipeline.run(tmp_path, Settings(), stages=["maskes"])
    (tmp_path / files.MANIFEST).write_text('{"format": 99}')
    with pytest.raises(DataError, match="format 99"):
        pipeline.run(tmp_path, Settings(), stages=["features"])
