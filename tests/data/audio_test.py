"""Sound: where it stands in time, at any rate and layout, gaps and all; WAV files."""

import os

import numpy as np
import pytest
import soundfile

from emojax.data import audio
from emojax.data.errors import DataError
from tests.data import media as make

RATE = audio.RATE


def _onsets(waveform, *, level=0.3):
    """Seconds at which runs of loud samples begin, 50 ms apart or more."""
    indices = np.flatnonzero(np.abs(waveform) > level)
    return indices[np.diff(indices, prepend=-RATE) >= RATE // 20] / RATE


def _read(path, *, start=0.0, duration=2.0):
    return audio.read_waveform(path, start=start, duration=duration)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "channels"),
    [
        ("a.wav", "pcm_s16le", 8000, 1),
        ("a.wav", "pcm_s16le", 16000, 1),
        ("a.wav", "pcm_u8", 11025, 1),
        ("a.wav", "pcm_f32le", 48000, 6),
        ("a.mkv", "pcm_s24le", 44100, 2),
        ("a.mkv", "flac", 44100, 2),
        ("a.mkv", "aac", 44100, 2),
        ("a.mp4", "aac", 48000, 2),
        ("a.mp4", "libmp3lame", 44100, 2),
        ("a.webm", "libopus", 48000, 2),
    ],
)
def test_clicks_stand_in_their_place(tmp_path, name, codec, rate, channels):
    times = [0.25, 1.0, 1.75]
    sound = make.clicks(times, 2, rate=rate, channels=channels, codec=codec)
    waveform = _read(make.write(tmp_path / name, sound=sound))
    assert (waveform.shape, waveform.dtype) == ((2 * RATE,), np.float32)
    np.testing.assert_allclose(_onsets(waveform), times, atol=1.5e-3)


def test_the_start_is_a_time_of_the_presentation(tmp_path):
    sound = make.clicks([0.5, 1.0], 2, start=0.2)
    path = make.write(tmp_path / "a.mkv", times=make.regular(25, 2), sound=sound)
    np.testing.assert_allclose(_onsets(_read(path)), [0.5, 1.0], atol=1e-3)
    np.testing.assert_allclose(_onsets(_read(path, start=0.2)), [0.3, 0.8], atol=1e-3)
    np.testing.assert_allclose(_onsets(_read(path, start=-0.1)), [0.6, 1.1], atol=1e-3)
    assert not _read(path)[: int(0.19 * RATE)].any(), "nothing is known before the track starts"


@pytest.mark.parametrize("duration", [0.0, 0.04, 1.23456, 5.0])
def test_the_length_is_exact(tmp_path, duration):
    path = make.write(tmp_path / "a.mkv", sound=make.clicks([0.1], 2, rate=44100))
    assert len(_read(path, duration=duration)) == round(duration * RATE)


def test_gaps_become_silence_and_what_follows_stays_in_place(tmp_path):
    sound = make.clicks([0.25, 0.75, 1.5], 2, gaps=((0.6, 1.0),))
    path = make.write(tmp_path / "a.mkv", sound=sound)
    np.testing.assert_allclose(_onsets(_read(path)), [0.25, 1.5], atol=1e-3)


def test_channels_are_averaged(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48000) / 48000).astype(np.float32)
    for channels, expected in [((tone, tone), 0.5), ((tone, 0 * tone), 0.25)]:
        path = make.write(tmp_path / "a.wav", sound=make.Sound(np.stack(channels)))
        waveform = _read(path, duration=1.0)
        np.testing.assert_allclose(np.abs(waveform[800:-800]).max(), expected, rtol=1e-2)


def test_resampling_keeps_speech_and_drops_what_would_fold_back():
    seconds = np.arange(48000) / 48000
    for frequency, gain in [(300, 1.0), (6000, 1.0), (10000, 0.0), (15000, 0.0)]:
        tone = np.sin(2 * np.pi * frequency * seconds).astype(np.float32)
        result = audio.resample(tone, 48000, RATE)
        assert len(result) == RATE
        np.testing.assert_allclose(np.abs(result[500:-500]).max(), gain, atol=0.03)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000])
