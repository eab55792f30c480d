import itertools
import json
import shutil

import numpy as np
import pytest

from emojax.data import (
    audio_features,
    cameras,
    clip,
    files,
    record,
)
from emojax.data.errors import DataError
from emojax.data.job import Settings
from emojax.data.labels import Label
from tests.data import actor, folders

COUNT, SIZE = 33, 48


@pytest.fixture(scope="module")
def film():
    return actor.film(num_frames=COUNT, size=SIZE, seed=4)


@pytest.fixture(scope="module")
def original(film, tmp_path_factory):
    return folders.write_folder(film, tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="module")
def loaded(original):
    return clip.load(original)


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "copy", ignore=shutil.ignore_patterns(".packed"))


def test_what_was_written_is_what_is_read(film, loaded):
    true = folders.track(film)
    assert len(loaded) == COUNT
    assert loaded.size == SIZE
    assert loaded.num_train == 30
    assert loaded.fallbacks == ()
    assert loaded.valence_arousal is None
    np.testing.assert_array_equal(loaded.numbers, np.arange(COUNT))
    np.testing.assert_array_equal(loaded.labels[:], film.labels)
    assert np.abs(loaded.images[:].astype(int) - film.images).mean() < 3  # JPEG
    np.testing.assert_allclose(loaded.landmarks, film.landmarks, atol=1e-4)
    np.testing.assert_allclose(loaded.world_to_camera, true.world_to_camera, atol=1e-5)
    np.testing.assert_allclose(loaded.focal, film.focal)
    np.testing.assert_array_equal(loaded.principal, [SIZE / 2] * 2)
    np.testing.assert_allclose(
        loaded.action_units.values, folders.true_action_units(film).values, atol=0.006
    )
    assert loaded.audio.name == "mel"
    assert loaded.audio.values.shape == (COUNT, 16, 80)


def test_the_camera_projects_the_head_onto_its_landmarks(film, loaded):
    true = folders.track(film)
    for row in (0, 20):
        camera = loaded.camera(row)
        points = np.asarray(camera.world_to_camera)[:3, :3] @ true.points()[row].T
        x, y, z = points + np.asarray(camera.world_to_camera)[:3, 3:]
        u = camera.focal[0] * x / z + camera.principal[0]
        v = camera.focal[1] * y / z + camera.principal[1]
        pixel = np.stack([u, v], axis=-1) - 0.5
        np.testing.assert_allclose(pixel, loaded.landmarks[row], atol=0.02)


def test_another_size_scales_everything(film, original):
    small = clip.load(original, size=24)
    assert small.size == 24
    np.testing.assert_allclose(small.focal, film.focal / 2)
    np.testing.assert_allclose(small.principal, 12)
    np.testing.assert_allclose(small.landmarks + 0.5, (film.landmarks + 0.5) / 2, atol=1e-4)


def test_a_batch_is_rows(film, loaded):
    rows = np.array([5, 0, 32])
    some = clip.batch(loaded, rows)
    np.testing.assert_array_equal(some.rows, rows)
    np.testing.assert_array_equal(some.labels, film.labels[rows])
    assert some.images.shape == some.backdrops.shape == (3, SIZE, SIZE, 3)
    assert some.audio.shape == (3, 8, 16, 80)
    assert some.action_units.shape == (3, 9)
    assert some.valence_arousal is None
    is_body = np.isin(some.labels, [Label.NECK, Label.TORSO])
    is_behind = some.labels == Label.BACKGROUND
    difference = np.abs(some.backdrops.astype(int) - some.images).max(axis=-1)
    assert np.median(difference[is_body]) <= 6
    assert np.median(difference[is_behind]) <= 12


def test_the_backdrop_is_talking_gaussians():
    torso = np.array([[[200, 100, 50, 255], [200, 100, 50, 128], [9, 9, 9, 0]]], np.uint8)
    behind = np.full((1, 3, 3), 10, np.uint8)
    expected = torso[..., :3] * (torso[..., 3:] / 255.0) + behind * (1 - torso[..., 3:] / 255.0)
    np.testing.assert_array_equal(clip.backdrop(torso, behind), expected.astype(np.uint8))


