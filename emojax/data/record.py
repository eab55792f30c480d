"""What a data set folder's `preprocess.json` says: which stage made which files from what.

Keys of the record:
    format: 1 more whenever old records cannot be read any longer.
    video: facts about the source, of the stage decode.
    sources: how landmarks, masks, features, ... came about, in words.
    overwriting: what `--overwrite` was asked for, until all of it is done.
    stages: for each stage that was begun or is to be made again, by name:
        done: all is written; False again once something that it read was made anew.
        begun: it has started and not ended; what is there is a mixture.
        replace: the user agreed that what is in its way goes.
        settings: that it was done with, those that it reads; given files by name and content.
        files: names of the single files that it wrote.
        written: times of its oldest and newest file, ns; other files are the user's.
        seconds, cpu_seconds, frames, peak_memory_mb: what it took.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from typing import Any

from emojax.data import files
from emojax.data.errors import DataError

FORMAT = 2


def empty() -> dict:
    """Returns the record of a folder that was made elsewhere."""
    return {"format": FORMAT, "video": None, "sources": {}, "stages": {}}


def read(folder: pathlib.Path) -> dict:
    """Returns the content of `preprocess.json`, or an empty one where there is none.

    Args:
      folder: of the data set; may be absent.

    Raises:
      DataError: the record is damaged or of another format.
    """
    path = folder / files.MANIFEST
    if not path.exists():
        return empty()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        problem = _problem(content)
    except (ValueError, OSError) as error:
        problem = str(error)
    if problem:
        raise DataError(
            expected=f"a record of format {FORMAT} in {path}",
            got=problem,
            fix="Use another folder, or delete the file: what is there then counts as yours.",
        )
    return content


def _problem(content: Any) -> str:
    """What a record lacks, "" if nothing."""
    if not isinstance(content, dict):
        return f"a {type(content).__name__}"
    if content.get("format") != FORMAT:
        return f"format {content.get('format')}"
    lacking = [name for name in ("sources", "stages") if not isinstance(content.get(name), dict)]
    if lacking:
        return f"none of {' and '.join(lacking)}"
    for name, stage in content["stages"].items():
        if not isinstance(stage, dict) or "done" not in stage:
            return f"no word on whether {name} is done"
        if stage["done"] and not {"settings", "frames"} <= set(stage):
            return f"no settings or frames of {name}"
    return ""


def write(folder: pathlib.Path, content: dict) -> None:
    """Writes content as the record of folder, all at once."""
    files.write_text(folder / files.MANIFEST, json.dumps(content, indent=1) + "\n")


def undone(content: dict) -> list[str]:
    """Returns the stages that were stopped, or whose input is newer: files do not go together.

    Args:
      content: of the record.
    """
    stages = content["stages"].items()
    return [name for name, stage in stages if name != "doctor" and not stage["done"]]


def is_ours(stage: dict, path: pathlib.Path) -> bool:
    """Returns whether a file is as a stage left it, by its time of writing.

    Args:
      stage: the stage's entry in a record.
      path: of the file.
    """
    if "written" not in stage or not path.exists():
        return False
    oldest, newest = stage["written"]
    return oldest <= path.stat().st_mtime_ns <= newest


def source(content: dict, name: str, path: pathlib.Path) -> str | None:
    """Returns how a file came about, or None where it is not known.

    Args:
      content: of the record.
      name: of the stage that makes the file, which is its name among the sources too.
      path: of the file.
    """
    stage = content["stages"].get(name, {})
    return content["sources"].get(name) if is_ours(stage, path) else None


def of_settings(settings: Any) -> dict:
    """Returns settings as the record keeps them: given files by name and content, not by place.

    Args:
      settings: a dataclass whose paths are of files or folders that are there.
    """
    content = {}
    for name, value in dataclasses.asdict(settings).items():
        if isinstance(value, pathlib.Path):
            value = {"name": value.name, "digest": _digest(value)}
        content[name] = value
    return content


def same(one: Any, other: Any) -> bool:
    """Returns whether two recorded settings agree: given files by content, whatever their names.

    Args:
      one: value of a setting in a record.
      other: the same.
    """
    return _content(one) == _content(other)


def _content(value: Any) -> Any:
    """What decides about a recorded setting."""
    return value.get("digest") if isinstance(value, dict) else value


def shown(value: Any) -> str:
    """Returns a recorded setting as people write it: the name of a file, "none" for nothing.

    Args:
      value: of a setting in a record.
    """
    value = value.get("name") if isinstance(value, dict) else value
    return "none" if value is None else str(value)


def _digest(path: pathlib.Path) -> str:
    """SHA-256 of a file, or of the names and sizes in a folder."""
    digest = hashlib.sha256()
    if path.is_dir():
        for inside in sorted(path.iterdir()):
            digest.update(f"{inside.name} {inside.stat().st_size}\n".encode())
    else:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]
