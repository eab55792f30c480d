"""Fits the reader of valence and arousal to faces of puppets, as dlib sees them.

    python experiments/fit_reader.py --out emojax/emotion/reader.json --work WORK

This made the reader of the package. Every puppet speaks; frames of it are drawn neutral and with
emotions from all over the disc, and the reader learns from how dlib's landmarks differ
(`emojax/emotion/reading.py`). It prints the reader's error on puppets that were left out. WORK
keeps each puppet's landmarks, so that the same command goes on where it was stopped. Heads that are
judged with a reader must be of other puppets: the seeds stand in the file.
"""

import pathlib
from collections.abc import Sequence

import numpy as np
import siblings
import tqdm
from absl import app, flags

from emojax.data import arrays, files
from emojax.data.errors import DataError
from emojax.emotion import reading
from emojax.metrics import lessons
from emojax.metrics.lessons import Lessons

_OUT = flags.DEFINE_string("out", None, "reader to write, .json", required=True)
_WORK = flags.DEFINE_string("work", None, "folder for landmarks of the puppets", required=True)
_FIRST = flags.DEFINE_integer("first", 9000, "seed of the first puppet", lower_bound=0)
_PUPPETS = flags.DEFINE_integer("puppets", 24, "how many", lower_bound=2)
_FRAMES = flags.DEFINE_integer("frames", 3, "of each puppet", lower_bound=1)
_POINTS = flags.DEFINE_integer("points", 12, "emotions of each frame", lower_bound=1)
_SIZE = flags.DEFINE_integer("size", 128, "side of the pictures, pixels")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "replace a reader that is there")

_NAMES = ("neutral", "felt", "emotions")


def lessons_of(seed: int, work: pathlib.Path) -> Lessons:
    """A puppet's landmarks, from its file where there is one."""
    name = f"{seed}_{_FRAMES.value}x{_POINTS.value}_{_SIZE.value}.npz"
    if not (work / name).exists():
        made = lessons.of_puppet(seed, frames=_FRAMES.value, points=_POINTS.value, size=_SIZE.value)
        arrays.write_named(work / name, {field: getattr(made, field) for field in _NAMES})
    return Lessons(**arrays.read_named(work / name, _NAMES))


def fitted(all_lessons: Sequence[Lessons], seeds: Sequence[int]) -> reading.Reader:
    """The reader of some puppets."""
    pairs = [some.features() for some in all_lessons]
    people = np.repeat(seeds, [len(features) for features, _ in pairs])
    features, emotions = (np.concatenate(column) for column in zip(*pairs, strict=True))
    about = {
        "seeds": [int(seed) for seed in seeds],
        "size": _SIZE.value,
        "landmarks": "dlib",
        "command": "python experiments/fit_reader.py --out emojax/emotion/reader.json --work WORK "
        f"--first {seeds[0]} --puppets {len(seeds)} --frames {_FRAMES.value} "
        f"--points {_POINTS.value} --size {_SIZE.value}",
    }
    return reading.fit(features, emotions, people, about=about)


def fit_reader() -> None:
    """Draws, looks, fits and writes."""
    out, work = pathlib.Path(_OUT.value), pathlib.Path(_WORK.value)
    if out.exists() and not _OVERWRITE.value:
        raise DataError(
            expected=f"no file {out}", got="one", fix="Choose another name, or add --overwrite."
        )
    for folder in (out.parent, work):
        files.make_folder(folder)
    files.check_writable(out.parent)
    seeds = range(_FIRST.value, _FIRST.value + _PUPPETS.value)
    bar = tqdm.tqdm(seeds, "puppets", disable=None, leave=False)
    reader = fitted([lessons_of(seed, work) for seed in bar], seeds)
    files.write_text(out, reading.to_json(reader))
    error = reader.error
    print(
        f"{reader.about['people']} puppets, {reader.about['faces']} faces; puppets left out: "
        f"valence off by {error['valence_rmse']:.3f}, arousal by {error['arousal_rmse']:.3f} "
        f"(RMSE), their signs right in {100 * error['valence_sign']:.0f} % and "
        f"{100 * error['arousal_sign']:.0f} %; see {out}"
    )


def main(argv: list[str]) -> int:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    return siblings.until_stopped("fit_reader", fit_reader)


if __name__ == "__main__":
    app.run(main)