def test_audio_windows_are_eight_around_the_frame_and_zero_outside(loaded):
    values = loaded.audio.values
    some = clip.audio_windows(loaded.audio, np.array([0, 10, COUNT - 1]))
    assert (some[0, :4] == 0).all()
    np.testing.assert_array_equal(some[0, 4:], values[:4])
    np.testing.assert_array_equal(some[1], values[6:14])
    np.testing.assert_array_equal(some[2, :5], values[-5:])
    assert (some[2, 5:] == 0).all()


def test_prefetched_batches_are_the_same(loaded):
    rows = [np.array([t, (7 * t) % COUNT]) for t in range(20)]
    batches = list(clip.prefetch(loaded, rows, depth=3))
    assert len(batches) == 20
    for some, row in zip(batches, rows, strict=True):
        for a, b in zip(some, clip.batch(loaded, row), strict=True):
            np.testing.assert_array_equal(a, b)


def test_prefetching_stops_when_nobody_reads(loaded):
    taken = itertools.count()
    rows = (np.array([next(taken) % COUNT]) for _ in itertools.count())
    batches = clip.prefetch(loaded, rows, depth=2)
    next(batches)
    batches.close()
    before = next(taken)
    assert before < 10
    assert next(taken) == before + 1  # the thread has ended


def test_prefetching_hands_errors_over(loaded):
    with pytest.raises(IndexError):
        list(clip.prefetch(loaded, [np.array([0]), np.array([COUNT])]))


def test_lost_frames_are_left_out(film, folder):
    valid = np.ones(COUNT, bool)
    valid[10:16] = False
    true = folders.track(film)
    cameras.write_transforms(
        folder, true.world_to_camera, valid, focal=film.focal, width=SIZE, height=SIZE
    )
    some = clip.load(folder)
    np.testing.assert_array_equal(some.numbers, np.flatnonzero(valid))
    np.testing.assert_allclose(some.landmarks, film.landmarks[valid], atol=1e-4)
    np.testing.assert_array_equal(some.audio_rows, np.flatnonzero(valid))
    assert some.action_units.values.shape == (27, 9)
    np.testing.assert_array_equal(some.cuts, [10])
    (folder / "au.csv").unlink()  # estimated shot by shot then
    opening = clip.load(folder).action_units.column(25)
    assert np.corrcoef(opening, film.opening_mm[valid])[0, 1] > 0.9


def test_the_source_of_our_own_files_is_the_records(folder):
    folders.as_made(folder, "action_units", "features", settings=Settings())
    some = clip.load(folder)
    assert (some.action_units.source, some.audio.source) == ("test", "test")
    path = folder / "au.csv"
    path.write_text(path.read_text() + "\n")
    assert clip.load(folder).action_units.source.startswith("au.csv, sha256")


def test_a_folder_of_an_unfinished_run_is_refused_unless_forced(folder):
    folders.as_made(folder, "torso", settings=Settings())
    content = record.read(folder)
    content["stages"]["torso"]["done"] = False
    record.write(folder, content)
    with pytest.raises(DataError, match="torso"):
        clip.load(folder)
    assert len(clip.load(folder, force=True)) == COUNT


