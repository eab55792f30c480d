import numpy as np
import pytest

from emojax.data import arrays, files
from emojax.data.errors import DataError

BAD_HEADER = b"\x93NUMPY\x01\x00\x10\x00{'descr': 1\n  "
RUBBISH = [b"", b"x", b"PK\x03\x04 nothing", b"\x93NUMPY", BAD_HEADER]


@pytest.mark.parametrize("content", [None, *RUBBISH])
def test_what_holds_no_array_is_named(tmp_path, content):
    path = tmp_path / "a.npy"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npy"):
        arrays.read(path)
    with pytest.raises(DataError, match=r"a\.npy"):
        arrays.read_named(path, ["x"])
    with pytest.raises(DataError, match=r"a\.npy"):
        arrays.read_mask(path, (4, 4))
    assert arrays.fault(path, (4, 4))


def test_one_array_and_several_are_told_apart(tmp_path):
    arrays.write_named(tmp_path / "a.npz", {"x": np.arange(3)})
    np.testing.assert_array_equal(arrays.read_named(tmp_path / "a.npz", ["x"])["x"], np.arange(3))
    with pytest.raises(DataError, match="several"):
        arrays.read(tmp_path / "a.npz")
    with pytest.raises(DataError, match="y"):
        arrays.read_named(tmp_path / "a.npz", ["x", "y"])
    np.save(tmp_path / "a.npy", np.arange(3))
    np.testing.assert_array_equal(arrays.read(tmp_path / "a.npy"), np.arange(3))
    with pytest.raises(DataError, match=r"a\.npy"):
        arrays.read_named(tmp_path / "a.npy", ["x"])


def test_masks_are_bool_and_as_large_as_their_picture(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(4))
    mask = arrays.read_mask(tmp_path / "a.npy", (4, 4, 3))
    assert mask.dtype == bool
    assert mask.sum() == 4
    with pytest.raises(DataError, match="as large as the frame, 5 x 4"):
        arrays.read_mask(tmp_path / "a.npy", (4, 5))


def test_faults_are_seen_in_heads_and_tails(tmp_path):
    png, npy = tmp_path / "0.png", tmp_path / "0.npy"
    files.write_picture(png, np.zeros((6, 8, 3), np.uint8))
    np.save(npy, np.zeros((6, 8), bool))
    for path in (png, npy):
        assert arrays.fault(path, (6, 8)) == arrays.fault(path, None) == ""
        assert arrays.fault(path, (8, 8)) == "is 8 x 6"
        whole = path.read_bytes()
        for length in (len(whole) - 5, 60, 10, 0):
            path.write_bytes(whole[:length])
            assert arrays.fault(path, (6, 8))
        path.unlink()
        assert arrays.fault(path, (6, 8)) == "is missing"
