"""The doctor flags every planted fault, passes the good folder, and never stumbles."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from emojax.data import clip, doctor, files
from emojax.data.checkup import report
from emojax.data.checkup.thresholds import Thresholds
from emojax.data.errors import DataError
from tests.data import actor, faults, folders

# A short, small film: what depends on length and pixels is judged by its measure.
SMALL = Thresholds(
    seconds=(8.4, 8.0),
    side=(160, 96),
    eye_distance=(35.0, 20.0),
    sharpness=(0.03, 0.006),
    clarity_seconds=8.0,
)

USABLE, BAD = report.USABLE, report.NOT_USABLE
FAULTS = [
    (faults.only_five_seconds, "duration", BAD),
    (faults.missing_picture, "frame_numbers", BAD),
    (faults.counted_from_one, "frame_numbers", BAD),
    (faults.two_names_of_a_picture, "pictures", BAD),
    (faults.absurd_number, "frame_numbers", BAD),
    (faults.truncated_picture, "damaged_pictures", BAD),
    (faults.no_picture, "damaged_pictures", BAD),
    (faults.one_smaller_picture, "picture_sizes", BAD),
    (faults.tiny_pictures, "resolution", BAD),
    (faults.blurred_pictures, "sharpness", BAD),
    (faults.some_blurred_pictures, "blurred", BAD),
    (faults.dark_pictures, "face_luminance", BAD),
    (faults.burnt_pictures, "clipped", BAD),
    (faults.flickering_light, "flicker", BAD),
    (faults.every_second_picture_repeated, "duplicates", BAD),
    (faults.video_hangs, "frozen_seconds", BAD),
    (faults.jump_cut, "cuts", USABLE),
    (faults.moving_background, "background_motion", BAD),
    (faults.no_masks, "parsing", BAD),
    (faults.one_mask_missing, "parsing", BAD),
    (faults.one_mask_cut_short, "parsing", BAD),
    (faults.small_masks, "parsing", BAD),
    (faults.empty_teeth_file, "teeth", BAD),
    (faults.no_mouth_in_masks, "mouth_seen", USABLE),
    (faults.masks_beside_the_face, "face_covered", BAD),
    (faults.flickering_masks, "mask_changed", BAD),
    (faults.empty_torso, "torso_covered", BAD),
    (faults.one_torso_missing, "torso", BAD),
    (faults.wrong_background, "background_error", BAD),
    (faults.trembling_landmarks, "landmark_jitter", BAD),
    (faults.swapped_coordinates, "odd_faces", BAD),
    (faults.landmarks_of_larger_pictures, "odd_faces", BAD),
    (faults.landmarks_cut_short, "landmark_files", BAD),
    (faults.one_landmark_file_missing, "landmark_files", BAD),
    (faults.still_mouth, "mouth_range", BAD),
    (faults.no_blinks, "blinks", USABLE),
    (faults.face_lost, "lost_seconds", USABLE),
    (faults.second_face, "several_faces", USABLE),
    (faults.poses_of_other_frames, "pose_residual", BAD),
    (faults.pulsing_head, "distance_jitter", USABLE),
    (faults.trembling_head, "angle_jitter", USABLE),
    (faults.head_turned_away, "yaw", BAD),
    (faults.half_the_poses, "poses", BAD),
    (faults.pose_with_scale, "poses", BAD),
    (faults.pose_without_picture, "poses", BAD),
    (faults.no_poses, "poses", BAD),
    (faults.camera_of_larger_pictures, "principal_point", BAD),
    (faults.digital_silence, "level", BAD),
    (faults.quiet_sound, "level", BAD),
    (faults.clipped_sound, "sound_clipped", BAD),
    (faults.mostly_silent, "silence", BAD),
    (faults.tone, "sounds", BAD),
    (faults.telephone_rate, "sound_rate", USABLE),
    (faults.video_rate, "sound_rate", USABLE),
    (faults.stereo, "sound_channels", USABLE),
    (faults.sound_late, "sync_lag", BAD),
    (faults.sound_of_another_clip, "sync_clarity", BAD),
    (faults.sound_of_thirty_fps, "sound_length", BAD),
    (faults.broken_sound, "sound", BAD),
    (faults.features_of_another_length, "features", BAD),
    (faults.undefined_features, "features", BAD),
    (faults.constant_features, "mel_course", BAD),
    (faults.late_features, "mel_lag", BAD),
    (faults.unit_rows_missing, "action_units", BAD),
    (faults.undefined_unit, "action_units", BAD),
    (faults.frozen_upper_face, "unit_columns", USABLE),
    (faults.dummy_blinks, "unit_columns", BAD),
    (faults.one_dummy_unit, "unit_columns", USABLE),
    (faults.one_dummy_unit_that_is_optional, "unit_columns", USABLE),
    (faults.late_units, "unit_lag", BAD),
    (faults.units_of_another_clip, "unit_agreement", BAD),
    (faults.wrong_blinks, "blink_agreement", USABLE),
    (faults.failed_units, "unit_failures", USABLE),
    (faults.stages_out_of_date, "stages", BAD),
    (faults.source_of_thirty_fps, "source_rate", USABLE),
    (faults.variable_rate, "source_rate", USABLE),
    (faults.sound_ends_early, "source_lengths", USABLE),
    (faults.sound_of_telephone_quality_in_the_source, "source_sound_rate", USABLE),
    (faults.enlarged_source, "source_size", USABLE),
    (faults.wide_valence, "valence_arousal", BAD),
]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    film = actor.film(num_frames=212, size=160)
    return folders.write_folder(film, tmp_path_factory.mktemp("doctor") / "good", extras=True)


@pytest.fixture(scope="module")
def healthy(good):
    return doctor.examine(good, thresholds=SMALL)


@pytest.fixture
def copy(good, tmp_path):
    return faults.link(good, tmp_path / "copy")


def test_the_good_folder_is_good(healthy):
    assert [f for f in healthy.findings if f.level != report.GOOD] == []
    assert healthy.verdict == report.GOOD


def test_a_short_small_film_is_usable_by_the_usual_limits(good):
    assert doctor.examine(good).verdict == report.USABLE


@pytest.mark.parametrize(
    ("spoil", "name", "level"), FAULTS, ids=lambda x: getattr(x, "__name__", "")
)
def test_a_planted_fault_is_flagged(spoil, name, level, copy, healthy):
    spoil(copy)
    found = doctor.examine(copy, thresholds=SMALL)
    assert found[name].level == level, f"{found[name].value} {found[name].advice}"
    assert found[name].advice
    assert found.verdict in (USABLE, BAD)
    if any(finding.name == name for finding in healthy.findings):
        assert healthy[name].level == report.GOOD


# --- it never stumbles ---


PARTS = (
    "ori_imgs", "ori_imgs/0.jpg", "ori_imgs/5.lms", "parsing", "parsing/9.png", "teeth_mask",
    "gt_imgs", "torso_imgs", "bc.jpg", "aud.wav", "aud_mel.npy", "au.csv", "transforms_train.json",
    "transforms_val.json", "landmarks.npz", "tracking.npz", "preprocess.json",
)  # fmt: skip
NEEDED = {
    "ori_imgs": "landmark_files",
    "ori_imgs/0.jpg": "frame_numbers",
    "ori_imgs/5.lms": "landmark_files",
    "parsing": "parsing",
    "parsing/9.png": "parsing",
    "transforms_train.json": "poses",
}


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_a_finding(part, copy):
    path = copy / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    found = doctor.examine(copy, thresholds=SMALL)
    if part in NEEDED:
        doctor.write(copy, found)
        assert found.verdict == BAD
        assert found[NEEDED[part]].level == BAD
    else:
        assert found.verdict != BAD


@pytest.mark.parametrize("part", [part for part in PARTS if "." in part])
def test_a_damaged_part_is_a_finding(part, copy):
    files.write_bytes(copy / part, b"\x93NUMPY nothing \xff\xfe{")
    found = doctor.examine(copy, thresholds=SMALL)
    json.dumps(report.to_json(list(found.findings)), allow_nan=False)
    if part != "tracking.npz":  # of preprocessing alone
        assert found.verdict != report.GOOD


@pytest.mark.parametrize("content", [b"", b"[1, 2", b"{}", b"12 13"])
def test_a_folder_of_rubbish_is_not_usable(content, copy):
    for part in PARTS:
        if "." in part:
            files.write_bytes(copy / part, content)
    assert doctor.examine(copy, thresholds=SMALL).verdict == BAD


def test_an_empty_folder_is_not_usable_and_says_what_to_do(tmp_path):
    found = doctor.examine(tmp_path)
    assert found.verdict == BAD
    assert "--video" in found["pictures"].advice
    doctor.write(tmp_path, found)
    assert files.read_picture(tmp_path / doctor.SHEET).shape[1] == 1600


def test_reports_have_a_place_in_every_data_set_and_nowhere_else(tmp_path):
    (tmp_path / "1.wav").touch()
    with pytest.raises(DataError, match="holds nothing of one"):
        doctor.check_place(tmp_path)
    (tmp_path / files.TRANSFORMS[0]).touch()
    doctor.check_place(tmp_path)


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected the folder of a data set"):
        doctor.examine(tmp_path / "nowhere")


def test_a_folder_made_elsewhere_is_judged_by_its_own_files(good, copy):
    for name in ("landmarks.npz", "tracking.npz", "preprocess.json"):
        (copy / name).unlink()
    found = doctor.examine(copy, thresholds=SMALL)
    assert found.verdict == report.GOOD
    for name in ("stages", "source_rate", "source_lengths", "source_sound_rate", "source_size"):
        assert found[name].level == report.UNKNOWN
    assert "several_faces" not in {finding.name for finding in found.findings}


def test_a_strange_record_says_nothing(copy):
    faults.strange_record(copy)
    found = doctor.examine(copy, thresholds=SMALL)
    assert found.verdict == report.GOOD
    assert found["source_size"].level == report.UNKNOWN


def test_features_that_the_field_cannot_read_are_named(healthy):
    assert "TalkingGaussian opens aud_ds.npy, aud_eo.npy, aud_hu.npy" in healthy["features"].value


# --- what it writes ---


def test_reports_say_what_is_wrong_first(copy):
    faults.no_poses(copy)
    found = doctor.examine(copy, thresholds=SMALL)
    doctor.write(copy, found)
    text = (copy / doctor.TEXT).read_text()
    assert text.startswith("copy: not usable")
    assert text.index("NOT USABLE") < text.index("GOOD")
    content = json.loads((copy / doctor.JSON).read_text())
    assert content["version"] == report.VERSION
    assert content["verdict"] == BAD
    keys = {"name", "title", "value", "unit", "good", "usable", "level", "advice", "frames"}
    assert all(set(finding) == keys for finding in content["findings"])
    names = [finding["name"] for finding in content["findings"]]
    assert len(names) == len(set(names))


def test_the_sheet_shows_the_pictures_in_question(copy):
    faults.jump_cut(copy)
    found = doctor.examine(copy, thresholds=SMALL)
    doctor.write(copy, found)
    sheet = files.read_picture(copy / doctor.SHEET)
    assert sheet.shape[1] == 1600
    plain = np.all(sheet == sheet[:, :1], axis=(1, 2)).mean()
    assert plain < 0.2, "rows without anything"


def test_training_heeds_the_verdict(copy):
    doctor.write(copy, doctor.examine(copy, thresholds=SMALL))
    assert len(clip.load(copy)) == 212
    spoiled = dataclasses.replace(SMALL, seconds=(60.0, 20.0))
    doctor.write(copy, doctor.examine(copy, thresholds=spoiled))
    with pytest.raises(DataError, match="length of the clip"):
        clip.load(copy)
    assert len(clip.load(copy, force=True)) == 212


def test_progress_is_told_of_every_picture(good):
    seen = []

    def watch(numbers):
        for number in numbers:
            seen.append(number)
            yield number

    doctor.examine(good, progress=watch)
    assert seen == list(range(212))
