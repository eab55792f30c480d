"""A drawn talking person with exact truth: the portrait video of tests that may use no photograph.

The head is the mean 68-point face with an expression and a rigid motion, before a pinhole camera
and a still room; the mouth follows a made-up voice. dlib's face detector and landmark predictor
accept the result. The drawing is in `actor_look` (what is painted once) and `actor_scene`.

World is the head frame of `emojax.data.face68`, in metres: x to the image right, y up, z out of the
face. Cameras are OpenCV's (x right, y down, z forward). Positions in pictures are pixel indices: a
camera point lands at focal * x / z + size / 2 - 0.5. The body hardly moves before the camera.
"""

from __future__ import annotations

import dataclasses
import fractions
import os

import av
import numpy as np

from emojax.data.labels import Label
from emojax.opencv import cv2
from tests.data import actor_look, actor_scene

FPS, SAMPLE_RATE = 25, 16000
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS

_CONTROL_RATE = 400  # Hz of the curves of speech; FPS and SAMPLE_RATE are whole fractions of it
_FULL_OPENING = 13.0  # mm, the widest vowel
_SUPERSAMPLING = 2
_SENSOR_SIGMA = 1.0  # grey levels
_PIVOT = np.array([0.0, -120.0, -90.0])  # joint of head and neck, head frame, mm
_REST = np.array([0.0, -52.0, 870.0])  # the head's origin in the camera frame at rest, mm
_TO_CAMERA = np.diag([1.0, -1.0, -1.0])  # axes of the head frame to those of the camera


@dataclasses.dataclass(frozen=True)
class Film:
    """A film of T frames with its truth.

    Attributes:
      images: uint8 [T, H, W, 3] RGB.
      labels: uint8 [T, H, W] of `emojax.data.labels.Label`; a second person is background.
      landmarks: float32 [T, 68, 2] (x, y) pixels, also where the face is turned away.
      world_to_camera: float32 [T, 4, 4], metres.
      focal: pixels.
      opening_mm: float32 [T] distance of the inner lips, points 62 and 66, in the head frame.
      blink: float32 [T], 0 open to 1 closed.
      brow: float32 [T] rise of the brows, mm.
      waveform: float32 [640 T] voice, 16 kHz; sample 640 t is the beginning of frame t.
      cuts: the first frame after each jump cut.
    """

    images: np.ndarray
    labels: np.ndarray
    landmarks: np.ndarray
    world_to_camera: np.ndarray
    focal: float
    opening_mm: np.ndarray
    blink: np.ndarray
    brow: np.ndarray
    waveform: np.ndarray
    cuts: tuple[int, ...]

    @property
    def mouth_truth(self) -> np.ndarray:
        """Where the inside of the mouth shows, teeth included, bool [T, H, W]."""
        return (self.labels == Label.MOUTH) | (self.labels == Label.TEETH)


def _wander(rng: np.random.Generator, seconds: np.ndarray, count: int) -> np.ndarray:
    """Smooth random curves [T, count], mostly within -1 to 1, with periods of 2 to 9 seconds."""
    rate = rng.uniform([1 / 9, 1 / 5, 1 / 3], [1 / 6, 1 / 3.5, 1 / 2], (count, 3))
    phase = rng.uniform(0, 2 * np.pi, (count, 3))
    return np.sin(2 * np.pi * rate * seconds[:, None, None] + phase) @ [0.6, 0.3, 0.15]


def _bumps(count: int, bumps) -> np.ndarray:
    """The largest of some raised cosines (start, length, height), [count]."""
    curve = np.zeros(count)
    for start, length, height in bumps:
        i = np.arange(max(int(start) + 1, 0), min(int(start + length) + 1, count))
        curve[i] = np.maximum(curve[i], height * np.sin(np.pi * (i - start) / length) ** 2)
    return curve


def _syllables(rng: np.random.Generator, num_frames: int):
    """Speech at the control rate: opening [n] mm, hiss [n] 0 to 1, second formant [n] Hz.

    Phrases of four to nine syllables, with silence and a closed mouth between them and at the ends.
    """
    rate, end = _CONTROL_RATE, num_frames / FPS - 0.2
    count = num_frames * rate // FPS
    vowels, bursts, formant = [], [], np.full(count, 1400.0)
    now = rng.uniform(0.2, 0.4)
    while now < end:
        for length in rng.uniform(0.15, 0.28, rng.integers(4, 10)):
            if now + 1.15 * length > end:
                break
            vowels.append((now * rate, 1.15 * length * rate, rng.uniform(4, _FULL_OPENING)))
            formant[int(now * rate) :] = rng.uniform(900, 2300)
            if rng.random() < 0.4:
                bursts.append(((now - 0.02) * rate, 0.07 * rate, 1.0))
            now += length
        now += rng.uniform(0.5, 0.9)
    smooth = np.convolve(np.pad(formant, 12, "edge"), np.ones(25) / 25, "valid")
    return _bumps(count, vowels), _bumps(count, bursts), smooth


