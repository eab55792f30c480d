"""From a video to a data set folder: stages that are done once, in order, resumable.

Progress is kept in `preprocess.json`, rewritten at the start and the end of each stage. A stage
that was killed is begun again; one that is done is not. Files that no stage of this folder is known
to have made are the user's: a stage that would write over them refuses.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import time
from collections.abc import Callable, Iterable, Sequence

from emojax.data import (
    action_units,
    audio_features,
    crop,
    files,
    video,
)
from emojax.data.errors import DataError
from emojax.data.stages import STAGES, Job, Settings, external

try:
    import resource
except ImportError:  # Windows
    resource = None

FORMAT = 1
MIN_SECONDS = 8.0  # below, neither a person's shape nor a mouth's range can be told


def _outputs(folder: pathlib.Path, name: str, settings: Settings) -> list[pathlib.Path]:
    """Files of a stage that are there."""
    there = []
    for made in STAGES[name].makes:
        if isinstance(made, tuple):
            there += list((folder / made[0]).glob(f"[0-9]*{made[1]}"))
            continue
        path = folder / (made if isinstance(made, str) else made(settings))
        there += [path] if path.exists() else []
    return there


def _outdate(manifest: dict, name: str) -> None:
    """Marks as not done what reads, directly or not, what a stage makes."""
    changed = {name}
    for later, stage in STAGES.items():
        if changed & set(stage.needs):
            changed.add(later)
            if later in manifest["stages"]:
                manifest["stages"][later] = {"done": False}


def _read_manifest(folder: pathlib.Path) -> dict:
    """The content of `preprocess.json`, or that of a folder not made here."""
    path = folder / files.MANIFEST
    if not path.exists():
        return {"format": FORMAT, "settings": {}, "video": None, "sources": {}, "stages": {}}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise ValueError(f"format {manifest['format']}")
    except (ValueError, KeyError, OSError) as error:
        raise DataError(
            expected=f"a record of format {FORMAT} in {path}",
            got=str(error),
            fix="Use another --out, or delete this folder if nothing in it is needed.",
        ) from error
    return manifest


def _recorded(settings: Settings) -> dict:
    """Settings as the manifest keeps them: files by name and content, not by place."""
    record = {}
    for name, value in dataclasses.asdict(settings).items():
        if isinstance(value, pathlib.Path):
            value = {"name": value.name, "digest": _digest(value)}
        record[name] = value
    return record


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


# Which settings a stage reads: when one of them differs, what is there was made otherwise.
_READS = {
    "decode": ("video", "size", "margin", "crop"),
    "landmarks": (),
    "tracking": ("focal", "seed"),
    "masks": ("parsing", "teeth_mask", "seed"),
    "background": (),
    "torso": (),
    "action_units": ("au",),
    "features": ("audio_features",),
    "doctor": (),
}


def check(settings: Settings) -> int | None:
    """Looks at everything that a user gives before any work starts.

    Args:
      settings: of the run.

    Returns:
      The number of frames that there will be, or None without a video.

    Raises:
      DataError: a file is missing, damaged, too short, or does not fit the video.
    """
    for name in ("video", "parsing", "teeth_mask", "au", "audio_features"):
        path = getattr(settings, name)
        if path is not None and not path.exists():
            raise DataError(
                expected=f"--{name} to be there",
                got=f"no file {path}",
                fix="Check the spelling and the folder you are in.",
            )
    if not 32 <= settings.size <= 4096:
        raise DataError(
            expected="--size from 32 to 4096 pixels", got=str(settings.size), fix="Use 512."
        )
    if settings.margin < 1.5:
        raise DataError(
            expected="--margin of at least 1.5 face widths",
            got=f"{settings.margin}",
            fix="Use 2.4.",
        )
    if settings.video is None:
        return None
    facts = video.probe(settings.video)
    if facts.audio is None:
        raise DataError(
            expected="a video with sound",
            got=f"{settings.video.name}, which has no audio track",
            fix="Use the original recording: a head is trained on speech.",
        )
    count = video.num_common_frames(facts)
    if count < 25 * MIN_SECONDS:
        raise DataError(
            expected=f"at least {MIN_SECONDS:.0f} seconds of picture with sound",
            got=f"{count / 25:.1f} s",
            fix="Use a longer video; 3 to 5 minutes give a good head.",
        )
    if settings.crop is not None:
        crop.check(crop.parse(settings.crop), facts.width, facts.height)
    if settings.au is not None:
        action_units.read(settings.au, count)
    if settings.audio_features is not None:
        audio_features.load(settings.audio_features, count)
    if settings.parsing is not None:
        external(settings.parsing, ".png", count, "--parsing")
    if settings.teeth_mask is not None:
        external(settings.teeth_mask, ".npy", count, "--teeth_mask")
    return count


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
        user's files where these are in the way.
      progress: wraps (iterable, description), for a progress bar.

    Returns:
      The manifest: settings, sources, and for each stage its seconds, frames and peak memory.

    Raises:
      DataError: what a user can mend: bad input, files in the way, a full disk.
    """
    unknown = [name for name in stages if name not in STAGES]
    if unknown:
        raise DataError(
            expected=f"stages among {', '.join(STAGES)}",
            got=", ".join(unknown),
            fix="Name one or several of these, with commas, or all.",
        )
    count = check(settings)
    manifest = _read_manifest(folder)
    recorded = _recorded(settings)
    wanted = [name for name in STAGES if name in stages]
    if settings.video is None and "decode" in wanted and "decode" not in manifest["stages"]:
        wanted.remove("decode")  # a folder made elsewhere: its frames are what there is
    if not overwrite:
        _refuse_other_settings(folder, manifest, recorded, wanted)
        _refuse_files_in_the_way(folder, manifest, settings, wanted)
    files.make_folder(folder)
    if overwrite:
        for name in wanted:
            manifest["stages"].pop(name, None)
    job = Job(folder, settings, manifest, progress)
    for name in wanted:
        if manifest["stages"].get(name, {}).get("done"):
            continue
        manifest["settings"] |= {key: recorded[key] for key in _READS[name]}
        manifest["stages"][name] = {"done": False}
        _outdate(manifest, name)
        job.save()
        for path in _outputs(folder, name, settings):
            path.unlink()
        begin, begin_cpu = time.perf_counter(), time.process_time()
        STAGES[name].run(job)
        manifest["stages"][name] = {
            "done": True,
            "seconds": round(time.perf_counter() - begin, 3),
            "cpu_seconds": round(time.process_time() - begin_cpu, 3),
            "frames": count or len(job.frames()),
            "peak_memory_mb": _peak_memory(),
        }
        job.save()
    return manifest


def _peak_memory() -> int | None:
    """The most memory that this process ever held, MB; None where the system does not tell."""
    if resource is None:
        return None
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _refuse_other_settings(
    folder: pathlib.Path, manifest: dict, recorded: dict, wanted: list[str]
) -> None:
    """Refuses to mix results of different settings in one folder."""
    for name in wanted:
        if name not in manifest["stages"]:
            continue
        for key in _READS[name]:
            before, now = manifest["settings"].get(key), recorded[key]
            if before != now and not (key == "video" and now is None):
                raise DataError(
                    expected=f"--{key} as when {folder} was begun, {before}",
                    got=f"{now}",
                    fix="Use another --out, the same value, or --overwrite.",
                )


def _refuse_files_in_the_way(
    folder: pathlib.Path, manifest: dict, settings: Settings, wanted: list[str]
) -> None:
    """Refuses to write over files that are not known to be made here."""
    for name in wanted:
        there = [] if name in manifest["stages"] else _outputs(folder, name, settings)
        if there:
            raise DataError(
                expected=f"nothing in the place of what the stage {name} makes",
                got=f"{len(there)} files that it did not make, {there[0].relative_to(folder)} say",
                fix="Leave the stage out to use them, or add --overwrite to replace them.",
            )
