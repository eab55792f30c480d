"""Pictures on a constant clock: which, when, which way up, in which colours, with which sound."""

import itertools
import pathlib

import av
import numpy as np
import pytest

from emojax.data import audio, video
from emojax.data.errors import DataError
from tests.data import media as make

CLIPS = pathlib.Path(__file__).resolve().parents[3] / "shared" / "clips"
HALF_FRAME = 0.02
# Pictures carry their time in whole milliseconds, and Matroska rounds to the same.
MILLISECOND = 1.01e-3


def _times(path):
    return np.array([make.time_of(image) for image in video.read_frames(path)])


def _variable(seconds):
    """Irregular timestamps around 30 fps that include every half second."""
    steps = np.random.default_rng(0).uniform(0.02, 0.047, size=200)
    halves = np.arange(0, seconds, 0.5)
    inside = [t for t in np.cumsum(steps) if t < seconds and np.abs(halves - t).min() > 0.015]
    return sorted([*halves, *inside])


SOURCES = {
    "24": make.regular(24, 3),
    "25": make.regular(25, 3),
    "30": make.regular(30, 3),
    "60": make.regular(60, 3),
    "variable": _variable(3),
}


@pytest.mark.parametrize(
    ("name", "codec", "start", "sound_start"),
    [
        ("a.mp4", "libx264", 0.0, 0.0),
        ("a.mp4", "libx264", 0.08, 0.0),
        ("a.mkv", "libx264", 0.0, 0.2),
        ("a.mkv", "libx264", 0.013, 0.2),
        ("a.mkv", "libx264", 0.0, 0.013),
        ("a.flv", "libx264", 0.0, 0.0),
        ("a.ts", "libx264", 0.0, 0.0),
        ("a.webm", "libvpx", 0.0, 0.0),
        ("a.avi", "mpeg4", 0.0, 0.0),
    ],
)
def test_25_fps_gives_every_picture_once(tmp_path, name, codec, start, sound_start):
    sound_codec = {"webm": "libopus", "avi": "pcm_s16le", "mkv": "pcm_s16le"}.get(name[2:], "aac")
    path = make.write(
        tmp_path / name,
        times=make.regular(25, 2, start=start),
        sound=make.clicks([], 3, start=sound_start, codec=sound_codec),
        codec=codec,
        time_base=make.Fraction(1, 25 if codec == "mpeg4" else 90000),
        options={"bf": "2", "preset": "veryfast"} if codec == "libx264" else {},
    )
    skipped = max(0, np.ceil((sound_start - start - HALF_FRAME) * 25 - 1e-6))
    expected = np.array(make.regular(25, 2, start=start))[int(skipped) :]
    np.testing.assert_allclose(_times(path), expected, atol=MILLISECOND)


@pytest.mark.parametrize("source", SOURCES)
def test_pictures_are_the_nearest_and_not_late(tmp_path, source):
    times = SOURCES[source]
    path = make.write(tmp_path / "a.mp4", times=times, sound=make.clicks([], 3))
    wanted = np.arange(75) / 25
    error = _times(path) - wanted
    least = np.abs(np.array(times)[:, None] - wanted).min(axis=0)
    np.testing.assert_allclose(np.abs(error), least, atol=2 * MILLISECOND)
    if source != "variable":  # there 75 errors of up to 23 ms are too few for a mean
        assert abs(error.mean()) <= 1e-3, "no systematic delay"


_TRACKS = [(48000, 2, "aac", "a.mp4"), (8000, 1, "pcm_s16le", "a.mkv"), (44100, 2, "flac", "a.mkv")]
_STARTS = [(0, 0), (0.08, 0), (0, 0.2)]


