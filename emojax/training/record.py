"""What a run is, by the two files that it begins with.

    RUN/config.json    the recipe, written once
    RUN/run.json       data set, seed, versions, what was asked for

A folder with a `config.json` is a run.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from emojax import config as configs
from emojax.data import files
from emojax.data.errors import DataError
from emojax.training.recipe import Recipe

FORMAT = 2
CONFIG, FACTS = "config.json", "run.json"
# Facts that decide the bits of a run: what the data set holds (not where it is), seed, weights.
DECIDING = ("clip", "seed", "lpips")
DIGITS = 16  # of digests


def write(run: pathlib.Path, recipe: Recipe, facts: Mapping[str, Any]) -> None:
    """Writes what a run is, before it begins.

    Args:
      run: the run's folder.
      recipe: of the run.
      facts: data set, seed, versions.
    """
    write_facts(run, facts)
    # Last: a folder with a recipe is a run.
    files.write_text(run / CONFIG, json.dumps(configs.to_dict(recipe), indent=1) + "\n")


def write_facts(run: pathlib.Path, facts: Mapping[str, Any]) -> None:
    """Writes `run.json`.

    Args:
      run: the run's folder.
      facts: all of them.
    """
    files.write_text(run / FACTS, json.dumps({**facts, "format": FORMAT}, indent=1) + "\n")


def read(run: pathlib.Path) -> tuple[Recipe, dict[str, Any]]:
    """Returns the recipe of a run and its facts.

    Args:
      run: the run's folder.

    Raises:
      DataError: there is no run, or its files are damaged or of another version.
    """
    if not (run / CONFIG).exists() or not (run / FACTS).exists():
        raise DataError(
            expected=f"a run with {CONFIG} and {FACTS} in {run}",
            got="none",
            fix="Train one: experiments/train.py --data DIR --run RUN.",
        )
    recipe = read_config(run / CONFIG)
    try:
        facts = json.loads((run / FACTS).read_text(encoding="utf-8"))
        if facts["format"] != FORMAT:
            raise ValueError(f"format {facts['format']}, this version reads {FORMAT}")
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            expected=f"a run of this version in {run}",
            got=f"{type(error).__name__}: {error}",
            fix="Train again, or use the version that made it.",
        ) from error
    return recipe, facts


def read_config(path: pathlib.Path) -> Recipe:
    """Returns the recipe of a config.json.

    Args:
      path: of the file.

    Raises:
      DataError: there is no file, or it is not a recipe of this version.
    """
    try:
        return configs.from_dict(Recipe, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(
            expected=f"a recipe of this version in {path}",
            got=f"{type(error).__name__}: {error}",
            fix="Write it again, or use the version that made it.",
        ) from error


def digest(recipe: Recipe) -> str:
    """Returns `DIGITS` digits that name a recipe.

    Args:
      recipe: to name.
    """
    # As it comes back from a file: whole numbers in place of floats are floats there.
    same = configs.from_dict(Recipe, configs.to_dict(recipe))
    return _digits(configs.to_dict(same))


def fingerprint(recipe: Recipe, facts: Mapping[str, Any]) -> str:
    """Returns `DIGITS` digits that name a run: the same where a run would have the same bits.

    Args:
      recipe: of the run.
      facts: of the run.
    """
    return _digits([digest(recipe), *(facts.get(name) for name in DECIDING)])


def _digits(value: Any) -> str:
    """The digest of a value that JSON knows."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