def _voice(rng: np.random.Generator, opening, hiss, second_formant) -> np.ndarray:
    """A waveform for `_syllables`: harmonics of a wandering pitch in three formants, and noise."""
    knots = np.arange(len(opening)) / _CONTROL_RATE
    time = np.arange(len(opening) * SAMPLE_RATE // _CONTROL_RATE) / SAMPLE_RATE
    pitch = 118 + 14 * _wander(rng, 3 * knots, 1)[:, 0]
    phase = 2 * np.pi * np.cumsum(np.interp(time, knots, pitch)) / SAMPLE_RATE
    formants = (280 + 42 * opening, 90, 1.0), (second_formant, 130, 0.6), (2650, 200, 0.3)
    voice = np.zeros(len(time))
    for k in range(1, 30):
        gain = sum(level / (1 + np.square((k * pitch - f) / width)) for f, width, level in formants)
        gain = gain * (opening / _FULL_OPENING) ** 1.3 / k**0.3
        voice += np.interp(time, knots, gain) * np.sin(k * phase)
    noise = np.diff(rng.standard_normal(len(time) + 1))
    return 0.25 * voice + 0.03 * np.interp(time, knots, hiss) * noise


def _blinks(rng: np.random.Generator, num_frames: int) -> np.ndarray:
    """Lids per frame [T]: a blink of seven frames every two to four seconds."""
    curve, frame = np.zeros(num_frames), rng.integers(12, 30)
    while frame + 7 < num_frames:
        curve[frame : frame + 7] = [0.3, 0.85, 1.0, 1.0, 0.7, 0.35, 0.1]
        frame += rng.integers(2 * FPS, 4 * FPS)
    return curve


def _rotation(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """From the head frame to the camera's axes, [3, 3]."""
    turns = (cv2.Rodrigues(turn)[0] for turn in np.diag([pitch, yaw, roll]))
    return np.linalg.multi_dot([_TO_CAMERA, *turns])


def film(
    *,
    num_frames: int = 300,
    size: int = 256,
    seed: int = 0,
    yaw_range: float = 0.15,
    talk: bool = True,
    blinks: bool = True,
    move: float = 1.0,
    second_face: bool = False,
    face_lost: tuple[int, int] | None = None,
    cut_at: int | None = None,
    brightness: float = 1.0,
    blur: float = 0.35,
) -> Film:
    """Draws a talking person.

    Args:
      num_frames: T, at 25 frames per second.
      size: H = W, pixels.
      seed: of the person, the room, the motion and the speech.
      yaw_range: about the largest turn to a side, radians, at `move` 1; drawn well up to 0.4.
      talk: whether there is speech; without, the mouth stays closed and the voice silent.
      blinks: whether the lids close now and then.
      move: scale of the motion of head and body, 0 for none.
      second_face: draws a smaller, silent person to the right, and the first one more to the left.
      face_lost: first and last + 1 of the frames in which the head is turned away.
      cut_at: the first frame after a jump of pose and room.
      brightness: factor on the colours.
      blur: sigma of the lens, pixels; 0 for none.

    Returns:
      The film.
    """
    rng, grain = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    side, focal = size * _SUPERSAMPLING, 1200 * size / 512
    lens = focal * _SUPERSAMPLING, side / 2 - 0.5
    looks = [actor_look.look(rng) for _ in range(2)]
    rooms = [actor_look.room(rng, side) for _ in range(2)]

    syllables = _syllables(rng, num_frames)
    voice = talk * np.clip(_voice(rng, *syllables), -1, 1)
    opening = talk * syllables[0][_CONTROL_RATE // FPS // 2 :: _CONTROL_RATE // FPS]
    blink = blinks * _blinks(rng, num_frames)
    brow = _bumps(
        num_frames, [(t, 30, 5.0) for t in rng.uniform(-15, num_frames, num_frames // 60)]
    )
    seconds = np.arange(num_frames) / FPS
    gaze = np.round(2 * _wander(rng, 2 * seconds, 2)) * (0.9, 0.5)
    angles = move * _wander(rng, seconds, 3) * (0.07, yaw_range, 0.05)
    nods = [(t, 14, 0.05) for t in rng.uniform(-7, num_frames, num_frames // 50)]
    angles[:, 0] += move * _bumps(num_frames, nods)
    drift = move * _wander(rng, seconds, 3) * (9, 5, 12)
    after = np.arange(num_frames) >= (num_frames if cut_at is None else cut_at)
    angles[after] += (0.02, -0.12, 0.03)
    rest = _REST + np.where(after, 1, 0)[:, None] * (22, 6, 60) - (75 * second_face, 0, 0)
    rotations = np.stack([_rotation(*a) for a in angles])
    translations = rest + drift + _TO_CAMERA @ _PIVOT - rotations @ _PIVOT

    images = np.empty((num_frames, size, size, 3), np.uint8)
    labels = np.empty((num_frames, size, size), np.uint8)
    landmarks = np.empty((num_frames, 68, 2), np.float32)
    for t in range(num_frames):
        canvas, regions = rooms[int(after[t])].copy(), np.zeros((side, side), np.uint8)
        if second_face:
            there = np.array([225.0, -70.0, 1500.0]) - 0.5 * drift[t]
            head = actor_scene.View(rotations[-1 - t], there, *lens)
            body = head._replace(rotation=_TO_CAMERA)
            face = actor_scene.Face(0.0, blink[-1 - t], 0.0, gaze[-1 - t])
            actor_scene.put_person(canvas, regions, looks[1], head, body, face, away=False)
            regions[:] = Label.BACKGROUND
        head = actor_scene.View(rotations[t], translations[t], *lens)
        body = actor_scene.View(_TO_CAMERA, rest[t] + 0.6 * drift[t], *lens)
        face = actor_scene.Face(opening[t], blink[t], brow[t], gaze[t])
        away = face_lost is not None and face_lost[0] <= t < face_lost[1]
        actor_scene.put_person(canvas, regions, looks[0], head, body, face, away=away)
        picture = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
        if blur > 0:
            picture = cv2.GaussianBlur(picture, (0, 0), blur)
        noise = _SENSOR_SIGMA * grain.standard_normal(picture.shape, dtype=np.float32)
        images[t] = np.clip(picture * np.float32(brightness) + noise + 0.5, 0, 255)
        labels[t] = regions[::_SUPERSAMPLING, ::_SUPERSAMPLING]
        view = head._replace(focal=focal, center=size / 2 - 0.5)
        landmarks[t] = view.project(actor_look.shape(opening[t], blink[t], brow[t]))
    pose = np.tile(np.eye(4, dtype=np.float32), (num_frames, 1, 1))
    pose[:, :3, :3], pose[:, :3, 3] = rotations, translations / 1000
    return Film(
        images=images,
        labels=labels,
        landmarks=landmarks,
        world_to_camera=pose,
        focal=focal,
        opening_mm=opening.astype(np.float32),
        blink=blink.astype(np.float32),
        brow=brow.astype(np.float32),
        waveform=voice.astype(np.float32),
        cuts=() if cut_at is None else (cut_at,),
    )


def write_video(
    path: str | os.PathLike,
    film: Film,
    *,
    fps: float = FPS,
    audio_rate: int = 44100,
    crf: int = 12,
    sound: bool = True,
) -> None:
    """Writes a film as H.264 with AAC, or MPEG-4 where PyAV has no H.264 encoder.

    Args:
      path: of the file to write; its suffix chooses the container.
      film: what to write.
      fps: frame rate of the file; rates other than 25 repeat or leave out frames.
      audio_rate: sample rate of the sound in the file, Hz.
      crf: quality of H.264, lower is better.
      sound: whether there is a sound track.
    """
    rate = fractions.Fraction(fps).limit_denominator(1001)
    num_frames, height, width = film.images.shape[:3]
    with av.open(os.fspath(path), "w") as container:
        if "libx264" in av.codecs_available:
            options = {"crf": str(crf), "preset": "veryfast"}
            video = container.add_stream("libx264", rate=rate, options=options)
        else:
            video = container.add_stream("mpeg4", rate=rate, bit_rate=8_000_000)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        track = container.add_stream("aac", rate=audio_rate, layout="mono") if sound else None
        for k in range(round(num_frames * rate / FPS)):
            image = film.images[min(int(k * FPS / rate), num_frames - 1)]
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())
        if track is not None:
            block = av.AudioFrame.from_ndarray(film.waveform[None], format="fltp", layout="mono")
            block.sample_rate = SAMPLE_RATE
            # With a time the encoder marks its delay, and players and readers leave it out.
            block.pts, block.time_base = 0, fractions.Fraction(1, SAMPLE_RATE)
            resampler = av.AudioResampler("fltp", "mono", audio_rate)
            for frame in (*resampler.resample(block), *resampler.resample(None)):
                container.mux(track.encode(frame))
            container.mux(track.encode())