def test_a_folder_of_the_original_layout_loads(film, folder):
    """As spec 5.5 has it: OpenFace's file with many columns, DeepSpeech under its first name."""
    (folder / "aud_mel.npy").unlink()
    deepspeech = np.random.default_rng(0).normal(size=(COUNT, 16, 29)).astype(np.float32)
    np.save(folder / "aud.npy", deepspeech)
    names = [f"AU{n:02d}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)]
    header = ["frame", "face_id", "timestamp", "confidence", "success"]
    header += [f"{n}_r" for n in names] + [f"{n}_c" for n in names]
    lines = [", ".join(header)]
    rng = np.random.default_rng(1)
    for t in range(COUNT):
        row = [str(t + 1), "0", f"{t / 25:.3f}", "0.98", "1"]
        lines.append(", ".join(row + [f"{x:.2f}" for x in rng.uniform(0, 3, 34)]))
    (folder / "au.csv").write_text("\n".join(lines) + "\n")
    some = clip.load(folder)
    assert some.audio.name == "deepspeech"
    np.testing.assert_array_equal(some.audio.values, deepspeech)
    assert len(some.action_units.numbers) == 17
    assert any("aud.npy" in text for text in some.fallbacks)


def test_missing_sound_features_and_action_units_are_made(film, folder):
    (folder / "aud_mel.npy").unlink()
    (folder / "au.csv").unlink()
    some = clip.load(folder)
    text = "; ".join(some.fallbacks)
    assert "log-mel made from aud.wav" in text
    assert "for want of au.csv" in text
    assert np.corrcoef(some.action_units.column(25), film.opening_mm)[0, 1] > 0.9


def test_other_features_come_before_the_built_in_ones(folder):
    np.save(folder / "aud_hu.npy", np.zeros((COUNT, 2, 1024), np.float32))
    assert clip.load(folder).audio.name == "hubert"
    assert clip.load(folder, features="mel").audio.name == "mel"
    with pytest.raises(DataError, match="none named deepspeech"):
        clip.load(folder, features="deepspeech")
    with pytest.raises(DataError, match="features named melody"):
        clip.load(folder, features="melody")


def test_without_val_the_first_ten_elevenths_train(folder):
    content = json.loads((folder / "transforms_train.json").read_text())
    content["frames"] += json.loads((folder / "transforms_val.json").read_text())["frames"]
    del content["cx"], content["cy"]
    (folder / "transforms_train.json").write_text(json.dumps(content))
    (folder / "transforms_val.json").unlink()
    some = clip.load(folder)
    assert some.num_train == 30
    assert any("principal point" in text for text in some.fallbacks)
    np.testing.assert_array_equal(some.principal, [SIZE / 2] * 2)


def test_valence_and_arousal_are_read(folder):
    values = np.random.default_rng(0).uniform(-0.7, 0.7, (COUNT, 2))
    np.save(folder / files.VALENCE_AROUSAL, values)
    some = clip.load(folder)
    np.testing.assert_allclose(some.valence_arousal, values, atol=1e-6)
    assert clip.batch(some, np.array([1, 2])).valence_arousal.shape == (2, 2)


def _verdict(folder, verdict):
    findings = [{"name": "clip_length", "level": verdict}]
    (folder / "doctor.json").write_text(json.dumps({"verdict": verdict, "findings": findings}))


def test_the_doctors_refusal_is_heeded_unless_forced(folder):
    _verdict(folder, "not usable")
    with pytest.raises(DataError, match="clip_length"):
        clip.load(folder)
    assert len(clip.load(folder, force=True)) == COUNT
    _verdict(folder, "usable")
    assert len(clip.load(folder)) == COUNT


def _set(folder, name, change):
    path = folder / name
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def _save(name, values):
    return lambda folder: np.save(folder / name, values)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "transforms_train.json").unlink(), "stages tracking"),
        (
            lambda f: _set(f, "transforms_val.json", lambda c: c.update(focal_len=99.0)),
            "one focal length",
        ),
        (
            lambda f: _set(f, "transforms_val.json", lambda c: c["frames"][0].update(img_id=3)),
            "more than once",
        ),
        (lambda f: (f / "au.csv").write_text("frame\n1\n"), "AU01_r"),
        (lambda f: (f / "doctor.json").write_text("{}"), "doctor's report"),
        (lambda f: (f / "va.npy").write_bytes(b""), r"va\.npy"),
        (_save("va.npy", np.array(["a", "b"])), r"numbers in .*va\.npy"),
        (_save("va.npy", np.zeros((5, 2))), r"\(33, 2\)"),
        (_save("va.npy", np.full((COUNT, 2), 2.0)), "from -1 to 1"),
        (_save("va.npy", np.full((COUNT, 2), np.nan)), "from -1 to 1"),
        (_save("aud_mel.npy", np.zeros((COUNT * 2, 16, 80), np.float32)), "66"),
        (_save("aud_mel.npy", np.zeros((COUNT, 16, 30), np.float32)), "30"),
    ],
)
def test_folders_that_do_not_line_up_are_refused(folder, damage, message):
    damage(folder)
    with pytest.raises(DataError, match=message):
        clip.load(folder)


def test_no_sound_at_all_is_refused(folder):
    (folder / "aud_mel.npy").unlink()
    (folder / "aud.wav").unlink()
    with pytest.raises(DataError, match="sound features or"):
        clip.load(folder)


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="folder of a data set"):
        clip.load(tmp_path / "absent")


def test_kinds_of_features_have_distinct_files():
    names = [kind.file for kind in audio_features.KINDS.values()]
    assert len(set(names)) == len(names)
