import json
import os
import shutil

import numpy as np
import pytest

from emojax.data import files, labels, packing
from emojax.data.errors import DataError
from emojax.data.label_files import LabelFiles
from emojax.data.labels import Label
from emojax.data.rows import Rows
from tests.data import actor, folders

COUNT, SIZE = 12, 64


@pytest.fixture(scope="module")
def film():
    return actor.film(num_frames=COUNT, size=SIZE, seed=5)


@pytest.fixture(scope="module")
def original(film, tmp_path_factory):
    return folders.write_folder(film, tmp_path_factory.mktemp("original"))


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "a folder with blanks and Ü")


def test_arrays_hold_what_the_files_hold(film, folder):
    place, content = packing.pack(folder, range(COUNT), size=None)
    assert place.parent == folder / ".packed"
    assert place.name.startswith(f"{SIZE}-")
    assert content["size"] == content["source_size"] == SIZE
    assert content["fallbacks"] == []
    images, picture, torso = (Rows(place / f"{n}.npy") for n in ("images", "labels", "torso"))
    for t in range(COUNT):
        np.testing.assert_array_equal(
            images[t], files.read_picture(folder / files.FRAMES / f"{t}.jpg")
        )
    np.testing.assert_array_equal(picture[:], film.labels)
    np.testing.assert_array_equal(
        torso[3], files.read_picture(folder / files.TORSO / "3.png", alpha=True)
    )
    np.testing.assert_allclose(np.load(place / "landmarks.npy"), film.landmarks, atol=1e-4)


def test_rows_follow_the_given_numbers(film, folder):
    place, _ = packing.pack(folder, [7, 2, 9], size=None)
    np.testing.assert_array_equal(Rows(place / "labels.npy")[:], film.labels[[7, 2, 9]])


def test_another_size(film, folder):
    place, content = packing.pack(folder, range(COUNT), size=32)
    assert (content["size"], content["source_size"]) == (32, SIZE)
    assert Rows(place / "images.npy").shape == (COUNT, 32, 32, 3)
    assert Rows(place / "torso.npy").shape == (COUNT, 32, 32, 4)
    assert np.load(place / "background.npy").shape == (32, 32, 3)
    # Pixel centres are whole numbers: the middle of the picture stays in the middle.
    middle = np.load(place / "landmarks.npy") + 0.5 - 16
    np.testing.assert_allclose(middle, (film.landmarks + 0.5 - 32) / 2, atol=1e-4)
    assert set(np.unique(Rows(place / "labels.npy")[:])) <= {int(label) for label in Label}


def test_they_are_made_once_and_again_when_a_file_changes(folder):
    place, first = packing.pack(folder, range(COUNT), size=None)
    stamp = (place / "images.npy").stat().st_mtime_ns
    assert packing.pack(folder, range(COUNT), size=None)[1] == first
    assert (place / "images.npy").stat().st_mtime_ns == stamp
    black = np.zeros((SIZE, SIZE, 3), np.uint8)
    files.write_picture(folder / files.FRAMES / "4.jpg", black)
    stale = place
    place, second = packing.pack(folder, range(COUNT), size=None)
    assert second["key"] != first["key"]
    assert not stale.exists()
    assert Rows(place / "images.npy")[4].max() == 0


def test_half_made_arrays_are_not_taken_for_whole(folder, monkeypatch):
    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(packing, "_fill", killed)
    with pytest.raises(KeyboardInterrupt):
        packing.pack(folder, range(COUNT), size=None)
    assert not list((folder / ".packed").iterdir())


def test_a_cache_elsewhere_leaves_the_folder_alone(folder, tmp_path):
    place, _ = packing.pack(folder, range(COUNT), size=None, cache=tmp_path / "cache")
    assert place.parent == tmp_path / "cache"
    assert not (folder / ".packed").exists()


