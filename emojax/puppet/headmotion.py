"""How the head moves: drift, nods on accents, shifts of posture, leaning, breathing.

* Speakers' heads move almost all the time; sharp movements go with peaks of loudness, often a
  stress, wide ones with the beginning of speech after a pause (Hadar, Steiner & Rose 1984,
  "Involvement of head movement in speech production", Adv. Neurology 42). Head motion correlates
  with pitch and amplitude of the voice (Munhall et al. 2004, "Visual prosody and speech
  intelligibility", Psychol. Science 15(2)).
* How much a body moves follows the activation of an emotion (Wallbott 1998, "Bodily expression of
  emotion", Eur. J. Soc. Psychol. 28): arousal makes motion larger, and leans forward; displeasure
  without arousal lets the head hang. Sizes are a choice of this project.
* Drift is a sum of slow sines: smooth, of a known spread, and without a frame rate.
"""

from __future__ import annotations

import jax
import numpy as np

from emojax.puppet import prosody
from emojax.puppet.prosody import Prosody

FPS = 25.0
# Never farther from the camera than this, radians: pitch, yaw, roll; metres: right, up, forward.
ROTATION_LIMIT = np.array([0.12, 0.25, 0.10])
TRANSLATION_LIMIT = np.array([0.03, 0.015, 0.04])

# Standard deviation of the drift while speaking; at rest, this share of it.
DRIFT_ROTATION = np.array([0.025, 0.055, 0.025])
DRIFT_TRANSLATION = np.array([0.004, 0.0015, 0.005])
REST_SHARE = 0.45
DRIFT_FREQUENCIES = np.array([0.05, 0.09, 0.16, 0.28, 0.5])  # Hz; each is varied by up to 15 %
DRIFT_SLOPE = 0.8  # amplitudes fall with frequency to this power
CHANGE_TIME = 0.5  # seconds, standard deviation, over which rest becomes motion

# A nod goes down in 0.2 s and comes back in 0.3 s, about its accent.
NOD_DOWN, NOD_UP = 0.20, 0.30
NOD_SIZE = 0.055  # radians, of the strongest accent: 3 degrees
NOD_CHANCE = 0.75  # that the strongest accent has one
NOD_JITTER = 0.05  # seconds, standard deviation
TILT_SHARE = 0.35  # of a nod's size, to either side, in yaw and roll

PAUSE = 0.4  # seconds of silence after which speech begins with a shift; commas have 0.2
SHIFT_TIME = 0.8  # seconds
SHIFT_ROTATION = np.array([0.015, 0.05, 0.02])  # standard deviations of the new posture
SHIFT_TRANSLATION = np.array([0.005, 0.0, 0.005])

AROUSAL_GAIN = 0.4  # more motion at arousal 1, less at -1
LEAN = 0.012  # metres forward at arousal 1
HANG = 0.06  # radians nose down at full displeasure without arousal

BREATH_RATE = 0.25  # Hz, a quiet adult's 15 a minute
BREATH_SIZE = 0.0012  # metres that the head rises; half while speaking


