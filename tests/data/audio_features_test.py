"""Audio features: time alignment, normalisation, import with its checks."""

import os

import numpy as np
import pytest

from emojax.data import audio, audio_features
from emojax.data.errors import DataError

KINDS = audio_features.KINDS


def _speech(seconds, *, seed=0):
    """Noise in syllables: half of the time 40 dB louder."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * audio.RATE)) / audio.RATE
    level = np.where(np.sin(2 * np.pi * 3 * time) > 0, 0.1, 0.001)
    return (level * rng.normal(size=len(time))).astype(np.float32)


@pytest.mark.parametrize("frame", [0, 1, 25, 49])
def test_a_click_at_a_frames_time_is_in_the_middle_of_its_window(frame):
    waveform = 1e-4 * np.random.default_rng(0).normal(size=2 * audio.RATE)
    at = frame * audio.RATE // 25
    waveform[max(0, at - 8) : at + 8] = 0.9
    window = audio_features.from_waveform(waveform, 50).values[frame].mean(axis=1)
    if frame:
        np.testing.assert_allclose(window[7], window[8], atol=0.25)
        assert set(np.argsort(window)[-2:]) == {7, 8}
    else:
        assert np.argmax(window) == 8
        assert not window[:8].any(), "before the recording there is nothing"


def test_windows_cover_the_steps_around_a_frame():
    steps = np.arange(1, 41, dtype=np.float32)[:, None] * [1, -1]
    result = audio_features.windows(steps, 20)
    assert result.shape == (20, 16, 2)
    for t in range(20):
        for place in range(16):
            step = 2 * t - 8 + place
            expected = step + 1 if 0 <= step < 40 else 0
            np.testing.assert_array_equal(result[t, place], [expected, -expected])


@pytest.mark.parametrize(("num_steps", "num_frames"), [(0, 3), (3, 1), (100, 2), (5, 0), (7, 40)])
def test_windows_of_too_few_and_too_many_steps(num_steps, num_frames):
    result = audio_features.windows(np.ones((num_steps, 4)), num_frames)
    assert result.shape == (num_frames, 16, 4)
    for t in range(num_frames):
        inside = [0 <= 2 * t - 8 + place < num_steps for place in range(16)]
        np.testing.assert_array_equal(result[t, :, 0], inside)


def test_windows_of_two_steps():
    result = audio_features.windows(np.arange(8.0)[:, None], 4, window=2)
    np.testing.assert_array_equal(result[..., 0], [[0, 0], [1, 2], [3, 4], [5, 6]])
    with pytest.raises(ValueError, match="even"):
        audio_features.windows(np.ones((4, 1)), 2, window=3)


def test_log_mel_has_50_steps_a_second_and_the_stated_range():
    steps = audio_features.log_mel(_speech(4.0))
    assert (steps.shape, steps.dtype) == ((200, 80), np.float32)
    assert steps.min() >= -4
    assert steps.max() <= 3
    assert abs(steps[steps.mean(axis=1) > -1].mean()) < 0.2, "loud frames are centred"


def test_a_tone_shows_in_its_band():
    time = np.arange(audio.RATE) / audio.RATE
    noise = 1e-3 * np.random.default_rng(0).normal(size=audio.RATE)
    for frequency in (200, 1000, 5000):
        tone = noise + np.where(time > 0.5, 0.1, 0) * np.sin(2 * np.pi * frequency * time)
        steps = audio_features.log_mel(tone)
        band = np.argmax(steps[30:45].mean(axis=0) - steps[5:20].mean(axis=0))
        low, high = (2595 * np.log10(1 + f / 700) for f in (50, 7800))
        centre = low + (band + 1) * (high - low) / 81
        assert abs(centre - 2595 * np.log10(1 + frequency / 700)) <= (high - low) / 81


def test_log_mel_does_not_depend_on_gain_or_a_gentle_filter():
    waveform = _speech(4.0)
    steps = audio_features.log_mel(waveform)
    np.testing.assert_allclose(audio_features.log_mel(0.05 * waveform), steps, atol=2e-2)
    dull = waveform + 0.5 * np.concatenate([[0], waveform[:-1]])
    assert np.abs(audio_features.log_mel(dull) - steps).mean() < 0.02


def test_silence_is_finite():
    assert not audio_features.log_mel(np.zeros(audio.RATE)).any()
    quiet = np.concatenate([np.zeros(audio.RATE), _speech(1.0)])
    assert np.isfinite(audio_features.log_mel(quiet)).all()
    assert audio_features.log_mel(np.zeros(100)).shape == (0, 80)


def test_every_band_hears_something():
    assert audio_features._bands().max(axis=0).min() > 0.3


def test_features_from_a_waveform_name_their_origin():
    features = audio_features.from_waveform(_speech(2.0), 50)
    assert (features.name, features.rate, features.width, features.dim) == ("mel", 50.0, 16, 80)
    assert features.source.startswith("built in")
    assert features.values.shape == (50, 16, 80)


def test_sound_of_another_length_than_the_frames_is_refused():
    with pytest.raises(
        DataError, match=r"expected 2\.00 s .* 50 frames.*got 3\.00 s \(\+1\.00 s\)"
    ):
        audio_features.from_waveform(_speech(3.0), 50)


def _values(kind, length):
    rng = np.random.default_rng(0)
    return rng.normal(size=(length, kind.window, kind.dim)).astype(np.float32)


@pytest.mark.parametrize("name", KINDS)
def test_known_kinds_are_recognised_by_width_and_survive_a_round_trip(tmp_path, name):
    kind = KINDS[name]
    values = _values(kind, 10)
    path = tmp_path / "Zoë 1.npy"
    audio_features.save(path, audio_features.AudioFeatures(name, values, 50.0, "test"))
    assert os.listdir(tmp_path) == ["Zoë 1.npy"], "nothing is left beside it"
    features = audio_features.load(path, 10)
    assert features.name == name
    assert features.source.startswith("Zoë 1.npy, sha256 ")
    np.testing.assert_array_equal(features.values, values)
    assert np.load(path).dtype == np.float32


def test_double_precision_becomes_single(tmp_path):
    np.save(tmp_path / "a.npy", _values(KINDS["deepspeech"], 10).astype(np.float64))
    assert audio_features.load(str(tmp_path / "a.npy"), 10).values.dtype == np.float32


def test_other_features_need_a_name(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((10, 8, 768), np.float32))
    with pytest.raises(DataError, match=r"a known width: .*hubert \[T, 2, 1024\].*\[10, 8, 768\]"):
        audio_features.load(tmp_path / "a.npy", 10)
    features = audio_features.load(tmp_path / "a.npy", 10, name="wavlm")
    assert (features.name, features.width, features.dim) == ("wavlm", 8, 768)
    with pytest.raises(
        DataError, match=r"\[T, 16, 29\] for deepspeech features; got \[10, 8, 768\]"
    ):
        audio_features.load(tmp_path / "a.npy", 10, name="deepspeech")


@pytest.mark.parametrize("length", [98, 99, 101, 102])
def test_a_window_or_two_are_mended_and_the_source_says_so(tmp_path, length):
    values = _values(KINDS["deepspeech"], length)
    np.save(tmp_path / "a.npy", values)
    features = audio_features.load(tmp_path / "a.npy", 100)
    common = min(length, 100)
    np.testing.assert_array_equal(features.values[:common], values[:common])
    np.testing.assert_array_equal(features.values[common:], values[[-1] * (100 - common)])
    assert ("repeated" if length < 100 else "left out") in features.source


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (450, r"expected 500 windows.*got 450 in .*, -2\.00 s\. "),
        (600, r"\+4\.00 s, 1\.2 times as many: features of a 30 fps video"),
        (480, "24 fps video"),
        (1200, "60 fps video"),
        (999, "50 Hz steps that were not gathered"),
        (1378, r"44\.1 kHz sound taken for 16 kHz"),
        (1500, "48 kHz sound taken for 16 kHz"),
        (250, "8 kHz sound taken for 16 kHz"),
        (0, "got 0 in"),
    ],
)
def test_another_length_is_refused_with_its_likely_cause(tmp_path, length, message):
    np.save(tmp_path / "a.npy", _values(KINDS["deepspeech"], length))
    with pytest.raises(DataError, match=message):
        audio_features.load(tmp_path / "a.npy", 500)


def test_files_that_hold_no_windows_are_refused(tmp_path):
    path = tmp_path / "a.npy"
    with pytest.raises(DataError, match="No such file"):
        audio_features.load(path, 10)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="0 bytes that are none"):
        audio_features.load(path, 10)
    path.write_bytes(b"hello world")
    with pytest.raises(DataError, match=r"a \.npy file"):
        audio_features.load(path, 10)
    values = _values(KINDS["deepspeech"], 10)
    np.save(path, values)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"a \.npy file"):
        audio_features.load(path, 10)
    for wrong in (values[:, 0], values.astype(np.int32), np.array([{}, None])):
        np.save(path, wrong, allow_pickle=True)
        with pytest.raises(DataError, match=r"expected (floats|a \.npy file)"):
            audio_features.load(path, 10)
    values[3, 2, 1], values[5] = np.nan, np.inf
    np.save(path, values)
    with pytest.raises(DataError, match="NaN or infinity in 2 of 10 windows, first in 3"):
        audio_features.load(path, 10)


def test_features_are_single_precision_windows():
    with pytest.raises(ValueError, match=r"float32 \[T, W, D\]"):
        audio_features.AudioFeatures("mel", np.zeros((10, 80)), 50.0, "test")
