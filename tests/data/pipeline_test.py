import dataclasses
import hashlib
import json
import os
import pathlib
import shutil

import numpy as np
import pytest

from emojax.data import (
    action_units,
    audio,
    clip,
    doctor,
    face68,
    files,
    labels,
    outputs,
    pipeline,
    record,
)
from emojax.data.errors import DataError
from emojax.data.job import Settings
from emojax.data.labels import Label
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
    sources = {"landmarks", "masks", "teeth", "action_units", "features", "normals"}
    assert sources == set(manifest["sources"])
    assert {"stages", "background"} <= set(seen)
    assert manifest["video"]["crop"] == {"left": 0, "top": 0, "side": SIZE}


def test_the_folder_loads_as_a_clip(film, made):
    loaded = clip.load(made[0], force=True)
    assert len(loaded) == COUNT
    assert loaded.fallbacks == ()
    assert loaded.action_units.source == action_units.LANDMARKS
    assert loaded.audio.source.startswith("mel: built in")
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


def test_the_same_video_by_another_name_is_no_other(made, video, tmp_path):
    same = shutil.copy(video, tmp_path / "renamed.mp4")
    again = pipeline.run(made[0], Settings(video=same, size=SIZE))
    assert again["stages"] == made[1]["stages"]
    other = tmp_path / video.name
    other.write_bytes(video.read_bytes() + bytes(9))
    message = f"{video.name}, of which .* holds the data; got {video.name}, another file of that"
    with pytest.raises(DataError, match=message):
        pipeline.run(made[0], Settings(video=other, size=SIZE))


def test_only_what_a_stage_was_done_with_is_recorded(folder, tmp_path, monkeypatch):
    np.save(tmp_path / "ds.npy", np.zeros((30, 16, 29), np.float32))
    given = Settings(audio_features=tmp_path / "ds.npy")
    _kill_at(monkeypatch, "aud_ds.npy")
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(folder, given, stages=["features"])
    monkeypatch.undo()
    assert "settings" not in _stages(folder)["features"]
    pipeline.run(folder, given, stages=["features"])
    assert _stages(folder)["features"]["settings"]["audio_features"]["name"] == "ds.npy"
    with pytest.raises(DataError, match=r"--audio_features as when .*, ds\.npy; got none"):
        pipeline.run(folder, Settings(), stages=["features"])


def test_a_renamed_file_does_not_begin_an_overwriting_anew(folder, tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.zeros((30, 16, 29), np.float32))
    shutil.copy(tmp_path / "a.npy", tmp_path / "b.npy")
    stages = ["background", "features"]
    _kill_at(monkeypatch, "aud_ds.npy")
    settings = Settings(audio_features=tmp_path / "a.npy")
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(folder, settings, stages=stages, overwrite=True)
    monkeypatch.undo()
    stamp = (folder / files.BACKGROUND).stat().st_mtime_ns
    settings = Settings(audio_features=tmp_path / "b.npy")
    pipeline.run(folder, settings, stages=stages, overwrite=True)
    assert (folder / files.BACKGROUND).stat().st_mtime_ns == stamp


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


def _kill_at(monkeypatch, kind):
    """Kills whoever begins to write a file whose place has `kind` in it."""
    write = files.write_bytes

    def killed(path, data):
        if kind in path.as_posix():
            raise KeyboardInterrupt
        write(path, data)

    monkeypatch.setattr(files, "write_bytes", killed)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("kind", [files.BACKGROUND, files.TORSO, "aud_mel"])
def test_a_killed_overwrite_of_several_stages_goes_on(folder, kind, overwrite, monkeypatch):
    stages = ["background", "torso", "features"]
    whole = shutil.copytree(folder, folder.with_name("whole"))
    pipeline.run(whole, Settings(), stages=stages, overwrite=True)
    _kill_at(monkeypatch, kind)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(folder, Settings(), stages=stages, overwrite=True)
    monkeypatch.undo()
    done = [name for name, stage in _stages(folder).items() if stage["done"]]
    before = {path: path.stat().st_mtime_ns for name in done for path in _made(folder, name)}
    assert len(done) == [files.BACKGROUND, files.TORSO, "aud_mel"].index(kind)
    manifest = pipeline.run(folder, Settings(), stages=stages, overwrite=overwrite)
    assert all(manifest["stages"][name]["done"] for name in stages)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert _digests(folder) == _digests(whole)
    # What is asked for after it is done is done anew.
    stamp = (folder / files.BACKGROUND).stat().st_mtime_ns
    pipeline.run(folder, Settings(), stages=stages, overwrite=True)
    assert (folder / files.BACKGROUND).stat().st_mtime_ns > stamp


