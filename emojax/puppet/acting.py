"""A performance: what the actor does in each frame while a sound is heard and emotions pass.

Two layers, so that the same frame can be had with any other emotion (`feel`):

* plain: all that does not depend on the face's emotion. Lips as articulated, blinks, gaze, motion
  of the head, brows on accents.
* the emotion's action units (`circumplex.action_units`) on top.

How they meet. Intensities add up with saturation, x + y - x y / 5: each alone is kept as it is,
both together are never above 5. Parted lips and the jaw (25, 26) are speech's alone, also in
silence, so that emotions leave lips in sync and a silent mouth shut. Press and bite win over parted
lips. Rounded lips leave less room for smiles and stretching (12, 20). A lid that closes (45) takes
the raised lid (5) with it.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from emojax.emotion import circumplex
from emojax.puppet import blinks, gaze, headmotion, prosody
from emojax.puppet.controls import ACTION_UNITS, MAX_INTENSITY, Controls, unit
from emojax.puppet.prosody import Prosody
from emojax.puppet.visemes import Articulation

FPS = 25.0

# Intensity of AU20 of fully spread lips (as in "see"): visible, less than fear's.
SPREAD_LIPS = 2.0
# What is left of smiles and stretched lips when lips are fully rounded.
ROUNDED_SHARE = 0.4
WIDE_UNITS = (12, 20)

# Brows that rise for an accent: 71 % of rapid brow rises go with rises of pitch (Cave et al. 1996,
# "About the relationship between eyebrow movements and F0 variations", ICSLP). Size and number are
# a choice of this project: a third of the strong accents, visible but no surprise.
BROW_UNITS = {1: 0.8, 2: 1.0}
BROW_CHANCE = 0.35
BROW_TIME = 0.24  # seconds up, and down


@dataclasses.dataclass(frozen=True)
class Style:
    """A person's manner; 1 is usual.

    Attributes:
      expression: factor on the emotion's action units.
      drift: factor on the slow motion of the head.
      nods: factor on the size of nods.
      brows: factor on the size of brow rises on accents.
      blinks: factor on the number of blinks; 0 for none.
      away: factor on the time that the eyes look away; 0 looks at the camera always.
    """

    expression: float = 1.0
    drift: float = 1.0
    nods: float = 1.0
    brows: float = 1.0
    blinks: float = 1.0
    away: float = 1.0


# What varies between people is within these factors in two thirds of them.
STYLE_SPREAD = {
    "expression": 1.1,
    "drift": 1.3,
    "nods": 1.4,
    "brows": 1.5,
    "blinks": 1.3,
    "away": 1.3,
}
USUAL = Style()


class Performance(NamedTuple):
    """Of T frames at 25 fps.

    Attributes:
      controls: [T] what the actor does.
      plain: [T] the same without emotion; `feel(plain, va, expression=style.expression)` is
        `controls`.
      va: float32 [T, 2] valence and arousal.
      voice: what was heard.
      style: the person's manner.
    """

    controls: Controls
    plain: Controls
    va: np.ndarray
    voice: Prosody
    style: Style


def sample_style(key: jax.Array) -> Style:
    """Returns a random person's manner.

    Args:
      key: consumed.
    """
    normal = np.asarray(jax.random.truncated_normal(key, -2, 2, (len(STYLE_SPREAD),)))
    return Style(
        **{
            name: float(spread**value)
            for (name, spread), value in zip(STYLE_SPREAD.items(), normal, strict=True)
        }
    )


def perform(
    key: jax.Array,
    articulation: Articulation,
    samples: np.ndarray,
    va: np.ndarray,
    *,
    style: Style = USUAL,
) -> Performance:
    """Returns what the actor does while a sound is heard.

    The same arguments give the same bits; blinks, gaze, head and brows have keys of their own.

    Args:
      key: consumed.
      articulation: of the lips, T frames.
      samples: [N] the sound, 16 kHz mono, -1 to 1.
      va: [T, 2] valence and arousal inside the disc.
      style: the person's manner.
    """
    num_frames = len(articulation.jaw)
    if np.shape(va) != (num_frames, 2):
        raise ValueError(f"va must be [{num_frames}, 2], is {list(np.shape(va))}")
    voice = prosody.measure(samples, num_frames)
    key_blinks, key_gaze, key_head, key_brows = jax.random.split(key, 4)
    rotation, translation = headmotion.plan(key_head, voice, va, drift=style.drift, nods=style.nods)
    jumps, targets = gaze.targets(key_gaze, voice.speaking, away=style.away)
    starts = np.zeros(0)
    if style.blinks > 0:
        starts = blinks.times(key_blinks, num_frames / FPS, rate=style.blinks * blinks.RATE)
    said = speaking(articulation)
    units = np.array(said.action_units)
    units[:, unit(45)] = MAX_INTENSITY * blinks.closure(starts, num_frames)
    rise = style.brows * _brow_rises(key_brows, voice)
    for number, intensity in BROW_UNITS.items():
        units[:, unit(number)] = np.minimum(MAX_INTENSITY, intensity * rise)
    plain = said.replace(
        action_units=jnp.asarray(units, jnp.float32),
        gaze=jnp.asarray(gaze.follow(jumps, targets, rotation)),
        rotation=jnp.asarray(rotation),
        translation=jnp.asarray(translation),
    )
    va = np.asarray(va, np.float32)
    controls = feel(plain, va, expression=style.expression)
    return Performance(controls, plain, va, voice, style)


def speaking(articulation: Articulation) -> Controls:
    """Returns the controls [T] of lips that speak in a face that does nothing else.

    Args:
      articulation: of the lips, T frames.
    """
    said = articulation
    count = len(said.jaw)
    return Controls(
        action_units=jnp.asarray(_lip_units(said), jnp.float32),
        pucker=jnp.asarray(said.pucker, jnp.float32),
        press=jnp.asarray(said.press, jnp.float32),
        bite=jnp.asarray(said.bite, jnp.float32),
        tongue=jnp.asarray(said.tongue, jnp.float32),
        gaze=jnp.zeros((count, 2), jnp.float32),
        rotation=jnp.zeros((count, 3), jnp.float32),
        translation=jnp.zeros((count, 3), jnp.float32),
    )


@jax.jit
def feel(plain: Controls, va: jax.Array, *, expression: float | jax.Array = 1.0) -> Controls:
    """Returns controls with an emotion on top: a frame's twin at any (valence, arousal).

    Lips' opening, gaze and pose are those of `plain`. For `jax.jit`, `vmap` and `grad`.

    Args:
      plain: leading axes [...], without emotion.
      va: [..., 2] valence and arousal; the leading axes broadcast with those of `plain`.
      expression: factor on the emotion's units.
    """
    va = jnp.asarray(va, jnp.float32)
    shown = expression * circumplex.action_units(va[..., 0], va[..., 1])
    wide = jnp.isin(jnp.array(ACTION_UNITS), jnp.array(WIDE_UNITS))
    yielding = 1 - (1 - ROUNDED_SHARE) * plain.pucker[..., None]
    shown = jnp.minimum(shown * jnp.where(wide, yielding, 1), MAX_INTENSITY)
    said = plain.action_units
    units = said + shown - said * shown / MAX_INTENSITY
    is_open = 1 - said[..., unit(45)] / MAX_INTENSITY
    units = units.at[..., unit(5)].multiply(is_open)
    return plain.replace(action_units=jnp.clip(units, 0, MAX_INTENSITY))  # rounding


def _lip_units(articulation: Articulation) -> np.ndarray:
    """Action units [T, 17] of speech; narrow lips come with pucker, which is no unit."""
    said = articulation
    parted = np.minimum(said.lips_part, 1 - np.maximum(said.press, said.bite))
    units = np.zeros((len(parted), len(ACTION_UNITS)))
    units[:, unit(25)] = MAX_INTENSITY * np.clip(parted, 0, 1)
    units[:, unit(26)] = MAX_INTENSITY * np.clip(said.jaw, 0, 1)
    units[:, unit(20)] = SPREAD_LIPS * np.clip(said.width, 0, 1)
    return units


def _brow_rises(key: jax.Array, voice: Prosody) -> np.ndarray:
    """How far brows are raised for accents, [T], 1 for the strongest."""
    frames = np.arange(len(voice.speaking))
    rises = np.zeros(len(frames))
    chance = np.asarray(jax.random.uniform(key, (len(voice.accents),)))
    for accent, stress, draw in zip(voice.accents, voice.stress, chance, strict=True):
        if draw < BROW_CHANCE * stress:
            away = np.clip((frames - accent) / (BROW_TIME * FPS), -1, 1)
            rises = np.maximum(rises, stress * (1 - away * away) ** 2)
    return rises
