"""SyncNet: parity of both towers with the original, windows, what is refused."""

import numpy as np
import pytest

from emojax.experts import syncnet
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden

NAME = "syncnet"


@pytest.fixture(scope="module")
def windows():
    return np.asarray(syncnet.clip_windows(golden.data(NAME)["in.clip_bgr_u8"]), np.float32)


@pytest.fixture(scope="module")
def mfcc():
    return syncnet.mfcc_windows(golden.data(NAME)["in.wave_int16_16k"])[:4]


# Compared in tests of `lip_sync` and `speech_features`.
ARITHMETIC = ("dist_matrix", "mean_dist", "av_offset", "min_dist", "confidence",
              "framewise_conf_medfilt9", "mfcc", "mid.mfcc_fbank_first4",
              "mid.mfcc_energy_first4")  # fmt: skip


def test_outputs_and_intermediates_are_the_originals(mfcc):
    golden.parity(NAME, golden.data(NAME)["in.clip_bgr_u8"], mfcc, skip=ARITHMETIC)


def test_gradients_of_lips_are_the_originals(windows, mfcc):
    sums = {"lip_embedding_wrt_windows": ["lip_embedding"]}
    golden.gradients(NAME, sums, windows[:1], mfcc, routed=True)


def test_gradients_of_sound_are_the_originals(windows, mfcc):
    sums = {"audio_embedding_wrt_mfcc_windows": ["audio_embedding"]}
    golden.gradients(NAME, sums, windows, mfcc, place=1)


def test_a_clip_and_a_wave_are_cut_into_windows(windows):
    clip = golden.data(NAME)["in.clip_bgr_u8"]
    wave = golden.data(NAME)["in.wave_int16_16k"]
    (found, sound), _, ready = syncnet.front(clip, wave)
    golden.check(NAME, "out.mfcc", ready["mfcc"])
    np.testing.assert_array_equal(found, windows)
    assert sound.shape == (21, 1, 13, 20)  # 103 steps: windows start at 0, 4, ... 80


def test_rendered_faces_become_windows_of_bgr():
    images = np.random.default_rng(0).uniform(size=(6, 224, 224, 3)).astype(np.float32)
    found = np.asarray(syncnet.bgr_windows(images))
    assert found.shape == (2, 3, 5, 224, 224)
    np.testing.assert_allclose(found[1, 0, 4], 255 * images[5, ..., 2], rtol=1e-6)


def test_too_little_is_refused():
    with pytest.raises(CheckpointError, match="at least 5 frames"):
        syncnet.clip_windows(np.zeros((3, 4, 224, 224)))
    with pytest.raises(CheckpointError, match="20 steps of 10 ms"):
        syncnet.mfcc_windows(np.zeros(2000))
