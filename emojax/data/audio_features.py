"""What the lips are driven by: windows of audio features [T, W, D], one per frame at 25 fps.

Steps of features run at 50 Hz: step j covers the time from j / 50 to (j + 1) / 50 s. Window t
covers steps 2t - 8 ... 2t + 7 (TalkingGaussian's DeepSpeech windows), so its middle, between places
7 and 8, is the time t / 25 at which frame t stands. Outside the recording steps are zero.

Built in is log-mel, which needs no weights. Features computed elsewhere are imported from .npy, in
the layouts of `KINDS`; a learned feature becomes known by a line in that table.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import os
import pathlib

import numpy as np

from emojax.data import arrays, audio, files
from emojax.data.errors import DataError

STEP_RATE = 50.0
WINDOW = 16

# Log-mel after the project's study of speech features: the bands of speech at 16 kHz.
NUM_BANDS = 80
BAND_RANGE = (50.0, 7800.0)  # Hz
FRAME, HOP, FFT = 400, 160, 512  # samples at 16 kHz: 25 ms every 10 ms
FLOOR = 1e-10  # of power, far below 16-bit noise; keeps the logarithm of silence finite
LOUD_DB, LOUD_PERCENTILE = 30.0, 95.0  # frames within 30 dB of this level set a band's mean
LOG_SCALE, LOG_CLIP = 3.0, (-4.0, 3.0)  # natural logarithm / 3, clipped

# A file may miss this many windows at its end: feature extractors drop an incomplete last window.
TOLERATED = 2
# How well a length must fit one of the ratios below; their nearest neighbours differ by 4 %.
RATIO_SHARE = 0.005
# Ratios of a file's length to the video's that have one cause, and what it is.
RATE_ERRORS = {
    30 / 25: "features of a 30 fps video",
    24 / 25: "features of a 24 fps video",
    60 / 25: "features of a 60 fps video",
    50 / 25: "50 Hz steps that were not gathered into one window per frame",
    44.1 / 16: "44.1 kHz sound taken for 16 kHz",
    48 / 16: "48 kHz sound taken for 16 kHz",
    22.05 / 16: "22.05 kHz sound taken for 16 kHz",
    8 / 16: "8 kHz sound taken for 16 kHz",
}


@dataclasses.dataclass(frozen=True)
class FeatureKind:
    """A known layout of features.

    Attributes:
      name: of the features.
      file: its name in a data set folder.
      window: W, steps in a window.
      dim: D, numbers in a step.
    """

    name: str
    file: str
    window: int
    dim: int


# Widths tell these apart. "phon" (log-mel and a phoneme network's code) is a place kept for it.
KINDS = {
    kind.name: kind
    for kind in (
        FeatureKind("mel", "aud_mel.npy", WINDOW, NUM_BANDS),
        FeatureKind("deepspeech", "aud_ds.npy", 16, 29),
        FeatureKind("esperanto", "aud_eo.npy", 16, 44),
        FeatureKind("hubert", "aud_hu.npy", 2, 1024),
        FeatureKind("phon", "aud_phon.npy", 16, 144),
    )
}


@dataclasses.dataclass(frozen=True)
class AudioFeatures:
    """Audio features of a clip.

    Attributes:
      name: a name in `KINDS`, or another.
      values: float32 [T, W, D], window t centred on the time t / 25 s.
      rate: steps per second.
      source: how they came about: "built in ...", or file name, sha256 and what was mended.
    """

    name: str
    values: np.ndarray
    rate: float
    source: str

    def __post_init__(self):
        if self.values.ndim != 3 or self.values.dtype != np.float32:
            raise ValueError(
                f"features are float32 [T, W, D], not {self.values.dtype} {self.values.shape}"
            )

    @property
    def width(self) -> int:
        """Steps in a window, W."""
        return self.values.shape[1]

    @property
    def dim(self) -> int:
        """Numbers in a step, D."""
        return self.values.shape[2]


def log_mel(waveform: np.ndarray) -> np.ndarray:
    """Returns normalised log-mel energies at 50 Hz.

    Energies of 25 ms frames every 10 ms; per band the mean over loud frames is subtracted, then
    divided by 3 and clipped: independent of gain, channel and the share of silence. The two frames
    of a step are averaged, which keeps the step's centre (taking every other frame would shift all
    by 5 ms) and what both heard.

    Args:
      waveform: float [S] at 16 kHz, in [-1, 1].

    Returns:
      float32 [S // 320, 80], in [-4, 3]; all zero for digital silence.
    """
    num_steps = len(waveform) // (2 * HOP)
    if num_steps == 0:
        return np.zeros((0, NUM_BANDS), np.float32)
    # Frame i is centred on the middle of its hop, (i + 1/2) * 10 ms.
    margin = (FRAME - HOP) // 2
    padded = np.pad(np.asarray(waveform, np.float32), (margin, FRAME))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP][: 2 * num_steps]
    spectrum = np.fft.rfft(frames * np.hanning(FRAME + 1)[:-1].astype(np.float32), FFT)
    power = (np.square(spectrum.real) + np.square(spectrum.imag)).astype(np.float32) @ _bands()
    level = 10 * np.log10(power.mean(axis=1) + FLOOR)
    log_power = np.log(power + np.float32(FLOOR))
    is_loud = level >= np.percentile(level, LOUD_PERCENTILE) - LOUD_DB
    mean = log_power[is_loud].mean(axis=0, dtype=np.float64)
    normal = np.clip((log_power - mean) / LOG_SCALE, *LOG_CLIP)
    return normal.reshape(num_steps, 2, NUM_BANDS).mean(axis=1).astype(np.float32)


def windows(steps: np.ndarray, num_frames: int, *, window: int = WINDOW) -> np.ndarray:
    """Returns the windows of steps that surround each frame.

    Args:
      steps: [S, D] at 50 Hz, step 0 starting with frame 0.
      num_frames: T.
      window: W, even; window t covers steps 2t - W / 2 ... 2t + W / 2 - 1.

    Returns:
      [T, W, D] of the dtype of `steps`; zero where there are none.

    Raises:
      ValueError: `window` is odd.
    """
    if window % 2:
        raise ValueError(f"a window has an even number of steps, not {window}")
    stride = round(STEP_RATE / files.FPS)
    half = window // 2
    length = max(stride * (num_frames - 1) + window, window)
    padded = np.zeros((length, steps.shape[1]), steps.dtype)
    used = steps[: length - half]
    padded[half : half + len(used)] = used
    view = np.lib.stride_tricks.sliding_window_view(padded, window, axis=0)[::stride][:num_frames]
    return np.ascontiguousarray(np.moveaxis(view, -1, 1))


def from_waveform(waveform: np.ndarray, num_frames: int) -> AudioFeatures:
    """Returns the built-in features, "mel".

    Args:
      waveform: float [S] at 16 kHz, sample 0 at the time of frame 0.
      num_frames: T.

    Raises:
      DataError: the sound is more than two frames longer or shorter than T / 25 s.
    """
    seconds, wanted = len(waveform) / audio.RATE, num_frames / files.FPS
    if abs(seconds - wanted) > TOLERATED / files.FPS:
        raise DataError(
            expected=f"{wanted:.2f} s of sound for {num_frames} frames at {files.FPS} fps",
            got=f"{seconds:.2f} s ({seconds - wanted:+.2f} s)",
            fix="Make sound and frames again from one video.",
        )
    values = windows(log_mel(waveform), num_frames)
    return AudioFeatures("mel", values, STEP_RATE, "built in: log-mel, 80 bands, 50-7800 Hz")


def load(path: str | os.PathLike, num_frames: int, *, name: str | None = None) -> AudioFeatures:
    """Returns features computed elsewhere.

    Args:
      path: .npy, floats [T, W, D]; one that lacks one or two windows at the end has its last
        repeated, one that has one or two more is cut; the source says so.
      num_frames: T of the clip.
      name: of the features; None recognises a kind of `KINDS` by its width. A name that is not
        there allows any width.

    Raises:
      DataError: no such file, or its layout, width, length or values are wrong.
    """
    path = pathlib.Path(path)
    data = _read(path)
    values = _load_array(path, data)
    name = name or _recognise(path, values.shape)
    kind = KINDS.get(name)
    if kind and values.shape[1:] != (kind.window, kind.dim):
        raise DataError(
            expected=f"[T, {kind.window}, {kind.dim}] for {name} features",
            got=f"{list(values.shape)} in {path}",
            fix="Give the kind that the file holds, or make the file again.",
        )
    surplus = len(values) - num_frames
    if abs(surplus) > TOLERATED or not len(values):
        raise _wrong_length(path, len(values), num_frames)
    source = f"{path.name}, sha256 {hashlib.sha256(data).hexdigest()}"
    if surplus > 0:
        source += f"; the last {surplus} of {len(values)} windows left out"
    elif surplus < 0:
        source += f"; the last of {len(values)} windows repeated {-surplus} times more"
    values = values[np.minimum(np.arange(num_frames), len(values) - 1)].astype(np.float32)
    return AudioFeatures(name, values, STEP_RATE, source)


def recognise(path: str | os.PathLike) -> str:
    """Returns the name of the kind in `KINDS` that a .npy file holds.

    Args:
      path: of the file.

    Raises:
      DataError: no such file, its layout or values are wrong, or it is of no known width.
    """
    path = pathlib.Path(path)
    return _recognise(path, _load_array(path, _read(path)).shape)


def save(path: str | os.PathLike, features: AudioFeatures) -> None:
    """Writes the windows as .npy, float32 [T, W, D], all at once.

    TalkingGaussian reads aud_ds.npy, aud_eo.npy and aud_hu.npy; aud_mel.npy is for emojax only.

    Args:
      path: its place; `KINDS[name].file` is the name expected in a data set folder.
      features: what to write; name and source are not in the file.

    Raises:
      DataError: the place cannot be written to, or the disk is full.
    """
    files.write_array(pathlib.Path(path), features.values)


@functools.cache
def _bands() -> np.ndarray:
    """Triangular mel filters (2595 log10(1 + f / 700)), [257, 80] float32."""
    low, high = (2595 * np.log10(1 + f / 700) for f in BAND_RANGE)
    edges = 700 * (10 ** (np.linspace(low, high, NUM_BANDS + 2) / 2595) - 1)
    bins = np.arange(FFT // 2 + 1)[:, None] * audio.RATE / FFT
    up = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(up, down)).astype(np.float32)


def _read(path: pathlib.Path) -> bytes:
    """The bytes of a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            expected=f"the feature file {path}",
            got=error.strerror or str(error),
            fix="Check the path, or leave it away to use the built-in features.",
        ) from error