@pytest.mark.parametrize(
    ("source", "track", "starts"),
    [
        # 30 fps meets all combinations, every other rate each fault once.
        *itertools.product(["30"], _TRACKS, _STARTS),
        *itertools.product(["24", "25", "60", "variable"], _TRACKS[:1], _STARTS[1:2]),
        *itertools.product(["24", "25", "60", "variable"], _TRACKS[1:2], _STARTS[2:]),
    ],
)
def test_flash_and_click_coincide(tmp_path, source, track, starts):
    (rate, channels, codec, name), (start, sound_start) = track, starts
    events = [0.5 + start, 1.0 + start, 2.0 + start]
    path = make.write(
        tmp_path / name,
        times=[t + start for t in SOURCES[source]],
        sound=make.clicks(events, 3, rate=rate, channels=channels, codec=codec, start=sound_start),
        flashes=events,
    )
    facts = video.probe(path)
    count = video.num_common_frames(facts)
    images = list(video.read_frames(path))
    assert len(images) == count
    waveform = audio.read_waveform(path, start=video.common_start(facts), duration=count / 25)
    clicks = _onsets(np.abs(waveform) > 0.3) / 16000
    # The clocks: what a picture's time and a click's time say of the presentation's zero.
    by_sound = np.array(events) - clicks
    by_pictures = np.array([make.time_of(x) for x in images]) - np.arange(count) / 25
    np.testing.assert_allclose(by_sound, video.common_start(facts), atol=MILLISECOND)
    half = max(HALF_FRAME, np.diff(SOURCES[source]).max() / 2) + MILLISECOND
    assert np.abs(by_pictures - by_sound.mean()).max() <= half
    lit = np.flatnonzero([make.is_flash(image) for image in images]) / 25
    assert set(np.round(clicks * 25) / 25) <= set(lit), "the frame nearest to a click is lit"
    assert np.abs(lit[:, None] - clicks).min(axis=1).max() <= make.FLASH_SECONDS + half


def _onsets(loud):
    """First samples of the runs of a boolean waveform that are 50 ms apart or more."""
    indices = np.flatnonzero(loud)
    return indices[np.diff(indices, prepend=-800) >= 800]


def test_across_a_gap_the_last_picture_holds(tmp_path):
    times = [t for t in make.regular(25, 2) if not 0.5 < t < 1.5]
    path = make.write(tmp_path / "a.mp4", times=times, sound=make.clicks([], 2))
    read = _times(path)
    assert len(read) == 50
    np.testing.assert_allclose(read[13:38], times[12], atol=MILLISECOND)
    np.testing.assert_allclose(read[38], times[13], atol=MILLISECOND)


def test_both_tracks_end_together(tmp_path):
    path = make.write(tmp_path / "a.mp4", times=make.regular(25, 3), sound=make.clicks([], 2))
    assert video.num_common_frames(video.probe(path)) == len(_times(path)) == 50
    path = make.write(tmp_path / "b.mp4", times=make.regular(25, 2), sound=make.clicks([], 3))
    assert len(_times(path)) == 50


def test_what_is_left_out_of_either_track_is_told(tmp_path):
    for seconds, left_out in ((2, (1.0, 0.0)), (5, (0.0, 2.0))):
        path = make.write(
            tmp_path / "a.mkv", times=make.regular(25, 3), sound=make.clicks([], seconds)
        )
        np.testing.assert_allclose(video.left_out(video.probe(path)), left_out, atol=HALF_FRAME)
    path = make.write(tmp_path / "b.mkv", times=make.regular(25, 3))
    np.testing.assert_allclose(video.left_out(video.probe(path)), 0, atol=HALF_FRAME)


def test_without_sound_the_pictures_are_all_there_is(tmp_path):
    path = make.write(tmp_path / "a.mp4", times=make.regular(25, 1, start=0.08))
    np.testing.assert_allclose(_times(path), make.regular(25, 1, start=0.08), atol=MILLISECOND)


def test_another_frame_rate_can_be_asked_for(tmp_path):
    path = make.write(tmp_path / "a.mp4", times=make.regular(60, 1), sound=make.clicks([], 1))
    times = [make.time_of(image) for image in video.read_frames(path, fps=30)]
    np.testing.assert_allclose(times, make.regular(30, 1), atol=MILLISECOND)


