"""MFCC: parity with python_speech_features, an independent computation, what is refused."""

import numpy as np
import pytest

from emojax.experts import speech_features
from emojax.experts.checkpoint.refusal import CheckpointError
from tests.experts import golden


def test_cepstra_are_the_originals():
    wave = golden.data("syncnet")["in.wave_int16_16k"]
    golden.check("syncnet", "out.mfcc", speech_features.mfcc(wave, num_cepstra=13), gate=1e-9)
    filters, energy = speech_features.fbank(wave)
    golden.check("syncnet", "mid.mfcc_fbank_first4", filters[:4], gate=1e-9)
    golden.check("syncnet", "mid.mfcc_energy_first4", energy[:4], gate=1e-9)


def test_silence_is_finite():
    found = speech_features.mfcc(np.zeros(1000, np.int16), num_cepstra=13)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("length", [400, 401, 560, 561, 16000])
def test_frames_cover_the_sound(length):
    frames = 1 + int(np.ceil((length - 400) / 160))
    assert len(speech_features.mfcc(np.ones(length), num_cepstra=13)) == frames


def test_a_tone_fills_its_own_filter():
    wave = 10_000 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 16_000)
    filters, _ = speech_features.fbank(wave)
    # 28 corners evenly spaced in mel up to 8 kHz: 1 kHz (1000 mel) is nearest to filter 8's.
    mel = 2595 * np.log10(1 + 8000 / 700)
    assert (filters[3:-3].argmax(axis=1) == round(1000 / (mel / 27)) - 1).all()


@pytest.mark.parametrize("wave", [np.zeros(399), np.zeros((2, 800)), np.full(800, np.nan)])
def test_other_sound_is_refused(wave):
    with pytest.raises(CheckpointError, match="16000 Hz"):
        speech_features.mfcc(wave, num_cepstra=13)
