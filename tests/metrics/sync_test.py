"""Sync-E and Sync-C: windows and batches against one pass, the crop, what is refused."""

import types

import numpy as np
import pytest

from emojax.data.errors import DataError
from emojax.experts import registry
from emojax.metrics import sync

RNG = np.random.default_rng(0)


def _judge(calls):
    """Embeds a window by the mean of its first frame's blue, and of its first step of sound."""

    def apply(params, windows, sound, *, outputs):
        calls.append(windows.shape)
        both = {
            "lip_embedding": windows[:, 0, 0].mean((1, 2))[:, None] * np.ones(4),
            "audio_embedding": np.asarray(sound)[:, 0, 0, 0][:, None] * np.ones(4),
        }
        return {name: both[name] for name in outputs}

    return types.SimpleNamespace(spec=registry.get("syncnet"), params={}, apply=apply)


def _film(num_frames, late):
    """Frames as blue as the sound of a frame is loud; sound comes `late` frames."""
    loud = RNG.uniform(2, 8, size=num_frames)
    energy = np.roll(loud, late)
    wave = np.concatenate([np.sin(np.arange(640) / 3) * np.exp(value / 2) for value in energy])
    return loud, np.int16(100 * wave)


@pytest.mark.parametrize("late", [0, 3])
def test_the_offset_of_sound_is_found_over_batches(late, monkeypatch):
    monkeypatch.setattr(sync, "BATCH", 20)
    loud, wave = _film(70, late)
    # The judge's lips speak the unit of its sound: the logarithm of the first step's energy.
    steps = sync.syncnet.mfcc_windows(wave)[:, 0, 0, 0]
    blue = np.interp(
        loud,
        np.sort(loud),
        np.sort(np.roll(np.append(steps, [steps[-1]] * (70 - len(steps))), -late)),
    )
    faces = [np.zeros((224, 224, 3), np.uint8) for _ in loud]
    calls = []
    judge = _judge(calls)
    monkeypatch.setattr(
        sync, "_window", lambda faces, start: np.full((3, 5, 1, 1), blue[start], np.float32)
    )
    found = sync.score(judge, faces, wave)
    assert found.num_windows == 65
    assert calls == [(20, 3, 5, 1, 1)] * 4  # the last batch is filled up
    assert found.offset == -late
    assert found.confidence > 0
    assert found.judge.startswith("syncnet, weights ")


def test_windows_are_bgr_in_pytorchs_order():
    faces = [np.full((4, 4, 3), [1, 2, 3 * i], np.uint8) for i in range(8)]
    found = sync._window(faces, 2)
    assert found.shape == (3, 5, 4, 4)
    np.testing.assert_array_equal(found[:, 1, 0, 0], [9, 2, 1])


def test_faces_are_cut_by_a_square_moved_down():
    frame = np.zeros((400, 400, 3), np.uint8)
    frame[:, 200:] = 255
    box = np.array([[150.0, 100, 250, 200]])  # half side 50, around (200, 150)
    (face,) = sync.crop_faces([frame], box)
    assert face.shape == (224, 224, 3)
    assert (face[:, :108] == 0).all()
    assert (face[:, 116:] == 255).all()
    frame[:] = 0
    frame[240:] = 255  # the square's lower edge: 150 + 50 * 1.8
    (face,) = sync.crop_faces([frame], box)
    assert face.max() == 0
    frame[235:] = 255
    assert sync.crop_faces([frame], box)[0][-1].min() == 255


def test_what_lies_outside_of_the_picture_is_grey():
    frame = np.full((100, 100, 3), 255, np.uint8)
    (face,) = sync.crop_faces([frame], np.array([[-30.0, 20, 30, 80]]))
    assert (face[:, :60] == sync.PADDING).all()
    with pytest.raises(DataError, match="a face in the picture of 100 x 100"):
        sync.crop_faces([frame], np.array([[300.0, 20, 360, 80]]))


def test_one_wrong_box_does_not_move_the_square():
    boxes = np.tile([100.0, 100, 200, 200], (40, 1))
    boxes[20] += 50
    frames = [RNG.integers(0, 255, size=(300, 300, 3), dtype=np.uint8)] * 40
    faces = sync.crop_faces(frames, boxes)
    np.testing.assert_array_equal(faces[20], faces[19])


def test_too_short_films_and_other_judges_are_refused():
    with pytest.raises(DataError, match="Judge a longer film"):
        sync.num_windows(5, 640 * 100)
    with pytest.raises(DataError, match="Judge a longer film"):
        sync.num_windows(100, 640 * 5)
    judge = types.SimpleNamespace(spec=registry.get("fan"))
    with pytest.raises(DataError, match="SyncNet as the judge"):
        sync.score(judge, [], np.zeros(0))
    with pytest.raises(DataError, match="finite boxes"):
        sync.crop_faces([], np.zeros((0, 4)))
