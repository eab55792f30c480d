"""Wav2Lip's mel spectrogram: parity with the original, laws, what is refused."""

import numpy as np
import pytest

from emojax.experts import mel
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden

NAME = "wav2lip_syncnet"


def test_the_spectrogram_is_the_originals():
    golden.check(NAME, "out.mel", mel.spectrogram(golden.data(NAME)["in.wave_float32_16k"]))
    golden.check(NAME, "mid.mel_basis", mel.filters())
    golden.check(NAME, "mid.mel_basis_rowsums", mel.filters().sum(axis=1))


def test_silence_is_the_floor_and_noise_lies_above():
    assert (mel.spectrogram(np.zeros(4000)) == -4).all()
    noise = np.random.default_rng(0).normal(scale=0.1, size=4000)
    found = mel.spectrogram(noise)
    assert found.shape == (80, 21)
    assert -4 < found.min() <= found.max() <= 4
    # Ten times the amplitude is 20 dB more: 1.6 of the 8 units that 100 dB are.
    difference = mel.spectrogram(noise) - mel.spectrogram(noise / 10)
    np.testing.assert_allclose(difference, 1.6, atol=1e-4)


@pytest.mark.parametrize("wave", [np.zeros(400), np.zeros((800, 2)), np.full(800, np.inf)])
def test_other_sound_is_refused(wave):
    with pytest.raises(CheckpointError, match="16000 Hz"):
        mel.spectrogram(wave)
