"""The files that a stage makes: which there should be, which there are, and whose they are.

A stage of a record owns the files that it wrote, told by their time; what it did not write is the
user's, wherever it lies.
"""

from __future__ import annotations

import pathlib

from emojax.data import record
from emojax.data.job import Settings
from emojax.data.stages import STAGES


def expected(folder: pathlib.Path, name: str, settings: Settings, count: int) -> list[pathlib.Path]:
    """Returns the places of everything that a stage makes.

    Args:
      folder: of the data set.
      name: of the stage.
      settings: of the run.
      count: number of frames T.
    """
    places = []
    for made in STAGES[name].makes:
        if isinstance(made, tuple):
            places += [folder / made[0] / f"{number}{made[1]}" for number in range(count)]
        else:
            places.append(folder / (made if isinstance(made, str) else made(settings)))
    return places


def there(folder: pathlib.Path, name: str, settings: Settings, stage: dict) -> list[pathlib.Path]:
    """Returns the files of a stage that are there, those of earlier runs with other names too.

    Args:
      folder: of the data set.
      name: of the stage.
      settings: of the run.
      stage: the stage's entry in the record.
    """
    found = {}
    for made in STAGES[name].makes:
        if isinstance(made, tuple):
            paths = (folder / made[0]).glob(f"[0-9]*{made[1]}")
            found |= dict.fromkeys(path for path in paths if path.stem.isdecimal())
    single = expected(folder, name, settings, 0) + [folder / x for x in stage.get("files", ())]
    return [*found, *dict.fromkeys(path for path in single if path.exists())]


def is_finished(folder: pathlib.Path, content: dict, name: str, settings: Settings) -> bool:
    """Returns whether a stage is done and all that it makes is there, whoever wrote it.

    Args:
      folder: of the data set.
      content: of the record.
      name: of the stage.
      settings: of the run.
    """
    stage = content["stages"].get(name, {"done": False})
    if not stage["done"]:
        return False
    present = set(there(folder, name, settings, stage))
    return all(path in present for path in expected(folder, name, settings, stage["frames"]))


def of_the_user(
    folder: pathlib.Path, content: dict, name: str, settings: Settings
) -> list[pathlib.Path]:
    """Returns the files in a stage's way that neither it wrote nor the user agreed to replace.

    Args:
      folder: of the data set.
      content: of the record.
      name: of the stage.
      settings: of the run.
    """
    stage = content["stages"].get(name, {})
    # The doctor may be asked outside of the stages too; its reports are never the user's.
    if name == "doctor" or stage.get("begun") or stage.get("replace"):
        return []
    paths = there(folder, name, settings, stage)
    return [path for path in paths if not record.is_ours(stage, path)]


def settle(folder: pathlib.Path, name: str, settings: Settings, count: int, stage: dict) -> dict:
    """Removes what earlier runs of a finished stage left over, and says what it made.

    Args:
      folder: of the data set.
      name: of the stage.
      settings: of the run.
      count: number of frames T.
      stage: the stage's entry in the record, before this run.

    Returns:
      `files` and `written` of its new entry.
    """
    made = expected(folder, name, settings, count)
    earlier = {folder / file for file in stage.get("files", ())}
    for path in set(there(folder, name, settings, stage)) - set(made):
        if path not in earlier or record.is_ours(stage, path):
            path.unlink()
    times = [path.stat().st_mtime_ns for path in made]
    return {
        "files": [path.name for path in expected(folder, name, settings, 0)],
        "written": [min(times), max(times)],
    }
