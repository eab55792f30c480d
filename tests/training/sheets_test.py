import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emojax import head as heads
from emojax.data import captions
from emojax.training import sheets
from emojax.training import state as states
from tests.training import small


def test_half_of_the_frames_are_held_out(clip):
    rows = sheets.sheet_rows(clip)
    assert len(set(rows)) == 4
    assert (rows < clip.num_train).sum() == 2
    assert rows.max() < len(clip)


def test_all_train_where_nothing_is_held_out(clip):
    everything = dataclasses.replace(clip, num_train=len(clip))
    assert len(set(sheets.sheet_rows(everything))) == 4


def test_a_sheet_shows_target_rendering_difference_and_lips(clip, head):
    stage = small.face_stage()
    state = states.begin(jax.random.key(1), head, stage)
    state = state.replace(step=jnp.int32(12))
    sheet = sheets.draw_sheet(state, clip, stage=stage, phase=stage.phases[-1])
    size = clip.size
    assert sheet.shape == (captions.BAR + 4 * size, 5 * size, 3)
    assert sheet.dtype == np.uint8
    band, sheet = sheet[: captions.BAR], sheet[captions.BAR :]
    assert band.reshape(captions.BAR, 5, size, 3).max(axis=(0, 2, 3)).min() > 128  # titles
    target, image, difference = (
        sheet[:size, i * size : (i + 1) * size].astype(int) for i in range(3)
    )
    np.testing.assert_array_equal(target[0, 0], [0, 255, 0])
    assert np.abs(np.minimum(sheets.GAIN * np.abs(target - image), 255) - difference).max() <= 6


@pytest.mark.parametrize(
    ("stage", "known", "columns"),
    [
        (small.surface_stage(), True, 7),
        (small.surface_stage(), False, 6),
        (small.fuse_stage(), True, 7),
        (small.mouth_stage(), True, 5),
    ],
)
def test_a_head_with_normals_shows_them(clip, stage, known, columns):
    size = clip.size
    true = np.zeros((len(clip), size, size, 3), np.uint8)
    true[..., 2] = 255
    clip = dataclasses.replace(clip, normals=true if known else None)
    head = heads.init(jax.random.key(0), small.EMOTIONAL)
    state = states.begin(jax.random.key(1), head, stage)
    sheet = sheets.draw_sheet(state, clip, stage=stage, phase=stage.phases[-1])
    assert sheet.shape == (captions.BAR + 4 * size, columns * size, 3)
    tiles = sheet[captions.BAR :].reshape(4 * size, columns, size, 3).swapaxes(0, 1)
    if columns == 7:
        assert (tiles[5] == [0, 0, 255]).all()
    if columns > 5:
        # Where there is skin its normals are unit vectors that look at the viewer.
        drawn = tiles[-1][tiles[-1].any(axis=-1)] / 127.5 - 1
        assert len(drawn) > 50
        np.testing.assert_allclose(np.linalg.norm(drawn, axis=-1), 1, atol=0.02)
        assert (drawn[:, 2] > -0.05).all()
