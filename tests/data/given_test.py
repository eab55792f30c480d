"""What is given is looked at first: a run that cannot succeed changes nothing."""

import hashlib
import shutil

import numpy as np
import pytest

from emojax.data import files, given, pipeline
from emojax.data.errors import DataError
from emojax.data.job import Settings
from tests.data import folders, media


def _content(folder):
    return {
        path: hashlib.sha256(path.read_bytes()).digest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _refused(folder, settings, stages, message):
    before = _content(folder)
    with pytest.raises(DataError, match=message):
        pipeline.run(folder, settings, stages=stages, overwrite=True)
    assert _content(folder) == before


@pytest.mark.parametrize(
    ("option", "name", "stage"),
    [
        ("au", files.ACTION_UNITS, "action_units"),
        ("audio_features", "aud_mel.npy", "features"),
        ("parsing", files.PARSING, "masks"),
        ("teeth_mask", files.TEETH, "masks"),
    ],
)
def test_what_a_stage_would_write_over_cannot_be_given(folder, option, name, stage):
    settings = Settings(**{option: folder / name})
    _refused(folder, settings, [stage], f"--{option} from another place.*{name}")


def test_a_forgotten_video_costs_nothing(folder):
    folders.as_made(folder, "decode", settings=Settings())
    _refused(folder, Settings(), list(pipeline.STAGES), "Give --video")
    _refused(folder, Settings(), ["decode"], "Give --video")


def test_a_bad_file_costs_nothing(folder, tmp_path):
    (tmp_path / "au.csv").write_text("frame\n1\n")
    _refused(folder, Settings(au=tmp_path / "au.csv"), ["action_units"], "AU01_r")


@pytest.mark.parametrize(
    "save",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"garbage"),
        lambda path: path.write_bytes(b"PK\x03\x04 garbage"),
        lambda path: np.save(path, np.float32(3)),
        lambda path: np.save(path, np.zeros((30, 7), np.float32)),
        lambda path: np.save(path, np.zeros((30, 7, 7), np.float32)),
        lambda path: np.save(path, np.array([{}, None]), allow_pickle=True),
        lambda path: np.save(path, np.zeros((60, 16, 29), np.float32)),
    ],
)
def test_bad_features_cost_nothing(folder, tmp_path, save):
    path = tmp_path / "x.npy"
    save(path)
    _refused(folder, Settings(audio_features=path), ["features"], r"x\.npy")


def test_masks_of_another_size_cost_nothing(folder, tmp_path):
    parsing = shutil.copytree(folder / files.PARSING, tmp_path / "parsing")
    teeth = shutil.copytree(folder / files.TEETH, tmp_path / "teeth")
    files.write_picture(parsing / "8.png", np.zeros((32, 32, 3), np.uint8))
    np.save(teeth / "9.npy", np.zeros((64, 32), bool))
    _refused(folder, Settings(parsing=parsing), ["masks"], r"--parsing.*64 x 64; got 8\.png")
    _refused(folder, Settings(teeth_mask=teeth), ["masks"], r"--teeth_mask.*9\.npy.*is 32 x 64")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("size", 8),
        ("margin", 1.0),
        ("focal", 0.0),
        ("focal", -3.0),
        ("focal", float("inf")),
        ("crop", "0,0,1"),
    ],
)
def test_options_out_of_range_are_refused(folder, option, value):
    with pytest.raises(DataError, match=f"--{option}|a {option} "):
        given.check(folder, Settings(**{option: value}), decodes=False)


def test_an_empty_folder_is_told_to_decode(tmp_path):
    with pytest.raises(DataError, match="the stage decode, with --video"):
        pipeline.run(tmp_path / "new", Settings(), stages=["landmarks"])
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(DataError, match=r"--out to be a folder; got .*out, a file"):
        pipeline.run(tmp_path / "out", Settings(), stages=["landmarks"])
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(("pictures", "sound", "short"), [(10, 3, "sound"), (3, 10, "picture")])
def test_the_short_track_is_named(tmp_path, pictures, sound, short):
    path = media.write(
        tmp_path / "talk.mkv", times=media.regular(25, pictures), sound=media.clicks([1], sound)
    )
    message = rf"got 3\.\d s in talk\.mkv: {pictures}\.\d s of picture, {sound}\.\d s of sound"
    with pytest.raises(DataError, match=f"{message}.*the {short} is the short one"):
        pipeline.run(tmp_path / "out", Settings(video=path))


def test_the_number_of_frames_is_that_of_the_folder(folder):
    assert given.check(folder, Settings(), decodes=False) == 30
