"""Contact sheets of the puppet, for eyes: do they read as faces, and as what they are called.

    python experiments/puppet_sheets.py --out SHEETS

Draws people.png (faces of the population, at rest and talking), emotions.png (the twelve test
points of the disc), visemes.png (a held sound of each), and units.png (every action unit alone at
three strengths).
"""

import pathlib
import sys
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from emojax.data import captions, files
from emojax.data.errors import DataError
from emojax.emotion import circumplex
from emojax.puppet import acting, controls, light, picture, population, visemes
from emojax.puppet import identity as identities
from emojax.puppet.controls import ACTION_UNITS, Controls
from emojax.speech.timing import Phoneme

_OUT = flags.DEFINE_string("out", None, "folder of the sheets", required=True)
_SIZE = flags.DEFINE_integer("size", 256, "side of a picture, pixels", lower_bound=64)
_PEOPLE = flags.DEFINE_integer("people", 10, "how many identities", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "seed of the first identity")
_WORLD = flags.DEFINE_string("world", "usual", f"one of {', '.join(population.WORLDS)}")
_PERSON = flags.DEFINE_integer("person", None, "seed of who acts; an average face by default")

# A sound for each viseme, held.
SOUNDS = {
    "sil": "", "pbm": "m", "fv": "f", "th": "θ", "tdnszl": "l", "sh": "ʃ", "kgh": "k",
    "r": "ɹ", "wuy": "u", "o": "ɔ", "a": "a", "ei": "i", "schwa": "ə",
}  # fmt: skip
STRENGTHS = (1.5, 3.0, 5.0)
COLUMNS = 6


def draw(identity: identities.Identity, acts: Sequence[Controls], scene: light.Scene) -> list:
    """Returns pictures of one person, uint8 [H, W, 3]."""
    size = _SIZE.value
    camera = picture.portrait(size, size, fill=0.74)
    shots = (picture.draw(identity, act, camera, scene=scene, samples=4).image for act in acts)
    return [np.uint8(np.asarray(shot) * 255 + 0.5) for shot in shots]


def sheet(pictures: Sequence[np.ndarray], titles: Sequence[str], columns: int) -> np.ndarray:
    """Returns pictures with titles in rows, uint8 [R (H + BAR), columns W, 3]."""
    side = pictures[0].shape[1]
    rows = []
    for k in range(0, len(pictures), columns):
        some, texts = list(pictures[k : k + columns]), list(titles[k : k + columns])
        some += [np.zeros_like(some[0])] * (columns - len(some))
        texts += [""] * (columns - len(texts))
        rows += [captions.titles(texts, side), np.concatenate(some, axis=1)]
    return np.concatenate(rows)


def one(number: int, intensity: float) -> Controls:
    """A face in which one action unit acts; lips are a little open where that alone shows it."""
    rest = Controls.neutral()
    units = rest.action_units.at[controls.unit(number)].set(intensity)
    if number == 26:  # the jaw drops behind shut lips unless they part
        units = units.at[controls.unit(25)].set(intensity)
    return rest.replace(action_units=units)


def sound(symbol: str) -> Controls:
    """A face in the middle of a held sound."""
    moved = visemes.articulate([Phoneme(symbol, 0.0, 1.0)], 25)
    return jax.tree.map(lambda leaf: leaf[12], acting.speaking(moved))


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    out = pathlib.Path(_OUT.value)
    rest = Controls.neutral()
    try:
        files.make_folder(out)
        world = population.world(_WORLD.value)
        cast = [population.cast(_SEED.value + k, world=world) for k in range(_PEOPLE.value)]
    except DataError as error:
        sys.exit(f"puppet_sheets: {error}")
    identity, scene = identities.average(), light.studio(jax.random.key(0))
    if _PERSON.value is not None:
        actor = population.cast(_PERSON.value, world=world)
        identity, scene = actor.identity, actor.scene

    talk = jax.tree.map(jnp.asarray, sound("a")).replace(rotation=jnp.array([0.03, 0.25, 0.03]))
    shown = [draw(a.identity, (rest, talk), a.scene) for a in cast]
    titles = [f"{a.seed}: {a.voice}" for a in cast]
    pictures = [np.concatenate(pair) for pair in shown]
    files.write_picture(out / "people.png", sheet(pictures, titles, 5))

    points = [tuple(point) for point in circumplex.POINTS]
    acts = [acting.feel(sound("e"), np.float32(point)) for point in points]
    names = [circumplex.CLASSES[int(circumplex.classify(*point))] for point in points]
    titles = [f"{v:+.2f} {a:+.2f} {n}" for (v, a), n in zip(points, names, strict=True)]
    silent = [acting.feel(rest, np.float32(point)) for point in points]
    speaking, quiet = draw(identity, acts, scene), draw(identity, silent, scene)
    pairs = [np.concatenate(pair) for pair in zip(quiet, speaking, strict=True)]
    files.write_picture(out / "emotions.png", sheet(pairs, titles, COLUMNS))

    acts = [sound(symbol) for symbol in SOUNDS.values()]
    pictures = draw(identity, acts, scene)
    files.write_picture(out / "visemes.png", sheet(pictures, list(SOUNDS), COLUMNS))

    pairs = [(number, strength) for number in ACTION_UNITS for strength in STRENGTHS]
    acts = [one(*pair) for pair in pairs]
    titles = [f"AU{number} at {strength:g}" for number, strength in pairs]
    files.write_picture(out / "units.png", sheet(draw(identity, acts, scene), titles, COLUMNS))


if __name__ == "__main__":
    app.run(main)
