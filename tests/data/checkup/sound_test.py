"""Measures of sound on signals made by formula. Faults in whole folders are in doctor_test."""

import numpy as np
import pytest

from emojax.data.checkup import curves, sound
from tests.data import actor

TIME = np.arange(16000 * 8) / 16000


def test_speech_has_more_sounds_than_a_tone_or_a_held_vowel():
    tone = 0.3 * np.sin(2 * np.pi * 220 * TIME)
    vowel = sum(
        np.sin(2 * np.pi * 120 * k * TIME) / (1 + ((k * 120 - 700) / 90) ** 2) for k in range(1, 30)
    )
    assert sound.variety(np.float32(tone)) < 6
    assert sound.variety(np.float32(0.05 * vowel)) < 8
    assert sound.variety(actor.film(num_frames=200, size=16).waveform) > 25


def test_variety_of_no_sound_is_none():
    assert sound.variety(np.zeros(100, np.float32)) == 0
    assert sound.variety(np.zeros(16000, np.float32)) <= 1


@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_flat_tops_are_found_at_any_level(gain):
    wave = gain * np.sin(2 * np.pi * 200 * TIME + np.sin(TIME))
    assert sound.clipped(np.clip(wave, -0.5 * gain, 0.5 * gain)) > 0.5
    noise = gain * np.random.default_rng(0).standard_normal(len(TIME))
    assert sound.clipped(noise) < 1e-4


def test_the_loud_level_of_silence_is_silence():
    assert sound.loud_level(np.zeros(0)) == curves.SILENCE
    assert sound.loud_level(np.full(9, -20.0)) == -20
