import os

import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.emotion import cache
from emojax.emotion.cache import Cache, Entry, key_of
from tests.emotion import faces

ENTRY = Entry(faces.picture(), np.array(faces.landmarks()), None, "")


def test_what_was_put_is_found_bit_for_bit(tmp_path):
    store, key = Cache(tmp_path), key_of("a", ENTRY.picture)
    assert store.get(key) is None
    labels = np.uint8(ENTRY.picture[..., 0] > 99)
    store.put(key, Entry(ENTRY.picture, ENTRY.landmarks, labels, "lips"))
    found = Cache(tmp_path).get(key)
    np.testing.assert_array_equal(found.picture, ENTRY.picture)
    np.testing.assert_array_equal(found.landmarks, ENTRY.landmarks)
    np.testing.assert_array_equal(found.labels, labels)
    assert found.reason == "lips"
    assert (store.hits, store.misses, store.damaged) == (0, 1, 0)


def test_the_key_is_the_content():
    a = np.arange(6.0)
    keys = {
        key_of("x", a),
        key_of("y", a),
        key_of("x", a + 1),
        key_of("x", a.reshape(2, 3)),
        key_of("x", np.float32(a)),
        key_of("x", a, None),
        key_of("x", None, a),
    }
    assert len(keys) == 7
    assert key_of("x", a) == key_of("x", a.copy())
    assert key_of("x", a[::2]) == key_of("x", a[::2].copy())


def test_pictures_of_another_version_are_not_seen(tmp_path, monkeypatch):
    Cache(tmp_path).put("abc", ENTRY)
    monkeypatch.setattr(cache, "VERSION", cache.VERSION + 1)
    store = Cache(tmp_path)
    assert store.get("abc") is None
    assert [path.name for path in store.others()] == [f"emotional-faces-{cache.VERSION - 1}"]
    (tmp_path / "mine.txt").write_text("mine")
    store.remove_others()
    assert store.others() == []
    assert (tmp_path / "mine.txt").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04rubbish", b"not a file of ours"])
def test_a_damaged_entry_counts_as_absent(tmp_path, content):
    store = Cache(tmp_path)
    store.put("abc", ENTRY)
    (path,) = tmp_path.glob("*/*/abc.npz")
    path.write_bytes(content)
    assert store.get("abc") is None
    assert store.damaged == 1
    store.put("abc", ENTRY)
    assert store.get("abc") is not None


def test_a_torn_entry_counts_as_absent(tmp_path):
    store = Cache(tmp_path)
    store.put("abc", ENTRY)
    (path,) = tmp_path.glob("*/*/abc.npz")
    path.write_bytes(path.read_bytes()[:-2000])
    assert store.get("abc") is None


def test_the_longest_unused_go_first(tmp_path):
    size = 0
    store = Cache(tmp_path)
    for k in range(6):
        store.put(f"key{k}", ENTRY)
        (path,) = tmp_path.glob(f"*/*/key{k}.npz")
        os.utime(path, (k, k))
        size = path.stat().st_size
    assert store.get("key0") is not None  # used just now
    small = Cache(tmp_path, limit=int(4.5 * size))
    small.put("key6", ENTRY)
    left = sorted(path.stem for path in tmp_path.glob("*/*/*.npz"))
    assert left == ["key0", "key4", "key5", "key6"] or left == ["key0", "key5", "key6"]
    assert not list(tmp_path.rglob("*.partial"))


def test_keys_are_no_paths(tmp_path):
    with pytest.raises(DataError, match="key_of"):
        Cache(tmp_path).put("../../etc", ENTRY)
