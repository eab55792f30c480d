"""Emotional pictures: written, read, joined with the clip's rows, refused when damaged."""

import json
import shutil

import numpy as np
import pytest

from emojax.data import clip, emotional
from emojax.data.emotional import EmotionalPicture
from emojax.data.errors import DataError
from emojax.data.labels import Label
from tests.data import actor, folders

COUNT, SIZE = 33, 48
FRAMES = (3, 11, 31)  # the last is held out
POINTS = ((0.7, 0.3), (-0.5, 0.5), (0.0, -0.6))


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    film = actor.film(num_frames=COUNT, size=SIZE, seed=4)
    return folders.write_folder(film, tmp_path_factory.mktemp("original"))


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "copy", ignore=shutil.ignore_patterns(".packed"))


def _pictures(size=SIZE, *, normals=True):
    for place, (frame, point) in enumerate(zip(FRAMES, POINTS, strict=True)):
        yield EmotionalPicture(
            frame=frame,
            emotion=point,
            image=np.full((size, size, 3), 40 * place + 40, np.uint8),
            labels=np.full((size, size), Label.HAIR, np.uint8),
            landmarks=np.full((68, 2), 5.0 + place, np.float32),
            normals=np.tile(np.float32([0, 0, 1]), (size, size, 1)) if normals else None,
        )


def _write(folder, **options):
    return emotional.write(folder, _pictures(**options), source="twins", facts={"seed": 1})


def test_a_clip_without_them_has_none(folder):
    some = clip.load(folder)
    assert some.emotional is None
    assert not len(some.emotional_rows)


def test_what_was_written_is_what_is_read(folder):
    assert _write(folder) == len(FRAMES)
    some = clip.load(folder)
    assert len(some) == COUNT
    found = some.emotional
    assert (found.source, len(found)) == ("twins", 3)
    np.testing.assert_array_equal(found.frames, FRAMES)
    np.testing.assert_allclose(found.emotions, POINTS, atol=1e-6)
    assert (found.labels[:] == Label.HAIR).all()
    np.testing.assert_allclose(found.images[:].mean((1, 2, 3)), [40, 80, 120], atol=2)


def test_held_out_frames_do_not_train(folder):
    _write(folder)
    np.testing.assert_array_equal(clip.load(folder).emotional_rows, [COUNT, COUNT + 1])


def test_a_batch_joins_them_with_their_frames(folder):
    _write(folder)
    some = clip.load(folder)
    rows = np.array([11, COUNT + 1])
    batch = clip.batch(some, rows)
    for name in ("backdrops", "world_to_camera", "audio", "action_units"):
        pair = getattr(batch, name)
        np.testing.assert_array_equal(pair[0], pair[1])
    np.testing.assert_array_equal(batch.images[0], some.images[11])
    np.testing.assert_array_equal(batch.images[1], some.emotional.images[1])
    np.testing.assert_array_equal(batch.landmarks[1], some.emotional.landmarks[1])
    # Without va.npy who speaks as usual is neutral.
    np.testing.assert_allclose(batch.valence_arousal, [[0, 0], POINTS[1]], atol=1e-6)
    assert batch.normals is None


def test_normals_come_along_where_the_frames_have_them(folder):
    _write(folder)
    (folder / "normals").mkdir()
    for number in range(COUNT):
        shutil.copy(folder / "emotional/normals/0.png", folder / f"normals/{number}.png")
    batch = clip.batch(clip.load(folder), np.array([0, COUNT]))
    np.testing.assert_array_equal(batch.normals[0], batch.normals[1])
    assert batch.normals.dtype == np.uint8


def test_they_are_read_at_the_clips_size(folder):
    _write(folder, normals=False)
    some = clip.load(folder, size=24)
    assert some.emotional.images.shape == (3, 24, 24, 3)
    assert some.emotional.normals is None
    np.testing.assert_allclose(some.emotional.landmarks[0], (5.5 / 2 - 0.5), atol=1e-5)


def test_they_are_not_replaced_without_being_told(folder):
    _write(folder)
    with pytest.raises(DataError, match="--overwrite"):
        _write(folder)
    emotional.write(folder, list(_pictures())[:2], source="warp", facts={}, overwrite=True)
    assert clip.load(folder).emotional.source == "warp"
    assert not list(folder.glob(".*partial"))


def test_none_to_write_is_refused_and_leaves_nothing(folder):
    with pytest.raises(DataError, match="0 pictures"):
        emotional.write(folder, [], source="warp", facts={})
    assert not (folder / "emotional").exists()
    assert not list(folder.glob(".*partial"))


@pytest.mark.parametrize("change", ["format", "count", "index", "json", "emotions"])
def test_damage_is_named(folder, change):
    _write(folder)
    place = folder / "emotional"
    source = json.loads((place / "source.json").read_text())
    if change == "index":
        (place / "pictures.npz").write_bytes(b"no archive")
    elif change == "json":
        (place / "source.json").write_text("{")
    elif change == "emotions":
        np.savez(
            place / "pictures.npz",
            frames=np.int64(FRAMES),
            emotions=np.full((3, 2), np.nan),
            landmarks=np.zeros((3, 68, 2)),
        )
    else:
        (place / "source.json").write_text(json.dumps(source | {change: 7}))
    with pytest.raises(DataError, match="emotional"):
        clip.load(folder)


def test_a_frame_that_the_clip_lacks_is_named(folder):
    lost = [picture._replace(frame=99) for picture in _pictures()]
    emotional.write(folder, lost, source="warp", facts={})
    with pytest.raises(DataError, match="99"):
        clip.load(folder)
