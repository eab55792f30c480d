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


def test_lips_are_the_originals(windows, mfcc):
    skip = {key for key in golden.data(NAME) if key.startswith(("mid.aud", "mid.mfcc"))}
    skip = {key.removesuffix(".sub") for key in skip} | {"out.audio_embedding"}
    gradients = {"lip_embedding_wrt_windows": ["lip_embedding"]}
    golden.parity(NAME, windows, mfcc, gradients=gradients, skip=skip, routed=True)


def test_sound_is_the_originals(windows, mfcc):
    skip = {key for key in golden.data(NAME) if key.startswith(("mid.lip", "mid.mfcc"))}
    skip = {key.removesuffix(".sub") for key in skip} | {"out.lip_embedding", "out.lip_feature_512"}
    gradients = {"audio_embedding_wrt_mfcc_windows": ["audio_embedding"]}
    golden.parity(NAME, windows, mfcc, gradients=gradients, place=1, skip=skip)


def test_a_clip_and_a_wave_are_cut_into_windows(windows):
    clip = golden.data(NAME)["in.clip_bgr_u8"]
    wave = golden.data(NAME)["in.wave_int16_16k"]
    (found, sound), _ = syncnet.front(clip, wave)
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
