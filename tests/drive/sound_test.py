import av
import numpy as np
import pytest
import soundfile

from emojax.data.errors import DataError
from emojax.drive import movie, sound
from tests.drive import scene


def _tone(seconds, rate, hertz=440.0):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize(
    ("seconds", "rate", "frames", "film_rate"),
    [
        (0.1, 16000, 3, 16000),
        (2.0, 44100, 50, 44100),
        (1.0, 96000, 25, 48000),
        (0.01, 8000, 1, 8000),
    ],
)
def test_any_length_and_rate(tmp_path, seconds, rate, frames, film_rate):
    found = sound.read(scene.write_sound(tmp_path / "a b.wav", _tone(seconds, rate), rate))
    assert found.num_frames == frames
    assert found.duration == pytest.approx(seconds)
    assert found.rate == film_rate
    assert len(found.waveform) == round(16000 * seconds)
    assert found.layout == "mono"
    assert sum(block.shape[1] for block in sound.blocks(found)) == found.num_samples


def test_blocks_are_the_sound(tmp_path):
    wave = np.stack([_tone(1.3, 44100), 0.5 * _tone(1.3, 44100, 300.0)], axis=-1)
    found = sound.read(scene.write_sound(tmp_path / "stereo.wav", wave, 44100))
    joined = np.concatenate(list(sound.blocks(found)), axis=1)
    assert found.layout == "stereo"
    np.testing.assert_allclose(joined, wave.T, atol=1e-4)
    # Resampled: the same tone, at the same time.
    found = sound.read(scene.write_sound(tmp_path / "high.wav", _tone(1.0, 96000), 96000))
    joined = np.concatenate(list(sound.blocks(found)), axis=1)
    np.testing.assert_allclose(joined[0, 100:-100], _tone(1.0, 48000)[100:-100], atol=2e-3)


def _write_aac(path, seconds):
    """A sound with the time stamps of a container, and blocks left out from 1 to 1.5 s."""
    with av.open(str(path), "w") as container:
        track = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        for first in range(0, round(16000 * seconds), 1600):
            if 16000 <= first < 24000:
                continue
            values = np.full((1, 1600), 9000, np.int16)
            frame = av.AudioFrame.from_ndarray(values, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16000, first
            container.mux(track.encode(frame))
        container.mux(track.encode(None))


def test_a_gap_is_silence_and_time_is_kept(tmp_path):
    _write_aac(tmp_path / "gap.mkv", 2.0)
    found = sound.read(tmp_path / "gap.mkv")
    joined = np.concatenate(list(sound.blocks(found)), axis=1)[0]
    assert len(joined) == found.num_samples == 32000
    assert np.all(joined[16100:23900] == 0)
    assert np.all(joined[[100, 15900, 24100, 31900]] > 0.2)


def test_the_padding_of_an_mp4s_last_block_is_no_sound(tmp_path):
    heard = sound.read(scene.write_sound(tmp_path / "speech.wav", scene.speech(2.0, 44100), 44100))
    picture = np.zeros((32, 32, 3), np.uint8)
    movie.write(tmp_path / "film.mp4", [picture] * heard.num_frames, heard)
    again = sound.read(tmp_path / "film.mp4")
    assert 44100 * 2 % 1024  # a whole number of AAC's blocks would prove nothing
    assert again.duration == pytest.approx(2.0, abs=1e-4)
    assert again.num_frames == 50
    assert sum(block.shape[1] for block in sound.blocks(again)) == again.num_samples


def test_what_is_wrong_with_a_sound_is_said(tmp_path):
    silent = sound.read(scene.write_sound(tmp_path / "silent.wav", np.zeros(8000)))
    assert silent.is_silent
    assert "the lips rest" in silent.notes[0]
    loud = 3 * scene.speech(1.0) / 0.2
    clipped = sound.read(scene.write_sound(tmp_path / "loud.wav", np.clip(loud, -1, 1)))
    assert "clipped" in clipped.notes[0]
    assert sound.read(scene.write_sound(tmp_path / "good.wav", scene.speech(1.0))).notes == ()


def test_what_is_no_sound_is_refused(tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").write_bytes(b"")
    soundfile.write(tmp_path / "nothing.wav", np.zeros(0), 16000)
    soundfile.write(tmp_path / "nan.wav", np.full(1600, np.nan), 16000, subtype="FLOAT")
    for name, got in {
        "absent.wav": "No such file",
        "text.wav": "text.wav",
        "empty.wav": "zero bytes",
        "nothing.wav": "no samples",
        "nan.wav": "NaN",
        ".": "a folder",
    }.items():
        with pytest.raises(DataError, match="expected a sound file") as error:
            sound.read(tmp_path / name)
        assert got in error.value.got


def test_the_beginning_of_a_sound_is_a_sound(tmp_path):
    path = scene.write_sound(tmp_path / "a.wav", scene.speech(2.0))
    whole = sound.read(path)
    some = sound.cut(whole, seconds=0.5)
    assert (some.duration, some.num_frames) == (0.5, 13)
    np.testing.assert_array_equal(some.waveform, whole.waveform[:8000])
    assert sum(block.shape[1] for block in sound.blocks(some)) == some.num_samples
    assert sound.cut(whole, seconds=9).duration == whole.duration
    with pytest.raises(DataError, match="more than 0"):
        sound.cut(whole, seconds=0)
