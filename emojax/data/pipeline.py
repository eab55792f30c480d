"""From a video to a data set folder: stages that are done once, in order, resumable.

Progress is kept in `preprocess.json` (`record`), rewritten at the start and the end of each stage.
A stage that was killed is begun again; one that is done, with all its files there, is not. Files
that no stage of this folder is known to have made are the user's: a stage that would write over
them refuses. Nothing is written or removed before all that was given is found to be in order.
"""

from __future__ import annotations

import pathlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from emojax.data import (
    doctor,
    files,
    given,
    outputs,
    record,
)
from emojax.data.errors import DataError
from emojax.data.job import Job, Settings
from emojax.data.stages import STAGES

try:
    import resource
except ImportError:  # Windows
    resource = None


def run(
    folder: pathlib.Path,
    settings: Settings,
    *,
    stages: Sequence[str] = tuple(STAGES),
    overwrite: bool = False,
    progress: Callable[[Iterable, str], Iterable] = lambda iterable, name: iterable,
) -> dict:
    """Runs the stages that are not done yet.

    Args:
      folder: of the data set; made if absent.
      settings: of the run.
      stages: names, run in the order of `STAGES`.
      overwrite: make the given stages again, with all that follow from them, and replace the
        user's files where these are in the way. Killed, the same call goes on where it stopped.
      progress: wraps (iterable, description), for a progress bar.

    Returns:
      The manifest; see `record`.

    Raises:
      DataError: what a user can mend: bad input, files in the way, a full disk.
    """
    manifest = record.read(folder)
    wanted = _wanted(stages, manifest, settings)
    given.check_places(folder, settings)
    asked = {"stages": wanted, "settings": record.of_settings(settings)}
    anew = overwrite and not _goes_on(manifest, asked)
    todo: list[str] = []
    for name in wanted:
        is_outdated = not set(STAGES[name].needs).isdisjoint(todo)
        if anew or is_outdated or not outputs.is_finished(folder, manifest, name, settings):
            todo.append(name)
    count = given.check(folder, settings, decodes="decode" in todo)
    _refuse_other_settings(folder, manifest, asked, anew)
    _refuse_outdated_input(manifest, todo)
    if not anew:
        _refuse_files_in_the_way(folder, manifest, settings, todo)
    files.make_folder(folder)
    for place in (folder, *(path for path in folder.glob("[!.]*") if path.is_dir())):
        files.clear_partial(place)
    if anew:
        manifest["overwriting"] = asked
        for name in todo:
            entry = manifest["stages"].setdefault(name, {})
            entry |= {"done": False, "replace": True}
    job = Job(folder, settings, manifest, progress)
    for name in progress(todo, "stages"):
        _run_stage(job, name, asked["settings"], count)
    pending = manifest.get("overwriting", {}).get("stages", ())
    if pending and all(manifest["stages"][name]["done"] for name in pending):
        del manifest["overwriting"]
        job.save()
    return manifest


def _run_stage(job: Job, name: str, recorded: dict, count: int) -> None:
    """Runs one stage and keeps the record of it."""
    folder, stages = job.folder, job.manifest["stages"]
    before = stages.get(name, {})
    stages[name] = before | {"done": False, "begun": True}
    _outdate(job.manifest, name)
    job.save()
    for report in (doctor.JSON, doctor.TEXT, doctor.SHEET):
        (folder / report).unlink(missing_ok=True)  # a verdict on what is about to change
    begin, begin_cpu = time.perf_counter(), time.process_time()
    STAGES[name].run(job)
    if name != "decode":
        count = len(job.frames())
    stages[name] = {
        "done": True,
        "settings": {key: recorded[key] for key in STAGES[name].reads},
        **outputs.settle(folder, name, job.settings, count, before),
        "seconds": round(time.perf_counter() - begin, 3),
        "cpu_seconds": round(time.process_time() - begin_cpu, 3),
        "frames": count,
        "peak_memory_mb": _peak_memory(),
    }
    job.save()