def test_missing_parts_are_stood_in_for_by_name(film, folder):
    for kind in (files.TEETH, files.TORSO, files.FRAMES):
        landmarks = list((folder / kind).glob("*.lms")) if kind == files.FRAMES else []
        for path in (folder / kind).iterdir():
            if path not in landmarks:
                path.unlink()
    (folder / files.BACKGROUND).unlink()
    place, content = packing.pack(folder, range(COUNT), size=None)
    text = "; ".join(content["fallbacks"])
    for name in ("gt_imgs", "teeth_mask", "torso_imgs", "bc.jpg"):
        assert name in text
    picture = Rows(place / "labels.npy")[:]
    assert not (picture == Label.TEETH).any()
    torso = Rows(place / "torso.npy")[:]
    body = labels.isin(film.labels, (Label.TORSO,))
    assert (torso[..., 3][body] == 255).all()
    error = np.abs(np.load(place / "background.npy").astype(int) - folders.background(film))
    assert np.median(error[(film.labels == Label.BACKGROUND).all(axis=0)]) < 8


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "ori_imgs/5.jpg").unlink(), "frame 5"),
        (lambda f: (f / "ori_imgs/5.jpg").write_bytes(b""), r"5\.jpg"),
        (lambda f: (f / "ori_imgs/5.lms").unlink(), r"5\.lms"),
        (lambda f: (f / "ori_imgs/5.lms").write_text("1 2\n3 4\n"), "4 numbers"),
        (lambda f: (f / "ori_imgs/5.lms").write_text("nan " * 136), "0 of them finite"),
        (lambda f: (f / "ori_imgs/5.jpg").rename(f / "ori_imgs/05.jpg"), r"05\.jpg|frame 5"),
        (lambda f: (f / "parsing/5.png").unlink(), r"5\.png"),
        (lambda f: shutil.rmtree(f / "parsing"), "stages masks"),
        (
            lambda f: files.write_picture(f / "torso_imgs/5.png", np.zeros((64, 60, 4), np.uint8)),
            r"5\.png as large as the frame, 64 x 64; got 60 x 64",
        ),
        (lambda f: (f / "teeth_mask/5.npy").write_bytes(b"x"), r"5\.npy"),
        (
            lambda f: files.write_picture(f / "parsing/5.png", np.zeros((8, 8, 3), np.uint8)),
            "as large as the frame",
        ),
        (
            lambda f: files.write_picture(f / "ori_imgs/5.jpg", np.zeros((8, 8, 3), np.uint8)),
            "64 x 64",
        ),
        (
            lambda f: files.write_picture(f / "ori_imgs/0.jpg", np.zeros((8, 9, 3), np.uint8)),
            "square",
        ),
        (
            lambda f: [p.unlink() for d in ("ori_imgs", "gt_imgs") for p in (f / d).glob("*.jpg")],
            "no picture",
        ),
    ],
)
def test_damaged_folders_are_refused_by_name(folder, damage, message):
    damage(folder)
    with pytest.raises(DataError, match=message):
        packing.pack(folder, range(COUNT), size=None)


def test_a_folder_that_is_closed_to_us_has_its_arrays_in_the_users_cache(
    folder, tmp_path, monkeypatch
):
    (folder / ".packed").touch()  # a file: nobody can write below it, root included
    monkeypatch.setenv("EMOJAX_CACHE", str(tmp_path / "mine"))
    place, content = packing.pack(folder, range(COUNT), size=None)
    assert place.parent == tmp_path / "mine" / "packed"
    stamp = (place / "images.npy").stat().st_mtime_ns
    assert packing.pack(folder, range(COUNT), size=None) == (place, content)
    assert (place / "images.npy").stat().st_mtime_ns == stamp
    (tmp_path / "closed").touch()
    monkeypatch.setenv("EMOJAX_CACHE", str(tmp_path / "closed"))
    with pytest.raises(DataError, match="place to write to") as error:
        packing.pack(folder, range(COUNT), size=None)
    assert "closed" in error.value.expected


def test_a_record_of_another_kind_is_made_again(folder):
    place, content = packing.pack(folder, range(COUNT), size=None)
    (place / "packed.json").write_text("{")
    assert packing.pack(folder, range(COUNT), size=None)[1] == content
    assert json.loads((place / "packed.json").read_text()) == content


def test_of_two_packers_at_once_the_slower_takes_what_is_made(folder, monkeypatch):
    fill = packing._fill

    def slow(*arguments):
        monkeypatch.undo()
        packing.pack(folder, range(COUNT), size=None)  # the other one
        return fill(*arguments)

    monkeypatch.setattr(packing, "_fill", slow)
    place, content = packing.pack(folder, range(COUNT), size=None)
    assert json.loads((place / "packed.json").read_text()) == content
    assert [path.name for path in (folder / ".packed").iterdir()] == [place.name]


def test_a_cache_serves_several_folders_and_keeps_what_is_not_ours(folder, tmp_path):
    other = folders.write_folder(actor.film(num_frames=COUNT, size=SIZE, seed=6), tmp_path / "b")
    cache = tmp_path / "cache"
    mine = cache / f"{SIZE}-mine"
    mine.mkdir(parents=True)
    first, _ = packing.pack(folder, range(COUNT), size=None, cache=cache)
    second, _ = packing.pack(other, range(COUNT), size=None, cache=cache)
    assert first != second
    stamp = (first / "images.npy").stat().st_mtime_ns
    assert packing.pack(folder, range(COUNT), size=None, cache=cache)[0] == first
    assert (first / "images.npy").stat().st_mtime_ns == stamp
    files.write_picture(folder / files.FRAMES / "4.jpg", np.zeros((SIZE, SIZE, 3), np.uint8))
    third, _ = packing.pack(folder, range(COUNT), size=None, cache=cache)
    assert {path.name for path in cache.iterdir()} == {mine.name, second.name, third.name}


def test_leftovers_of_a_kill_neither_count_nor_stay(folder):
    before = packing.fingerprint(folder, range(COUNT))
    (folder / files.TORSO / ".3.png.0123.partial").touch()
    assert packing.fingerprint(folder, range(COUNT)) == before
    left = files.partial(folder / ".packed" / "64-0123")
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    packing.pack(folder, range(COUNT), size=None)
    assert not left.exists()


def test_the_fallback_background_reads_labels_one_at_a_time(folder, monkeypatch):
    (folder / files.BACKGROUND).unlink()
    seen = []

    def estimate(frames, labels):
        seen.append(labels)
        return frames[0], None

    monkeypatch.setattr(packing.backgrounds, "estimate", estimate)
    packing.pack(folder, range(COUNT), size=None)
    assert isinstance(seen[0], LabelFiles)