def test_tracks_that_do_not_meet_are_refused(tmp_path):
    sound = make.clicks([], 1, start=5.0)
    path = make.write(tmp_path / "a.mkv", times=make.regular(25, 1), sound=sound)
    with pytest.raises(DataError, match=r"pictures 0\.00 to 1\.00 s, sound 5\.00 to 6\.00 s"):
        video.read_frames(path)


def _corners(width, height):
    """A picture whose corners are red, green (top right), blue (bottom right), white."""
    image = np.zeros((height, width, 3), np.uint8)
    h, w = height // 2, width // 2
    image[:h, :w], image[:h, w:] = (255, 0, 0), (0, 255, 0)
    image[h:, w:], image[h:, :w] = (0, 0, 255), (255, 255, 255)
    return image


def _names(image):
    """The corners' colours, clockwise from the top left."""
    h, w = image.shape[0] // 8, image.shape[1] // 8
    colors = {(255, 0, 0): "r", (0, 255, 0): "g", (0, 0, 255): "b", (255, 255, 255): "w"}
    keys = np.array(list(colors))
    found = [image[h, w], image[h, -w], image[-h, -w], image[-h, w]]
    nearest = [np.abs(keys - color.astype(int)).sum(axis=1).argmin() for color in found]
    return "".join(list(colors.values())[i] for i in nearest)


@pytest.mark.parametrize(
    ("matrix", "corners"),
    [
        ((1, 0, 0, 1), "rgbw"),
        ((0, 1, -1, 0), "wrgb"),  # a quarter turn clockwise: the usual upright phone
        ((-1, 0, 0, -1), "bwrg"),
        ((0, -1, 1, 0), "gbwr"),
        ((-1, 0, 0, 1), "grwb"),  # mirrored left to right
        ((0, 1, 1, 0), "rwbg"),  # transposed
    ],
)
def test_pictures_stand_upright(tmp_path, matrix, corners):
    path = make.write(
        tmp_path / "a.mp4", times=make.regular(25, 0.2), draw=lambda *_: _corners(64, 48)
    )
    make.set_display_matrix(path, matrix)
    images = list(video.read_frames(path))
    assert images[0].shape == ((48, 64, 3) if matrix[0] else (64, 48, 3))
    assert {_names(image) for image in images} == {corners}
    assert all(image.flags.c_contiguous and image.flags.writeable for image in images)


def test_pixels_are_square(tmp_path):
    path = make.write(
        tmp_path / "a.mp4",
        times=make.regular(25, 0.2),
        draw=lambda *_: _corners(64, 48),
        sar=make.Fraction(3, 2),
    )
    image = next(video.read_frames(path))
    assert image.shape == (48, 96, 3)
    assert _names(image) == "rgbw"


def test_odd_sizes(tmp_path):
    path = make.write(
        tmp_path / "a.mkv",
        times=make.regular(25, 0.2),
        draw=lambda *_: _corners(65, 49),
        codec="ffv1",
    )
    image = next(video.read_frames(path))
    assert image.shape == (49, 65, 3)
    assert _names(image) == "rgbw"


# ITU-R BT.709, BT.601 and BT.2020 by their H.273 numbers: weights of red and blue in luma.
_MATRICES = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
_LIMITED, _FULL = 1, 2


def _yuv(color, pix_fmt, matrix, color_range):
    """A frame of one colour [3] in 0-255, converted by the definition."""
    red, blue = _MATRICES[matrix]
    r, g, b = np.array(color) / 255
    y = red * r + (1 - red - blue) * g + blue * b
    parts = np.array([y, (b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)])
    limited = parts * [219, 224, 224] + [16, 128, 128]
    levels = limited if color_range == _LIMITED else parts * 255 + [0, 128, 128]
    frame = av.VideoFrame(make.WIDTH, make.HEIGHT, pix_fmt)
    deep = "10le" in pix_fmt
    for plane, level in zip(frame.planes, levels, strict=True):
        size = plane.buffer_size // (2 if deep else 1)
        values = np.full(size, round(level * (4 if deep else 1)), np.uint16 if deep else np.uint8)
        plane.update(values.tobytes())
    frame.colorspace, frame.color_range = matrix, color_range
    return frame