def _wanted(stages: Sequence[str], manifest: dict, settings: Settings) -> list[str]:
    """The names of the stages that a user asks for, in order."""
    unknown = [name for name in stages if name not in STAGES]
    if unknown or not stages:
        raise DataError(
            expected=f"stages among {', '.join(STAGES)}",
            got=", ".join(unknown) or "none",
            fix="Name one or several of these, with commas, or all.",
        )
    wanted = [name for name in STAGES if name in stages]
    if settings.video is None and len(wanted) > 1 and "decode" not in manifest["stages"]:
        wanted = [name for name in wanted if name != "decode"]  # made elsewhere: frames are there
    return wanted


def _goes_on(manifest: dict, asked: dict) -> bool:
    """Whether the overwriting that is asked for was begun and not ended."""
    begun = manifest.get("overwriting", {"stages": [], "settings": {}})
    return begun["stages"] == asked["stages"] and all(
        record.same(value, begun["settings"].get(name)) for name, value in asked["settings"].items()
    )


def _outdate(manifest: dict, name: str) -> None:
    """Marks as not done what reads, directly or not, what a stage makes."""
    changed = {name}
    for later, stage in STAGES.items():
        if changed & set(stage.needs):
            changed.add(later)
            if later in manifest["stages"]:
                manifest["stages"][later]["done"] = False


def _peak_memory() -> int | None:
    """The most memory that this process ever held, MB; None where the system does not tell."""
    if resource is None:
        return None
    unit = 1024 if sys.platform == "darwin" else 1  # macOS counts bytes, Linux kB
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit / 1024)


def _refuse_other_settings(folder: pathlib.Path, manifest: dict, asked: dict, anew: bool) -> None:
    """Refuses to mix results of different settings in one folder."""
    for name, stage in manifest["stages"].items():
        is_wanted = name in asked["stages"]
        if not stage["done"] or (anew and is_wanted):
            continue
        for key, before in stage["settings"].items():
            now = asked["settings"].get(key)
            is_left_out = key == "video" and now is None
            if not record.same(before, now) and not is_left_out and (is_wanted or key == "video"):
                raise _other_setting(folder, key, before, now)


def _other_setting(folder: pathlib.Path, key: str, before: Any, now: Any) -> DataError:
    """The error for a folder that was made with another value of a setting."""
    expected = f"--{key} as when {folder} was begun, {record.shown(before)}"
    if key == "video" and before is not None:
        expected = f"--video {record.shown(before)}, of which {folder} holds the data"
    is_namesake = before is not None and record.shown(before) == record.shown(now)
    return DataError(
        expected=expected,
        got=f"{record.shown(now)}{', another file of that name' if is_namesake else ''}",
        fix="Use another --out or the same value, or add --overwrite to replace what is there.",
    )


def _refuse_outdated_input(manifest: dict, todo: list[str]) -> None:
    """Refuses to run a stage on what an unfinished one has left; the doctor judges anything."""
    for name in todo:
        for need in STAGES[name].needs if name != "doctor" else ():
            if need not in todo and not manifest["stages"].get(need, {"done": True})["done"]:
                raise DataError(
                    expected=f"the stage {need}, which {name} reads, to be done",
                    got="one that was stopped, or whose input has changed since",
                    fix=f"Name it too: --stages {need},{name}; or all.",
                )


def _refuse_files_in_the_way(
    folder: pathlib.Path, manifest: dict, settings: Settings, todo: list[str]
) -> None:
    """Refuses to write over files that are not known to be made here."""
    for name in todo:
        paths = outputs.of_the_user(folder, manifest, name, settings)
        if paths:
            raise DataError(
                expected=f"nothing in the place of what the stage {name} makes",
                got=f"{len(paths)} files that it did not make, "
                f"{paths[0].relative_to(folder).as_posix()} say",
                fix="Leave the stage out to use them, give them by an option from another place, "
                "or add --overwrite to replace them.",
            )
