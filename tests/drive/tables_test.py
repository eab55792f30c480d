import json
import pathlib

import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.drive import tables

PATH = pathlib.Path("poses.csv")


def test_three_forms_say_the_same(tmp_path):
    values = {"yaw": np.array([1.0, 2, 3]), "x": np.array([0.0, 0.1, 0.2])}
    (tmp_path / "a.csv").write_text("yaw, x\n1, 0\n2, 0.1\n\n3, 0.2\n")
    (tmp_path / "a.json").write_text(json.dumps({k: v.tolist() for k, v in values.items()}))
    np.savez(tmp_path / "a.npz", **values)
    for name in ("a.csv", "a.json", "a.npz"):
        found = tables.read(tmp_path / name)
        assert set(found) == set(values)
        for key, value in values.items():
            np.testing.assert_array_equal(found[key], value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "yaw", "csv, .json or .npz"),
        ("a.csv", "", "a header and rows"),
        ("a.csv", "yaw, x\n1\n", "row 1 has 1 of 2"),
        ("a.csv", "yaw\nleft\n", "could not convert"),
        ("a.csv", "yaw\nnan\n", "NaN or infinity in yaw"),
        ("a.json", "{", "JSONDecodeError"),
        ("a.json", "[1, 2]", "an object of names"),
        ("a.json", '{"yaw": "left"}', "ValueError"),
        ("a.json", '{"frames": [{}]}', "transform_matrix"),
        ("a.npz", "no archive", "numbers by name"),
    ],
)
def test_damaged_files_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        tables.read(tmp_path / name)


def test_an_absent_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        tables.read(tmp_path / "absent.csv")


def test_constants_hold_and_two_frames_are_rounding():
    columns = {"yaw": np.arange(9.0), "x": np.array(0.5)}
    fitted, notes = tables.fit(PATH, columns, 11, loop=False)
    np.testing.assert_array_equal(fitted["yaw"], [0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8])
    np.testing.assert_array_equal(fitted["x"], np.full(11, 0.5))
    assert notes == ()
    assert len(tables.fit(PATH, columns, 8, loop=False)[0]["yaw"]) == 8


def test_another_length_is_refused_or_looped():
    columns = {"yaw": np.arange(30.0)}
    with pytest.raises(DataError, match="a file made at 30 frames a second") as error:
        tables.fit(PATH, columns, 25, loop=False)
    assert "--loop" in str(error.value)
    fitted, notes = tables.fit(PATH, {"yaw": np.arange(3.0)}, 8, loop=True)
    np.testing.assert_array_equal(fitted["yaw"], [0, 1, 2, 1, 0, 1, 2, 1])
    assert "repeated" in notes[0]
    fitted, notes = tables.fit(PATH, columns, 5, loop=True)
    np.testing.assert_array_equal(fitted["yaw"], np.arange(5))
    assert "cut" in notes[0]


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(DataError, match="yaw: 3, x: 4"):
        tables.fit(PATH, {"yaw": np.zeros(3), "x": np.zeros(4)}, 3, loop=True)


def test_columns_are_known_in_capitals_too_and_others_are_told():
    def known(name):
        return name if name in ("yaw", "x") else None

    columns = {"Yaw": np.zeros(2), "X": np.ones(2), "smile": np.ones(2), "AU01_r": np.ones(2)}
    picked, notes = tables.pick(PATH, columns, known, ("yaw", "x"))
    assert set(picked) == {"yaw", "x"}
    assert notes == ("poses.csv: not used: smile; known are yaw, x",)
    # OpenFace's hundreds of columns are no mistake.
    some = {"x": np.ones(2), "confidence": np.ones(2), "gaze_0_x": np.ones(2), "x_12": np.ones(2)}
    assert tables.pick(PATH, some, known, ("yaw", "x"))[1] == ()
    with pytest.raises(DataError, match=r"got yawn; did you mean yaw\?"):
        tables.pick(PATH, {"yawn": np.zeros(2), "x": np.ones(2)}, known, ("yaw", "x"))
    with pytest.raises(DataError, match="yaw twice, once as YAW"):
        tables.pick(PATH, {"yaw": np.zeros(2), "YAW": np.ones(2)}, known, ("yaw", "x"))
