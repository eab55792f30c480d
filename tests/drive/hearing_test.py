import dataclasses

import numpy as np
import pytest

from emojax.data import audio_features, clip
from emojax.data.errors import DataError
from emojax.drive import hearing, sound
from tests.drive import scene


@pytest.fixture(scope="module")
def trained_on():
    return scene.clip(100).audio


def _read(tmp_path, waveform):
    return sound.read(scene.write_sound(tmp_path / "sound.wav", waveform))


def test_speech_is_heard_as_at_training(tmp_path, trained_on):
    heard = _read(tmp_path, scene.speech(2.0))
    frames = np.arange(heard.num_frames)
    windows = hearing.hear(heard, trained_on).at(frames)
    features = audio_features.from_waveform(heard.waveform, heard.num_frames)
    expected = clip.audio_windows(features, frames)
    assert windows.shape == (50, 8, 16, 80)
    # Away from the ends, but for numbers below the clip's quiet.
    inner = slice(8, -8)
    rest = hearing.quiet(trained_on)
    np.testing.assert_array_equal(windows[inner], np.maximum(expected, rest)[inner])
    assert np.mean(windows[inner] != expected[inner]) < 0.1


def test_silence_is_the_quiet_of_the_clip(tmp_path, trained_on):
    rest = np.broadcast_to(hearing.quiet(trained_on), (8, 16, 80))
    heard = hearing.hear(_read(tmp_path, np.zeros(16000)), trained_on)
    np.testing.assert_array_equal(heard.at(np.arange(25)), np.tile(rest, (25, 1, 1, 1)))
    assert len(heard.notes) == 1
    # A pause within speech, and what is before the first and after the last frame, is the same.
    pause = np.concatenate([scene.speech(2.0), np.zeros(32000), scene.speech(2.0)])
    windows = hearing.hear(_read(tmp_path, pause), trained_on).at(np.array([75, 0, 149]))
    np.testing.assert_array_equal(windows[0], rest)
    np.testing.assert_array_equal(windows[1, 0], rest[0])
    np.testing.assert_array_equal(windows[2, -1, -4:], rest[0, -4:])


def test_gain_does_not_matter(tmp_path, trained_on):
    quiet = hearing.hear(_read(tmp_path, 0.1 * scene.speech(2.0)), trained_on)
    loud = hearing.hear(_read(tmp_path, scene.speech(2.0)), trained_on)
    assert np.abs(quiet.windows - loud.windows).mean() < 0.05


def test_a_tenth_of_a_second(tmp_path, trained_on):
    heard = hearing.hear(_read(tmp_path, scene.speech(0.1)), trained_on)
    assert heard.at(np.arange(3)).shape == (3, 8, 16, 80)
    assert np.isfinite(heard.windows).all()


def test_imported_features_must_be_given_and_fit(tmp_path, trained_on):
    heard = _read(tmp_path, scene.speech(1.0))
    other = dataclasses.replace(
        trained_on, name="deepspeech", values=np.zeros((100, 16, 29), np.float32)
    )
    with pytest.raises(DataError, match=r"--audio_features: deepspeech .*\[25, 16, 29\]"):
        hearing.hear(heard, other)
    values = np.random.default_rng(0).random((25, 16, 29), np.float32)
    np.save(tmp_path / "good.npy", values)
    found = hearing.load(tmp_path / "good.npy", heard, other)
    np.testing.assert_array_equal(found.at(np.array([10]))[0], values[6:14])
    np.testing.assert_array_equal(found.at(np.array([0]))[0, :4], 0)
    np.save(tmp_path / "wide.npy", np.zeros((25, 16, 44), np.float32))
    with pytest.raises(DataError, match="deepspeech"):
        hearing.load(tmp_path / "wide.npy", heard, other)
    np.save(tmp_path / "long.npy", np.zeros((30, 16, 29), np.float32))
    with pytest.raises(DataError, match="30"):
        hearing.load(tmp_path / "long.npy", heard, other)
    with pytest.raises(DataError, match="built-in"):
        hearing.load(tmp_path / "good.npy", heard, trained_on)