def _load_array(path: pathlib.Path, data: bytes) -> np.ndarray:
    """The array of a .npy file, checked for layout and values."""
    fix = "Save it with numpy.save as float32 [T, W, D], one window of steps per frame."
    try:
        values = np.load(io.BytesIO(data), allow_pickle=False)
    except arrays.UNREADABLE as error:
        got = f"{path}, {len(data):,} bytes that are none ({error})"
        raise DataError(expected="a .npy file of numbers", got=got, fix=fix) from error
    if not isinstance(values, np.ndarray) or values.ndim != 3 or values.dtype.kind != "f":
        shape = f"{values.dtype} {list(values.shape)}" if isinstance(values, np.ndarray) else "npz"
        raise DataError(expected="floats [T, W, D]", got=f"{shape} in {path}", fix=fix)
    finite = np.isfinite(values).all(axis=(1, 2))
    if not finite.all():
        where = f"{np.sum(~finite)} of {len(values)} windows, first in {np.argmin(finite)}"
        raise DataError(
            expected="finite numbers",
            got=f"NaN or infinity in {where}, of {path}",
            fix="Make the file again.",
        )
    return values


def _recognise(path: pathlib.Path, shape: tuple[int, ...]) -> str:
    """The name of the kind that has this width."""
    for kind in KINDS.values():
        if shape[1:] == (kind.window, kind.dim):
            return kind.name
    known = ", ".join(f"{kind.name} [T, {kind.window}, {kind.dim}]" for kind in KINDS.values())
    raise DataError(
        expected=f"a known width: {known}",
        got=f"{list(shape)} in {path}",
        fix="Name the features to use them all the same, or make the file again.",
    )


def _wrong_length(path: pathlib.Path, length: int, num_frames: int) -> DataError:
    """The error for a file of another length, with its likely cause."""
    got = f"{length} in {path}, {(length - num_frames) / files.FPS:+.2f} s"
    for ratio, cause in RATE_ERRORS.items():
        if abs(length - ratio * num_frames) <= TOLERATED + RATIO_SHARE * length:
            got += f", {ratio:.3g} times as many: {cause}"
            break
    return DataError(
        expected=f"{num_frames} windows, one per frame at {files.FPS} fps",
        got=got,
        fix="Make the features again from the aud.wav of this folder.",
    )
