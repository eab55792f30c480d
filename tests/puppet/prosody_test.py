import numpy as np

from emojax.puppet import prosody


def voice(hertz, *, loud=0.2, seconds=1.0):
    """A buzz: eight harmonics of a frequency that may change, [N]."""
    count = int(16000 * seconds)
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hertz, count)) / 16000
    return loud * sum(np.sin(k * phase) / k for k in range(1, 9))


def test_pitch_is_found():
    for hertz in (80.0, 120.0, 210.0, 300.0):
        found = prosody.measure(voice(hertz), 25).pitch[2:-2]
        assert np.all(np.abs(found / hertz - 1) < 0.03), (hertz, found)


def test_long_sounds_are_measured_in_pieces(monkeypatch):
    sound = voice(120 + 40 * np.sin(np.arange(48000) / 9000), seconds=3.0)
    whole = prosody.measure(sound, 75)
    monkeypatch.setattr(prosody, "PIECE", 10)
    for a, b in zip(whole, prosody.measure(sound, 75), strict=True):
        np.testing.assert_array_equal(a, b)
    assert prosody.measure(sound, 0).loudness.shape == (0,)


def test_noise_and_silence_have_no_pitch():
    noise = 0.1 * np.random.default_rng(0).normal(size=16000)
    assert np.mean(prosody.measure(noise, 25).pitch > 0) < 0.1
    assert np.all(prosody.measure(np.zeros(16000), 25).pitch == 0)


def test_frames_stand_at_their_time():
    sound = np.concatenate([np.zeros(16000), voice(150.0), np.zeros(16000)])
    found = prosody.measure(sound, 75)
    assert found.loudness.max() <= 1
    assert np.all(found.loudness[30:45] > 0.9)
    assert np.all(found.loudness[:24] == 0)
    on = np.flatnonzero(found.speaking)
    assert abs(on[0] - 25) <= 1
    assert abs(on[-1] - 50) <= 1


def test_short_silences_are_amid_speech_and_long_ones_are_not():
    gap, pause = np.zeros(int(0.12 * 16000)), np.zeros(8000)
    sound = np.concatenate([voice(150.0), gap, voice(150.0), pause, voice(150.0)])
    speaking = prosody.measure(sound, 25 * 4).speaking
    assert np.all(speaking[1:50])
    assert not np.any(speaking[58:63])


def test_accents_are_where_the_voice_rises():
    time = np.arange(3 * 16000) / 16000
    bumps = sum(np.exp(-0.5 * ((time - at) / 0.08) ** 2) for at in (0.8, 2.0))
    sound = voice(120 * 2 ** (5 * bumps / 12), seconds=3.0) * (0.3 + 0.7 * bumps)
    found = prosody.measure(sound, 75)
    assert len(found.accents) == 2
    np.testing.assert_allclose(found.accents / 25, [0.8, 2.0], atol=0.06)
    assert np.all((found.stress > 0.5) & (found.stress <= 1))


def test_a_monotone_and_a_silence_have_none():
    assert len(prosody.measure(voice(120.0, seconds=3.0), 75).accents) == 0
    silent = prosody.measure(np.zeros(0), 10)
    assert silent.accents.shape == (0,)
    np.testing.assert_array_equal(silent.loudness, np.zeros(10))
    assert not silent.speaking.any()


def test_smoothing_keeps_constants_and_means():
    np.testing.assert_allclose(prosody.smooth(np.full((20, 2), 3.0), 4), 3)
    spike = np.zeros(101)
    spike[50] = 1
    smoothed = prosody.smooth(spike, 5)
    np.testing.assert_allclose(smoothed.sum(), 1)
    assert abs(smoothed[55] / smoothed[50] - np.exp(-0.5)) < 1e-6