def test_resampling_does_not_delay(rate):
    impulse = np.zeros(rate, np.float32)
    impulse[rate // 2] = 1.0
    peak = np.argmax(audio.resample(impulse, rate, RATE))
    assert abs(peak - RATE * (rate // 2) / rate) <= 0.5


def test_resampling_long_sound_has_no_seams():
    count = 2 * audio.BLOCK + 1000
    tone = np.sin(2 * np.pi * 100 * np.arange(count) / 48000).astype(np.float32)
    result = audio.resample(tone, 48000, RATE)
    exact = np.sin(2 * np.pi * 100 * np.arange(len(result)) / RATE)
    np.testing.assert_allclose(result[100:-100], exact[100:-100], atol=1e-3)


def test_a_video_without_sound_is_refused(tmp_path):
    path = make.write(tmp_path / "a.mp4", times=make.regular(25, 0.4))
    with pytest.raises(DataError, match=r"expected a file with a sound track; got .* without"):
        _read(path)


def test_sound_of_an_unknown_codec_is_refused(tmp_path):
    path = make.write(tmp_path / "a.mov", times=make.regular(25, 0.4), sound=make.clicks([0.1], 1))
    path.write_bytes(path.read_bytes().replace(b"sowt", b"zzzz"))
    with pytest.raises(DataError, match=r"expected audio that can be decoded; got .* unknown"):
        _read(path)


def test_a_wav_is_read_as_it_was_written(tmp_path):
    waveform = np.linspace(-1, 32767 / 32768, 1000).astype(np.float32)
    audio.write_wav(tmp_path / "a.wav", waveform)
    wav = audio.read_wav(tmp_path / "a.wav")
    assert (wav.rate, wav.channels, wav.conversion) == (RATE, 1, "")
    np.testing.assert_allclose(wav.waveform, waveform, atol=0.5 / 32768)
    audio.write_wav(tmp_path / "a.wav", wav.waveform)
    np.testing.assert_array_equal(audio.read_wav(tmp_path / "a.wav").waveform, wav.waveform)
    assert os.listdir(tmp_path) == ["a.wav"], "nothing is left beside it"


def test_too_loud_is_clipped(tmp_path):
    audio.write_wav(tmp_path / "a.wav", np.array([2.0, -2.0]))
    np.testing.assert_allclose(audio.read_wav(tmp_path / "a.wav").waveform, [1, -1], atol=1e-4)


def test_a_stereo_wav_of_another_rate_is_converted_and_says_so(tmp_path):
    samples = np.zeros((44100, 2), np.float32)
    samples[22050] = 0.9
    soundfile.write(tmp_path / "a.wav", samples, 44100)
    wav = audio.read_wav(tmp_path / "a.wav")
    assert wav.conversion == "44100 Hz, 2 channels -> 16000 Hz mono"
    assert len(wav.waveform) == RATE
    assert abs(int(np.argmax(wav.waveform)) - RATE // 2) <= 1


def test_what_is_no_sound_file_is_refused(tmp_path):
    path = tmp_path / "Zoë 1.wav"
    with pytest.raises(DataError, match="No such file"):
        audio.read_wav(path)
    for content in (b"", b"hello world\n" * 50):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"expected a sound file in .*Zoë 1\.wav"):
            audio.read_wav(path)
    soundfile.write(path, np.zeros(0), RATE)
    with pytest.raises(DataError, match="no samples"):
        audio.read_wav(path)
    soundfile.write(path, np.full(10, np.nan), RATE, subtype="FLOAT")
    with pytest.raises(DataError, match="not finite"):
        audio.read_wav(path)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="a place to write to"):
        audio.write_wav(tmp_path / "absent" / "a.wav", np.zeros(10))
