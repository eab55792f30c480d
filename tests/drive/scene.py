"""A clip of a few plain pictures, a tiny head and sounds, made in memory: nothing is decoded."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import soundfile

from emojax import head
from emojax.data import audio_features
from emojax.data.action_units import ActionUnits
from emojax.data.clip import Clip
from emojax.encoders import TriplaneConfig
from emojax.types import Gaussians

UNITS = (1, 2, 4, 5, 6, 7, 25, 26, 45)
GRID = TriplaneConfig(
    num_levels=2,
    num_features=1,
    base_resolution=8,
    finest_resolution=16,
    log2_table_size=8,
    bound=0.15,
)


def clip(num_rows: int = 40, size: int = 32, *, cuts: tuple[int, ...] = ()) -> Clip:
    """Returns a clip whose head turns slowly from side to side, and blinks every 10 frames."""
    yaw = 0.1 * np.sin(np.arange(num_rows) / 7)
    pose = np.tile(np.diag([1.0, -1, -1, 1]), (num_rows, 1, 1))
    turn = np.tile(np.eye(4), (num_rows, 1, 1))
    turn[:, 0, 0] = turn[:, 2, 2] = np.cos(yaw)
    turn[:, 0, 2], turn[:, 2, 0] = np.sin(yaw), -np.sin(yaw)
    pose[:, 2, 3] = 0.8
    pose = np.float32(pose @ turn)
    torso = np.zeros((num_rows, size, size, 4), np.uint8)
    torso[:, size // 2 :] = 255
    torso[:, size // 2 :, :, 0] = np.arange(num_rows)[:, None, None]  # tells the row
    units = np.full((num_rows, len(UNITS)), 1.0, np.float32)
    units[:, UNITS.index(1)] = np.arange(num_rows) / num_rows
    units[:, UNITS.index(45)] = np.where(np.arange(num_rows) % 10 == 5, 4.0, 0.2)
    voice = speech(num_rows / 25)
    return Clip(
        folder=pathlib.Path("clip"),
        numbers=np.arange(num_rows),
        num_train=num_rows,
        images=np.zeros((num_rows, size, size, 3), np.uint8),
        labels=np.zeros((num_rows, size, size), np.uint8),
        torso=torso,
        background=np.full((size, size, 3), 90, np.uint8),
        landmarks=np.zeros((num_rows, 68, 2), np.float32),
        cuts=np.array(cuts, np.int64),
        world_to_camera=pose,
        focal=np.full(2, 2.3 * size, np.float32),
        principal=np.full(2, size / 2, np.float32),
        audio=audio_features.from_waveform(voice, num_rows),
        audio_rows=np.arange(num_rows),
        action_units=ActionUnits(UNITS, units, np.ones(num_rows, bool), "scene"),
        valence_arousal=None,
        fallbacks=(),
    )


def tiny_head() -> head.Head:
    """Returns a head of a few Gaussians; its numbers are drawn by NumPy, which compiles nothing."""
    config = head.HeadConfig(
        degree=1,
        face_points=40,
        mouth_points=20,
        face_capacity=64,
        mouth_capacity=32,
        face_grid=GRID,
        mouth_grid=GRID,
    )
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda key: head.init(key, config), jax.random.key(0))
    drawn = jax.tree.map(lambda x: np.asarray(0.1 * rng.uniform(-1, 1, x.shape), x.dtype), shapes)

    def alive(cloud: Gaussians, count: int) -> Gaussians:
        slots = np.arange(cloud.capacity) < count
        return cloud.replace(alive=slots, scales=cloud.scales - 5, means=0.5 * cloud.means)

    drawn = drawn.replace(face=alive(drawn.face, 40), mouth=alive(drawn.mouth, 20))
    return jax.tree.map(jnp.asarray, drawn)


def speech(seconds: float, rate: int = 16000) -> np.ndarray:
    """Returns syllables of noise over quiet noise, float64 [round(seconds * rate)]."""
    rng = np.random.default_rng(0)
    time = np.arange(round(seconds * rate)) / rate
    loud = 0.2 * np.maximum(0, np.sin(2 * np.pi * 3 * time)) ** 2 + 1e-3
    return np.clip(loud * rng.standard_normal(len(time)), -1, 1)


def write_sound(path: pathlib.Path, waveform: np.ndarray, rate: int = 16000) -> pathlib.Path:
    """Writes a WAV file, 16 bits."""
    soundfile.write(path, waveform, rate, subtype="PCM_16")
    return path
