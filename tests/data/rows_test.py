import numpy as np
import pytest

from emojax.data import rows
from emojax.data.errors import DataError


def _array():
    return np.random.default_rng(0).integers(0, 256, (7, 4, 5, 3), dtype=np.uint8)


def test_rows_round_trip(tmp_path):
    path = tmp_path / "a.npy"
    rows.write(path, iter(_array()), 7)
    stored = rows.Rows(path)
    assert stored.shape == (7, 4, 5, 3)
    assert stored.dtype == np.uint8
    assert len(stored) == 7
    for index in (3, slice(1, 4), np.array([6, 0, 6])):
        np.testing.assert_array_equal(stored[index], _array()[index])
    np.testing.assert_array_equal(np.load(path), _array())


def test_a_copy_outlives_the_file(tmp_path):
    path = tmp_path / "a.npy"
    rows.write(path, iter(_array()), 7)
    row = rows.Rows(path)[2]
    row += 1  # one's own memory, not the file's
    np.testing.assert_array_equal(np.load(path), _array())


def test_pages_are_given_back(tmp_path):
    path = tmp_path / "big.npy"
    rows.write(path, (np.full(1 << 20, t, np.uint8) for t in range(64)), 64)
    stored = rows.Rows(path)
    try:
        with open("/proc/self/smaps") as file:
            file.read(1)
    except OSError:
        pytest.skip("this system does not tell which pages are resident")
    for t in range(64):
        assert stored[t][0] == t
    resident, inside = 0, False
    with open("/proc/self/smaps") as file:
        for line in file:
            inside = str(path) in line if "-" in line.split()[0] else inside
            if inside and line.startswith("Rss:"):
                resident += int(line.split()[1])
    assert resident < 4096  # kB of 64 MB


def test_a_damaged_array_is_named(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"a\.npy"):
        rows.Rows(tmp_path / "a.npy")


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    place = tmp_path / "packed"
    with rows.FolderInMaking(place) as scratch:
        (scratch / "x").write_text("1")
        assert not place.exists()
    assert (place / "x").read_text() == "1"

    def fail():
        with rows.FolderInMaking(tmp_path / "other") as scratch:
            (scratch / "x").write_text("1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["packed"]


def test_rows_that_differ_or_are_too_few_or_many_are_refused(tmp_path):
    path = tmp_path / "a.npy"
    with pytest.raises(ValueError, match="row 1 is uint8"):
        rows.write(path, [np.zeros((4, 4), np.uint8), np.zeros((4, 3), np.uint8)], 2)
    with pytest.raises(ValueError, match="row 1 is float32"):
        rows.write(path, [np.zeros(4, np.uint8), np.zeros(4, np.float32)], 2)
    for length in (6, 8):
        with pytest.raises(ValueError, match=f"7 rows for {length}"):
            rows.write(path, iter(_array()), length)
