"""Normals as bytes and files."""

import numpy as np
import pytest

from emojax.data import surfaces
from emojax.data.errors import DataError
from emojax.opencv import cv2


def _normals(side=8):
    vectors = np.random.default_rng(0).normal(size=(side, side, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors[: side // 2, : side // 2] = 0
    return vectors


def test_bytes_hold_normals_to_half_a_degree():
    normals = _normals()
    back = surfaces.from_bytes(surfaces.to_bytes(normals))
    cosines = np.sum(back * normals, axis=-1)[np.linalg.norm(normals, axis=-1) > 0]
    assert np.degrees(np.arccos(cosines.clip(-1, 1))).max() < 0.6
    assert (back[:4, :4] == 0).all()


def test_drawn_normals_are_shown_at_full_length_or_not_at_all():
    normals = _normals()
    np.testing.assert_array_equal(surfaces.of_drawn(0.7 * normals), surfaces.to_bytes(normals))
    assert not surfaces.of_drawn(0.4 * normals).any()


@pytest.mark.parametrize("bits", [8, 16])
def test_files_of_8_and_16_bits_are_read(tmp_path, bits):
    normals, full = _normals(), 2**bits - 1
    stored = np.rint((normals + 1) / 2 * full)
    if bits == 8:
        stored = surfaces.to_bytes(normals)
    kind = np.uint8 if bits == 8 else np.uint16
    path = tmp_path / "0.png"
    path.write_bytes(cv2.imencode(".png", stored.astype(kind)[..., ::-1])[1].tobytes())
    back = surfaces.from_bytes(surfaces.read(path, size=8))
    np.testing.assert_allclose(back, normals, atol=0.01)


def test_a_smaller_picture_still_has_unit_vectors(tmp_path):
    path = tmp_path / "0.png"
    flat = np.tile(np.float32([0, 0.6, 0.8]), (16, 16, 1))
    path.write_bytes(cv2.imencode(".png", surfaces.to_bytes(flat)[..., ::-1])[1].tobytes())
    back = surfaces.from_bytes(surfaces.read(path, size=8))
    np.testing.assert_allclose(back, flat[:8, :8], atol=0.01)


def test_the_folder_is_found(tmp_path):
    assert surfaces.find(tmp_path) is None
    (tmp_path / "truth/normals").mkdir(parents=True)
    assert surfaces.find(tmp_path) == tmp_path / "truth/normals"
    (tmp_path / "normals").mkdir()
    assert surfaces.find(tmp_path) == tmp_path / "normals"
    assert surfaces.source(tmp_path) is None


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_a_missing_or_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "3.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"3\.png"):
        surfaces.read(path, size=8)