_NEW = pytest.mark.skipif(
    int(av.__version__.split(".")[0]) < 17, reason="older versions of PyAV cannot"
)


@pytest.mark.parametrize(
    ("pix_fmt", "matrix", "color_range"),
    [
        *itertools.product(["yuv420p"], [1, 6], [_LIMITED, _FULL]),
        ("yuv422p", 1, _LIMITED),
        ("yuv444p", 1, _LIMITED),
        ("yuv420p10le", 1, _LIMITED),
        ("yuv420p10le", 6, _LIMITED),
        ("yuv420p10le", 1, _FULL),
        pytest.param("yuv420p10le", 6, _FULL, marks=_NEW),
        pytest.param("yuv420p10le", 9, _LIMITED, marks=_NEW),
    ],
)
def test_colours_are_right_in_every_encoding(tmp_path, pix_fmt, matrix, color_range):
    color = (200, 120, 90)  # skin

    def label(context):
        context.colorspace, context.color_range = matrix, color_range

    path = make.write(
        tmp_path / "a.mp4",
        times=make.regular(25, 0.2),
        draw=lambda *_: _yuv(color, pix_fmt, matrix, color_range),
        pix_fmt=pix_fmt,
        setup=label,
    )
    image = next(video.read_frames(path))
    np.testing.assert_allclose(image.mean(axis=(0, 1)), color, atol=3)


@pytest.mark.parametrize(("codec", "pix_fmt"), [("ffv1", "bgr0"), ("png", "rgb24")])
def test_rgb_stays_as_it_is(tmp_path, codec, pix_fmt):
    image = np.random.default_rng(0).integers(0, 256, size=(48, 64, 3), dtype=np.uint8)
    path = make.write(
        tmp_path / ("a.mov" if codec == "png" else "a.mkv"),
        times=make.regular(25, 0.2),
        draw=lambda *_: image,
        codec=codec,
        pix_fmt=pix_fmt,
    )
    np.testing.assert_array_equal(next(video.read_frames(path)), image)


def test_a_little_damage_is_bridged_and_much_is_refused(tmp_path):
    def written(name):
        return make.write(
            tmp_path / name,
            times=make.regular(25, 3),
            sound=make.clicks([], 3),
            codec="mjpeg",
            pix_fmt="yuvj420p",
        )

    path = written("a.mkv")
    make.damage(path, 1.0, 1.2)
    times = _times(path)
    assert len(times) == 75
    np.testing.assert_allclose(times[25:30], 0.96, atol=MILLISECOND)
    path = written("b.mkv")
    make.damage(path, 1.0, 2.0)
    with pytest.raises(DataError, match=r"damaged from 1\.0 to 2\.0 s \(25 pictures lost\)"):
        _times(path)
    path = written("c.mkv")
    make.damage(path, 2.0, 3.0)
    with pytest.raises(DataError, match=r"damaged from 2\.0 to 3\.0 s"):
        _times(path)


@pytest.mark.parametrize(
    ("name", "count"), [("german_20s.mp4", 500), ("macron_50s.mp4", 1260), ("cnn_71s.mp4", 1779)]
)
def test_real_clips_have_all_their_frames(name, count):
    if not (CLIPS / name).exists():
        pytest.skip("needs the real clips beside the checkout")
    facts = video.probe(CLIPS / name)
    assert (video.common_start(facts), video.num_common_frames(facts)) == (0.0, count)
    waveform = audio.read_waveform(CLIPS / name, start=0.0, duration=count / 25)
    assert len(waveform) == 640 * count
    assert np.abs(waveform[-640 * 5 :]).max() > 0, "sound up to the last frames"