def _stages(folder):
    return json.loads((folder / files.MANIFEST).read_text())["stages"]


def _made(folder, name):
    return outputs.expected(folder, name, Settings(), 30)


def test_a_file_that_the_user_put_in_the_place_of_ours_is_kept(small, folder):
    np.savez(folder / files.TRACKING, **dataclasses.asdict(folders.track(small[0])))
    folders.as_made(folder, "tracking", "action_units", settings=Settings())
    (folder / files.ACTION_UNITS).write_text("OpenFace's own")
    settings = Settings(focal=200.0)
    pipeline.run(folder, settings, stages=["tracking"], overwrite=True)
    with pytest.raises(DataError, match=r"stage action_units makes; got 1 files.*au\.csv"):
        pipeline.run(folder, settings, stages=["tracking", "action_units"])
    assert (folder / files.ACTION_UNITS).read_text() == "OpenFace's own"
    pipeline.run(folder, settings, stages=["action_units"], overwrite=True)
    assert (folder / files.ACTION_UNITS).read_text().startswith("frame")


ADVICE = [  # what the doctor misses, and the stage that it names
    (files.TORSO, "torso"),
    (f"{files.TORSO}/3.png", "torso"),
    (files.BACKGROUND, "background"),
    (files.PARSING, "masks"),
    (f"{files.TEETH}/3.npy", "masks"),
    ("aud_mel.npy", "features"),
    (files.ACTION_UNITS, "action_units"),
    (files.TRANSFORMS[1], "tracking"),
]


@pytest.mark.parametrize(("part", "stage"), ADVICE)
def test_a_stage_whose_files_are_gone_is_done_again(small, folder, tmp_path, part, stage):
    np.savez(folder / files.TRACKING, **dataclasses.asdict(folders.track(small[0])))
    parsing = shutil.copytree(folder / files.PARSING, tmp_path / "parsing")
    settings = Settings(parsing=parsing)
    names = ("tracking", "masks", "background", "torso", "action_units", "features")
    folders.as_made(folder, *names, settings=settings)
    path = folder / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    manifest = pipeline.run(folder, settings, stages=[stage])
    assert path.exists()
    assert manifest["stages"][stage]["done"]
    assert len(list((folder / files.TORSO).glob("*.png"))) == 30


def test_what_follows_from_a_stage_that_is_done_again_is_made_with_it(folder):
    stages = ["background", "torso", "doctor"]
    pipeline.run(folder, Settings(), stages=stages, overwrite=True)
    (folder / files.BACKGROUND).unlink()
    manifest = pipeline.run(folder, Settings(), stages=stages)
    assert all(manifest["stages"][name]["done"] for name in stages)
    assert (folder / doctor.JSON).exists()
    written = {name: manifest["stages"][name]["written"] for name in stages}
    assert written == {
        name: entry["written"]
        for name, entry in pipeline.run(folder, Settings(), stages=stages)["stages"].items()
    }


def test_no_stage_reads_what_is_outdated(folder):
    folders.as_made(folder, "background", settings=Settings())
    manifest = record.read(folder)
    manifest["stages"]["landmarks"] = {"done": False}
    record.write(folder, manifest)
    before = _digests(folder)
    with pytest.raises(DataError, match="stage landmarks, which tracking reads"):
        pipeline.run(folder, Settings(), stages=["tracking"], overwrite=True)
    assert _digests(folder) == before


def test_a_verdict_goes_when_what_it_judged_changes(folder):
    for name in (doctor.JSON, doctor.TEXT, doctor.SHEET):
        (folder / name).write_text("good")
    folders.as_made(folder, "background", "doctor", settings=Settings())
    manifest = pipeline.run(folder, Settings(), stages=["torso"], overwrite=True)
    assert not manifest["stages"]["doctor"]["done"]
    assert not list(folder.glob("doctor.*"))
    pipeline.run(folder, Settings(), stages=["doctor"])
    stamp = (folder / doctor.JSON).stat().st_mtime_ns
    (folder / doctor.TEXT).unlink()
    (folder / doctor.JSON).touch()  # experiments/doctor.py writes reports too: never the user's
    pipeline.run(folder, Settings(), stages=["doctor"])
    assert (folder / doctor.JSON).stat().st_mtime_ns > stamp


