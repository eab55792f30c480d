"""Wav2Lip's expert: parity with the original, windows, what is refused."""

import numpy as np
import pytest

from emojax.experts import mel, wav2lip_syncnet
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden

NAME = "wav2lip_syncnet"


def test_outputs_and_intermediates_are_the_originals():
    # The spectrogram and its filters are compared in tests of `mel`.
    skip = ("mel", "mid.mel_basis", "mid.mel_basis_rowsums")
    data = golden.data(NAME)
    golden.parity(NAME, data["in.face_window_bgr_u8"], data["in.mel_window"], skip=skip)


def test_gradients_are_the_originals():
    face = golden.data(NAME)["in.face_window_bgr_u8"][None] / np.float32(255)
    sums = {"face_embedding_wrt_face": ["face_embedding"]}
    golden.gradients(NAME, sums, face, golden.data(NAME)["in.mel_window"])


def test_a_wave_is_cut_into_the_windows_of_faces():
    wave = golden.data(NAME)["in.wave_float32_16k"]
    face = np.zeros((2, 15, 48, 96), np.uint8)
    (_, windows), _, ready = wav2lip_syncnet.front(face, wave)
    golden.check(NAME, "out.mel", ready["mel"])
    np.testing.assert_array_equal(windows, wav2lip_syncnet.mel_windows(wave, 2))
    network = golden.expert(NAME)
    found = network.apply(network.params, face, wave, outputs=["mel"])
    np.testing.assert_array_equal(found["mel"], ready["mel"])


def test_frames_become_windows_of_lower_halves_in_bgr():
    images = np.random.default_rng(0).uniform(size=(7, 96, 96, 3)).astype(np.float32)
    found = np.asarray(wav2lip_syncnet.face_windows(images))
    assert found.shape == (3, 15, 48, 96)
    np.testing.assert_array_equal(found[2, 3 * 4], images[6, 48:, :, 2])  # blue comes first
    with pytest.raises(CheckpointError, match="at least 5 frames"):
        wav2lip_syncnet.face_windows(images[:4])


def test_sound_is_cut_where_frames_start():
    wave = np.random.default_rng(0).uniform(-0.1, 0.1, size=8000)
    found = wav2lip_syncnet.mel_windows(wave, 7)
    assert found.shape == (7, 1, 80, 16)
    np.testing.assert_array_equal(found[6, 0], mel.spectrogram(wave)[:, 19:35])  # int(80 * 6 / 25)
    for count in (0, 30):
        with pytest.raises(CheckpointError, match="after the start of each window"):
            wav2lip_syncnet.mel_windows(wave, count)
