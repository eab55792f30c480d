"""What a user gives to preprocessing, looked at before any work starts: options, video, files."""

from __future__ import annotations

import math
import pathlib

from emojax.data import (
    action_units,
    arrays,
    audio_features,
    crop,
    files,
    video,
)
from emojax.data.errors import DataError
from emojax.data.job import Settings, external

MIN_SECONDS = 8.0  # below, neither a person's shape nor a mouth's range can be told


def check_places(folder: pathlib.Path, settings: Settings) -> None:
    """Refuses a folder that is none, and given files that are absent or would be written over.

    Args:
      folder: of the data set; may be absent.
      settings: of the run.

    Raises:
      DataError: there is such a file.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(
            expected="--out to be a folder", got=f"{folder}, a file", fix="Choose another name."
        )
    made = {files.FRAMES, files.PARSING, files.TEETH, files.TORSO, files.GROUND_TRUTH}
    made |= {files.ACTION_UNITS, *(kind.file for kind in audio_features.KINDS.values())}
    for name in ("video", "parsing", "teeth_mask", "au", "audio_features"):
        path = getattr(settings, name)
        if path is None:
            continue
        if not path.exists():
            raise DataError(
                expected=f"--{name} to be there",
                got=f"no file {path}",
                fix="Check the spelling and the folder you are in.",
            )
        if path.resolve().is_relative_to(folder.resolve()) and (
            made & set(path.resolve().relative_to(folder.resolve()).parts[:1])
        ):
            raise DataError(
                expected=f"--{name} from another place than where it is going to be written",
                got=f"{path}",
                fix=f"Copy it elsewhere first; or leave out --{name} and its stage: what is in the "
                "folder is used.",
            )


def check(folder: pathlib.Path, settings: Settings, *, decodes: bool) -> int:
    """Looks at everything that a user gives before any work starts.

    Args:
      folder: of the data set; may be absent.
      settings: of the run.
      decodes: whether frames are going to be made from the video.

    Returns:
      The number of frames that there will be.

    Raises:
      DataError: a file is missing, damaged, too short, or does not fit the frames.
    """
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
    if settings.focal is not None and not 0 < settings.focal < math.inf:
        raise DataError(
            expected="a positive --focal, in pixels",
            got=f"{settings.focal}",
            fix="Leave it out to use the nominal one.",
        )
    square = None if settings.crop is None else crop.parse(settings.crop)
    if decodes:
        count, side = _check_video(settings, square), settings.size
    else:
        frames = files.numbered(folder / files.FRAMES, ".jpg")
        if not frames:
            raise DataError(
                expected=f"{files.FRAMES}/0.jpg, 1.jpg, ... in {folder}",
                got="no such files",
                fix="Make them: the stage decode, with --video.",
            )
        count, side = len(frames), None
        if settings.parsing is not None or settings.teeth_mask is not None:
            side = files.read_picture(next(iter(frames.values()))).shape[0]
    if settings.au is not None:
        action_units.read(settings.au, count)
    if settings.audio_features is not None:
        audio_features.recognise(settings.audio_features)
        audio_features.load(settings.audio_features, count)
    for name, suffix in (("parsing", ".png"), ("teeth_mask", ".npy")):
        place = getattr(settings, name)
        if place is None:
            continue
        for path in external(place, suffix, count, f"--{name}").values():
            if problem := arrays.fault(path, (side, side)):
                raise DataError(
                    expected=f"--{name} as large as the frames, {side} x {side}",
                    got=f"{path.name}, which {problem}",
                    fix=f"Make it from the pictures in {files.FRAMES}.",
                )
    return count


def _check_video(settings: Settings, square: crop.Crop | None) -> int:
    """The number of frames that a video is going to give."""
    if settings.video is None:
        raise DataError(expected="a video to make the frames from", got="none", fix="Give --video.")
    facts = video.probe(settings.video)
    if facts.audio is None:
        raise DataError(
            expected="a video with sound",
            got=f"{settings.video.name}, which has no audio track",
            fix="Use the original recording: a head is trained on speech.",
        )
    count = video.num_common_frames(facts)
    if count < files.FPS * MIN_SECONDS:
        fix = "Use a longer video; 3 to 5 minutes give a good head."
        if max(lost := video.left_out(facts)) > video.LEFT_OUT_SECONDS:
            short = "sound" if lost[0] > lost[1] else "picture"
            fix = f"Export it again with both tracks whole: the {short} is the short one."
        raise DataError(
            expected=f"at least {MIN_SECONDS:.0f} seconds of picture with sound",
            got=f"{count / files.FPS:.1f} s in {settings.video.name}: {facts.duration:.1f} s of "
            f"picture, {facts.audio.duration:.1f} s of sound",
            fix=fix,
        )
    if square is not None:
        crop.check(square, facts.width, facts.height)
    return count
