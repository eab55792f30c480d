"""Worlds and the people in them: who is filmed, where from, in what light, and how he speaks.

A `World` is the distribution, an `Actor` one draw from it by a seed. There are two worlds: the
usual one, on which things are built, and the shifted one, with other light, lenses, ways of
speaking and voices, on which it shows whether they hold. Faces come from one distribution in both.

A voice belongs to its face: pitch and length of the vocal tract are latent numbers of the identity
(`Identity.voice_pitch`, `voice_tract`), from which the variant of espeak-ng's voice and its pitch
follow.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import numpy as np

from emojax.data.errors import DataError
from emojax.puppet import acting, light
from emojax.puppet import identity as identities
from emojax.puppet.acting import Style
from emojax.puppet.identity import Identity
from emojax.puppet.lens import Lens
from emojax.puppet.light import Scene
from emojax.puppet.visemes import Coarticulation

Range = tuple[float, float]
PITCH_SPREAD = 22.0  # units of espeak-ng's pitch from an average voice to the highest of its sex
MAX_SEED = 2**32 - 1


@dataclasses.dataclass(frozen=True)
class World:
    """What actors are drawn from; ranges are uniform.

    Attributes:
      name: of the world.
      scene: of a key, the light and the room.
      distance: of the lens, metres.
      fill: share of the picture's height that a head takes.
      azimuth: radians, to either side.
      elevation: radians, up and down.
      haste: factor on how late sounds are prepared and how soon they are left (`Coarticulation`).
      effort: of jaw and lips; 1 is clear speech.
      contact: factor on the times in which lips close and open.
      languages: voices of espeak-ng.
      low_voices: variants of the voice for deep voices, from long vocal tracts to short ones.
      high_voices: the same for high voices.
      rate: words a minute.
    """

    name: str
    scene: Callable[[jax.Array], Scene]
    distance: Range
    fill: Range
    azimuth: Range
    elevation: Range
    haste: Range
    effort: Range
    contact: Range
    languages: tuple[str, ...]
    low_voices: tuple[str, ...]
    high_voices: tuple[str, ...]
    rate: Range


USUAL = World(
    name="usual",
    scene=light.studio,
    distance=(1.05, 1.25),
    fill=(0.63, 0.69),
    azimuth=(-0.03, 0.03),
    elevation=(-0.03, 0.04),
    haste=(0.9, 1.1),
    effort=(0.9, 1.1),
    contact=(0.9, 1.1),
    languages=("en-gb", "en-us"),
    low_voices=("m7", "m3", "m1", "m4"),
    high_voices=("f2", "f1", "f3"),
    rate=(155.0, 180.0),
)
SHIFTED = World(
    name="shifted",
    scene=light.window,
    distance=(0.70, 0.85),
    fill=(0.56, 0.74),
    azimuth=(-0.14, 0.14),
    elevation=(-0.10, 0.12),
    haste=(0.6, 0.8),
    effort=(0.65, 0.85),
    contact=(1.2, 1.5),
    languages=("de", "fr-fr", "es"),
    low_voices=("m8", "m5", "m6", "m2"),
    high_voices=("f5", "f4", "annie"),
    rate=(165.0, 200.0),
)
WORLDS = {world.name: world for world in (USUAL, SHIFTED)}


@dataclasses.dataclass(frozen=True)
class Actor:
    """One person before one camera.

    Attributes:
      seed: that drew him.
      world: its name.
      identity: the face.
      scene: light and room.
      lens: of the camera.
      style: manner of moving.
      coarticulation: manner of speaking.
      voice: of espeak-ng, "en-gb+f3".
      rate: words a minute, usually.
      pitch: of the voice, 0 to 99, usually.
    """

    seed: int
    world: str
    identity: Identity
    scene: Scene
    lens: Lens
    style: Style
    coarticulation: Coarticulation
    voice: str
    rate: float
    pitch: float


def world(name: str) -> World:
    """Returns the world of a name.

    Args:
      name: "usual" or "shifted".

    Raises:
      DataError: no such world.
    """
    if name not in WORLDS:
        raise DataError(
            expected=f"a world of {', '.join(WORLDS)}", got=repr(name), fix="Name one of these."
        )
    return WORLDS[name]


def cast(seed: int, *, world: World = USUAL) -> Actor:
    """Returns a person of a world: same seed, same bits.

    Args:
      seed: 0 to `MAX_SEED`. The same seed has the same face in every world.
      world: to draw from.

    Raises:
      DataError: the seed is out of range.
    """
    if not 0 <= seed <= MAX_SEED:
        raise DataError(
            expected=f"a seed from 0 to {MAX_SEED}", got=f"{seed}", fix="Choose another."
        )
    keys = jax.random.split(jax.random.key(seed), 4)
    key_face, key_scene, key_style, key_numbers = keys
    identity = _face(key_face)
    draws = iter(np.asarray(jax.random.uniform(key_numbers, (12,)), np.float64))

    def between(span: Range) -> float:
        return float(span[0] + (span[1] - span[0]) * next(draws))

    lens = Lens(*map(between, (world.distance, world.fill, world.azimuth, world.elevation)))
    haste, effort, contact = map(between, (world.haste, world.effort, world.contact))
    usual = Coarticulation()
    manner = dataclasses.replace(
        usual,
        attack=tuple(haste * rate for rate in usual.attack),
        decay=tuple(haste * rate for rate in usual.decay),
        effort=effort,
        closing=contact * usual.closing,
        opening=contact * usual.opening,
    )
    language = world.languages[int(next(draws) * len(world.languages))]
    pitch, tract = float(identity.voice_pitch), float(identity.voice_tract)
    variants = world.low_voices if pitch < 0 else world.high_voices
    place = min(int((tract + 1) / 2 * len(variants)), len(variants) - 1)
    # The variant has the sex's usual pitch already; what is left is the person's own.
    own = 2 * pitch + (1 if pitch < 0 else -1)
    return Actor(
        seed=seed,
        world=world.name,
        identity=identity,
        scene=world.scene(key_scene),
        lens=lens,
        style=acting.sample_style(key_style),
        coarticulation=manner,
        voice=f"{language}+{variants[place]}",
        rate=between(world.rate),
        pitch=50 + PITCH_SPREAD * float(np.clip(own, -1, 1)),
    )


_face = jax.jit(identities.sample)