def plan(
    key: jax.Array,
    voice: Prosody,
    va: np.ndarray,
    *,
    drift: float = 1.0,
    nods: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns rotation and translation of the head as `controls.Controls` has them.

    Args:
      key: consumed.
      voice: what is said, T frames.
      va: [T, 2] valence and arousal.
      drift: factor on drift and shifts.
      nods: factor on nods.

    Returns:
      Rotation [T, 3] (pitch, yaw, roll), radians, and translation [T, 3], metres, float32.
    """
    keys = jax.random.split(key, 4)
    num_frames = len(voice.speaking)
    active = prosody.smooth(voice.speaking.astype(float), CHANGE_TIME * FPS)
    gain = 1 + AROUSAL_GAIN * np.asarray(va, np.float64)[:, 1]
    moving = (gain * (REST_SHARE + (1 - REST_SHARE) * active))[:, None]

    noise = drift * moving * _drift(keys[0], num_frames)
    shifts = drift * _shifts(keys[1], voice.speaking)
    rotation = noise[:, :3] * DRIFT_ROTATION + shifts[:, :3] * SHIFT_ROTATION
    rotation += nods * gain[:, None] * _nods(keys[2], voice)
    translation = noise[:, 3:] * DRIFT_TRANSLATION + shifts[:, 3:] * SHIFT_TRANSLATION

    valence, arousal = np.asarray(va, np.float64).T
    rotation[:, 0] += HANG * np.maximum(-valence, 0) * (1 - arousal) / 2
    translation[:, 2] += LEAN * arousal
    phase = 2 * np.pi * float(jax.random.uniform(keys[3]))
    breath = np.sin(2 * np.pi * BREATH_RATE * np.arange(num_frames) / FPS + phase)
    translation[:, 1] += BREATH_SIZE * (1 - 0.5 * active) * breath
    return (
        np.float32(ROTATION_LIMIT * np.tanh(rotation / ROTATION_LIMIT)),
        np.float32(TRANSLATION_LIMIT * np.tanh(translation / TRANSLATION_LIMIT)),
    )


def _drift(key: jax.Array, num_frames: int) -> np.ndarray:
    """Six slow curves of standard deviation 1 over a long time, [T, 6]."""
    uniform = np.asarray(jax.random.uniform(key, (2, 6, len(DRIFT_FREQUENCIES))), np.float64)
    frequency = DRIFT_FREQUENCIES * (0.85 + 0.3 * uniform[0])
    amplitude = frequency**-DRIFT_SLOPE
    amplitude *= np.sqrt(2 / np.sum(amplitude**2, axis=-1, keepdims=True))
    time = np.arange(num_frames)[:, None, None] / FPS
    return np.sum(amplitude * np.sin(2 * np.pi * (frequency * time + uniform[1])), axis=-1)


def _shifts(key: jax.Array, speaking: np.ndarray) -> np.ndarray:
    """Postures that change where speech begins after a pause, [T, 6], standard deviation 1."""
    num_frames, pause = len(speaking), round(PAUSE * FPS)
    begins = [
        t for t in range(pause, num_frames) if speaking[t] and not speaking[t - pause : t].any()
    ]
    # Never farther than two standard deviations, or a few seconds out there would be all of a film.
    postures = jax.random.truncated_normal(key, -2, 2, (len(begins) + 1, 6))
    postures = np.asarray(postures, np.float64)
    result = np.tile(postures[0], (num_frames, 1))
    frames = np.arange(num_frames)
    for begin, before, after in zip(begins, postures, postures[1:], strict=False):
        # The head moves first: half of the way is done when the voice sets in.
        share = np.clip((frames - begin) / (SHIFT_TIME * FPS) + 0.5, 0, 1)
        result += (share * share * (3 - 2 * share))[:, None] * (after - before)
    return result


def _nods(key: jax.Array, voice: Prosody) -> np.ndarray:
    """Pitch, yaw and roll [T, 3] of nods on accents, radians."""
    time = np.arange(len(voice.speaking)) / FPS
    result = np.zeros((len(time), 3))
    key_chance, key_normal = jax.random.split(key)
    count = len(voice.accents)
    chance = np.asarray(jax.random.uniform(key_chance, (count,)))
    normal = np.asarray(jax.random.truncated_normal(key_normal, -2, 2, (count, 4)), np.float64)
    for frame, stress, draw, (late, size, yaw, roll) in zip(
        voice.accents, voice.stress, chance, normal, strict=True
    ):
        if draw > NOD_CHANCE * stress:
            continue
        since = time - (frame / FPS + NOD_JITTER * late)
        phase = np.where(since < 0, since / NOD_DOWN, since / NOD_UP)
        bump = (1 - np.clip(phase, -1, 1) ** 2) ** 2
        depth = NOD_SIZE * stress * np.exp(0.3 * size)
        result += bump[:, None] * depth * np.array([1, TILT_SHARE * yaw, TILT_SHARE * roll])
    return result