def test_switching_features_back_takes_the_others_away(folder, tmp_path):
    np.save(tmp_path / "ds.npy", np.zeros((30, 16, 29), np.float32))
    given = Settings(audio_features=tmp_path / "ds.npy")
    pipeline.run(folder, given, stages=["features"], overwrite=True)
    assert clip.load(folder).audio.name == "deepspeech"
    pipeline.run(folder, Settings(), stages=["features"], overwrite=True)
    assert clip.load(folder).audio.name == "mel"
    pipeline.run(folder, given, stages=["features"], overwrite=True)
    os.utime(folder / "aud_ds.npy", (2e9, 2e9))  # as if the user had put it there later
    pipeline.run(folder, Settings(), stages=["features"], overwrite=True)
    assert clip.load(folder).audio.name == "deepspeech"


def test_leftovers_of_a_kill_are_removed(folder):
    left = [folder / ".bc.jpg.0123.partial", folder / files.TORSO / ".3.png.0123.partial"]
    for path in left:
        path.write_bytes(b"half")
    pipeline.run(folder, Settings(), stages=["background"], overwrite=True)
    assert not any(path.exists() for path in left)


def test_frames_of_a_longer_run_go_only_after_success(folder, monkeypatch):
    extra = folder / files.TORSO / "30.png"
    shutil.copy(folder / files.TORSO / "3.png", extra)
    _kill_at(monkeypatch, f"{files.TORSO}/9.png")
    with pytest.raises(KeyboardInterrupt):
        pipeline.run(folder, Settings(), stages=["torso"], overwrite=True)
    monkeypatch.undo()
    assert len(list((folder / files.TORSO).glob("*.png"))) == 31
    pipeline.run(folder, Settings(), stages=["torso"])
    assert not extra.exists()
    assert len(list((folder / files.TORSO).glob("*.png"))) == 30


def test_a_stages_seed_is_not_anothers(small, folder):
    np.savez(folder / files.TRACKING, **dataclasses.asdict(folders.track(small[0])))
    folders.as_made(folder, "tracking", settings=Settings(seed=0))
    folders.as_made(folder, "masks", settings=Settings(seed=1))
    pipeline.run(folder, Settings(seed=0), stages=["tracking"])
    with pytest.raises(DataError, match="--seed"):
        pipeline.run(folder, Settings(seed=0), stages=["masks"])


def test_memory_is_told_in_megabytes_everywhere(monkeypatch):
    class Usage:
        ru_maxrss = 512 * 1024

    class Resource:
        RUSAGE_SELF = 0
        getrusage = staticmethod(lambda who: Usage)

    monkeypatch.setattr(pipeline, "resource", Resource)
    monkeypatch.setattr(pipeline.sys, "platform", "linux")
    assert pipeline._peak_memory() == 512
    Usage.ru_maxrss *= 1024
    monkeypatch.setattr(pipeline.sys, "platform", "darwin")
    assert pipeline._peak_memory() == 512
    monkeypatch.setattr(pipeline, "resource", None)
    assert pipeline._peak_memory() is None


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
    for number in range(COUNT):
        path = tmp_path / "parsing" / f"{number}.png"
        files.write_picture(path, np.zeros((SIZE, SIZE, 3), np.uint8))
    with pytest.raises(DataError, match=f"--parsing as large as the frames, 512.*is {SIZE}"):
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
    assert not manifest["stages"]["torso"]["done"]
    assert pipeline.run(folder, Settings(), stages=["torso"])["stages"]["torso"]["done"]


def test_a_place_that_cannot_be_written_to_is_named(video, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="place to write to"):
        pipeline.run(tmp_path / "file" / "out", Settings(video=video))


def test_unknown_stages_and_other_records_are_refused(tmp_path):
    with pytest.raises(DataError, match="stages among decode"):
        pipeline.run(tmp_path, Settings(), stages=["maskes"])
    with pytest.raises(DataError, match="got none"):
        pipeline.run(tmp_path, Settings(), stages=[])
    (tmp_path / files.MANIFEST).write_text('{"format": 99}')
    with pytest.raises(DataError, match="format 99"):
        pipeline.run(tmp_path, Settings(), stages=["features"])
