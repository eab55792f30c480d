"""Parts of a folder on their own; how they fit together is in clip_test.py."""

import dataclasses
import json

import numpy as np
import pytest

from emojax.data import action_units, clip_parts, files, record
from emojax.data.errors import DataError
from emojax.data.job import Settings
from tests.data import folders


def test_a_folder_with_unfinished_stages_is_refused(folder):
    folders.as_made(folder, "masks", "torso", settings=Settings())
    content = record.read(folder)
    clip_parts.heed_the_record(folder, content)
    content["stages"]["doctor"] = {"done": False}
    clip_parts.heed_the_record(folder, content)  # a verdict is no part of a clip
    content["stages"]["masks"]["done"] = False
    with pytest.raises(DataError, match="masks"):
        clip_parts.heed_the_record(folder, content)


def test_the_doctors_refusal_names_what_his_report_does(tmp_path):
    findings = [
        {"name": "level", "title": "level of loud frames", "level": "not usable"},
        {"name": "sounds", "level": "not usable"},
        {"name": "faces", "title": "faces", "level": "good"},
    ]
    report = {"verdict": "not usable", "findings": findings}
    (tmp_path / "doctor.json").write_text(json.dumps(report))
    message = "'not usable' for level of loud frames, sounds.*train.py --force"
    with pytest.raises(DataError, match=message):
        clip_parts.heed_the_doctor(tmp_path)


def test_a_damaged_record_is_named_and_not_needed(folder):
    assert clip_parts.read_record(folder) == (record.empty(), [])
    (folder / files.MANIFEST).write_text("[]")
    content, fallbacks = clip_parts.read_record(folder)
    assert content == record.empty()
    assert files.MANIFEST in fallbacks[0]


def test_frames_without_a_pose_count(folder):
    poses, num_train = clip_parts.read_poses(folder)
    assert num_train == 27
    poses["numbers"], poses["audio"] = poses["numbers"][:20], poses["audio"][:20]
    assert clip_parts.count_frames(folder, poses) == 30


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04"])
def test_damaged_valence_is_named(folder, content):
    (folder / files.VALENCE_AROUSAL).write_bytes(content)
    with pytest.raises(DataError, match=r"va\.npy"):
        clip_parts.read_valence_arousal(folder, np.arange(30))


def test_units_that_a_file_lacks_are_named(small, folder):
    every = folders.true_action_units(small[0])
    needed = tuple(n for n in every.numbers if n not in (2, 26))
    few = dataclasses.replace(
        every, numbers=needed, values=np.stack([every.column(n) for n in needed], axis=-1)
    )
    poses, _ = clip_parts.read_poses(folder)
    points, cuts, focal = small[0].landmarks, np.zeros(0, int), np.ones(2)
    for units, fallbacks in ((every, []), (few, ["2, 26"])):
        action_units.write(folder / files.ACTION_UNITS, units)
        read, said = clip_parts.read_action_units(
            folder, poses, points, cuts, focal, 64, record.empty()
        )
        assert read.numbers == units.numbers
        assert len(said) == len(fallbacks)
        assert all(text in line for text, line in zip(fallbacks, said, strict=True))
