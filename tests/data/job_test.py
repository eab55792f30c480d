import dataclasses

import numpy as np
import pytest

from emojax.data import files, job
from emojax.data.errors import DataError
from tests.data import folders


def _job(folder):
    return job.Job(folder, job.Settings(), {}, lambda iterable, name: iterable)


def test_external_files_are_numbered_like_the_frames(folder):
    there = job.external(folder / files.PARSING, ".png", 30, "--parsing")
    assert list(there) == list(range(30))
    with pytest.raises(DataError, match="30 such files from 0 to 29"):
        job.external(folder / files.PARSING, ".png", 31, "--parsing")


def test_landmarks_of_another_tool_serve(small, folder):
    found = _job(folder).landmarks()
    np.testing.assert_allclose(found.points, small[0].landmarks, atol=1e-4)
    assert found.found.all()
    assert _job(folder).found().all()


def test_our_own_arrays_are_read_back(small, folder):
    track = folders.track(small[0])
    np.savez(folder / files.TRACKING, **dataclasses.asdict(track))
    found = np.arange(30) < 20
    cuts = np.array([4])
    np.savez(folder / files.LANDMARKS, points=small[0].landmarks, found=found, cuts=cuts)
    read = _job(folder).track()
    np.testing.assert_array_equal(read.shape, track.shape)
    assert read.focal == pytest.approx(track.focal)
    np.testing.assert_array_equal(_job(folder).found(), found)
    assert list(_job(folder).landmarks().cuts) == [4]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nothing", b"\x93NUMPY\x01\x00 nothing"])
def test_damaged_arrays_are_named(folder, content):
    for name, read in ((files.LANDMARKS, "landmarks"), (files.TRACKING, "track")):
        (folder / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            getattr(_job(folder), read)()


def test_landmarks_of_another_clip_are_refused(small, folder):
    few = small[0].landmarks[:20]
    cuts = np.zeros(0, int)
    np.savez(folder / files.LANDMARKS, points=few, found=np.ones(20, bool), cuts=cuts)
    with pytest.raises(DataError, match="landmarks of 30 frames"):
        _job(folder).landmarks()


def test_frames_with_a_gap_are_refused(folder):
    assert len(_job(folder).frames()) == 30
    assert len(_job(folder).frames([3, 4])) == 2
    (folder / files.FRAMES / "7.jpg").unlink()
    with pytest.raises(DataError, match="none numbered 7"):
        _job(folder).frames()
