"""The doctor's look at the files of the frames: complete, whole, of one size.

What training cannot do without is not usable when it is missing; what `clip.load` replaces by a
fallback is usable.
"""

from __future__ import annotations

import numpy as np

from emojax.data import arrays, files
from emojax.data.checkup import report
from emojax.data.checkup.contents import Contents
from emojax.data.checkup.report import GOOD, NOT_USABLE, USABLE, Finding, remake, stated
from emojax.data.checkup.thresholds import Thresholds

# Poses follow landmarks.
_LANDMARKS = remake("landmarks", "tracking")


def check(contents: Contents, thresholds: Thresholds) -> list[Finding]:
    """Returns the findings about the files of pictures, landmarks, poses and masks.

    Args:
      contents: of the folder.
      thresholds: to judge by.
    """
    return [
        *_pictures(contents, thresholds),
        *_landmarks(contents),
        *_poses(contents, thresholds),
        *_masks(contents),
        _background(contents),
    ]


def _pictures(contents: Contents, thresholds: Thresholds) -> list[Finding]:
    """Number, numbering, wholeness, shape and size of the pictures; length of the clip."""
    fault, count = contents.faults.get("pictures"), len(contents)
    title = "pictures"
    if not contents.paths or contents.size is None:
        found = stated(
            "pictures",
            title,
            fault or "none that can be read",
            NOT_USABLE,
            good=f"{files.FRAMES}/0.jpg, 1.jpg, ...",
            advice="Make them: experiments/preprocess.py --video FILE --out DIR.",
        )
        return [found]
    level, advice = GOOD, ""
    if contents.kind != files.FRAMES:
        level, advice = USABLE, f"Restore {files.FRAMES}: {contents.kind} was compressed twice."
    text = f"{len(contents.paths)} in {contents.kind}"
    out = [stated("pictures", title, text, level, advice=advice)]
    missing = sorted(set(range(count)) - set(contents.paths))
    used = [t for t in missing if contents.tracked[t]]
    value = fault or (f"{len(missing)} missing, {missing[0]} the first" if missing else "gapless")
    out.append(
        stated(
            "frame_numbers",
            "numbering from 0",
            value,
            NOT_USABLE if used or fault or 0 in missing else USABLE if missing else GOOD,
            good="gapless",
            advice="Number the pictures as the poses, sound and action units do, from 0 at 25 fps; "
            "extract them again with experiments/preprocess.py."
            if missing or fault
            else "",
        )
    )
    for part in ("damaged pictures", "picture sizes"):
        fault = contents.faults.get(part)
        advice = f"Make the pictures in {contents.kind} again from one video." if fault else ""
        out.append(
            stated(
                part.replace(" ", "_"),
                part,
                fault or "all well",
                NOT_USABLE if fault else GOOD,
                advice=advice,
            )
        )
    height, width = contents.size
    advice = "Use a larger picture, or crop closer to the head."
    out.append(
        report.at_least(
            "resolution",
            "side of the pictures",
            min(height, width),
            thresholds.side,
            unit="px",
            advice=advice,
        )
    )
    square = height == width
    out.append(
        stated(
            "shape",
            "shape of the pictures",
            f"{width} x {height}",
            GOOD if square else NOT_USABLE,
            good="square",
            advice="" if square else "Crop the video to a square around the head.",
        )
    )
    out.append(
        report.at_least(
            "duration",
            "length of the clip",
            count / files.FPS,
            thresholds.seconds,
            unit="s",
            advice="Use a longer recording: 3 to 5 minutes give a good head.",
        )
    )
    return out


def _landmarks(contents: Contents) -> list[Finding]:
    """Whether there are landmarks, and for all frames that train."""
    if not len(contents):
        return []
    there = np.isfinite(contents.landmarks[:, 0, 0])
    lacking = np.flatnonzero(contents.tracked & ~there)
    fault = contents.faults.get("landmarks")
    level = NOT_USABLE if len(lacking) or fault or not there.any() else GOOD
    value = fault or f"{there.sum()} of {len(contents)} frames"
    if len(lacking) and not fault:
        value += f"; none for {len(lacking)} frames that have a pose, {lacking[0]} the first"
    advice = "" if level == GOOD else f"Make them again: {_LANDMARKS}."
    out = [stated("landmark_files", "landmark files", value, level, advice=advice)]
    if files.LANDMARKS in contents.faults:
        out.append(
            stated(
                "landmark_record",
                files.LANDMARKS,
                contents.faults[files.LANDMARKS],
                USABLE,
                advice=f"Make the landmarks again: {_LANDMARKS}; or delete {files.LANDMARKS}.",
            )
        )
    return out


def _poses(contents: Contents, thresholds: Thresholds) -> list[Finding]:
    """Whether there are poses, for how many frames, and whether their camera fits the pictures."""
    fault = contents.faults.get("poses")
    if fault or not contents.tracked.any():
        return [
            stated(
                "poses",
                "head poses",
                fault or "none",
                NOT_USABLE,
                good=" and ".join(files.TRANSFORMS),
                advice=f"Track the head again: {remake('tracking')}.",
            )
        ]
    out = [
        report.at_least(
            "poses",
            "frames with a head pose",
            contents.tracked.mean(),
            thresholds.tracked,
            unit="%",
            advice="Cut the video to where the face is seen; frames without a pose do not train.",
        )
    ]
    if contents.size is not None and np.isfinite(contents.principal).all():
        middle = np.array(contents.size[::-1]) / 2
        off = np.abs(contents.principal - middle).max() / contents.size[1]
        out.append(
            report.at_most(
                "principal_point",
                "principal point off the middle",
                off,
                thresholds.principal,
                unit="%",
                advice="Scale cx, cy and focal_len in transforms_*.json as the pictures were "
                "scaled, or track again: " + remake("tracking") + ".",
            )
        )
    return out


def _masks(contents: Contents) -> list[Finding]:
    """Whether masks, teeth and torso pictures are there, whole and as large as the pictures."""
    out = []
    for name, kind, suffix, what, needed in (
        ("parsing", files.PARSING, ".png", "masks", True),
        ("teeth", files.TEETH, ".npy", "teeth masks", False),
        ("torso", files.TORSO, ".png", "torso pictures", False),
    ):
        make = remake("torso" if kind == files.TORSO else "masks")
        there = sorted((contents.folder / kind).glob(f"[0-9]*{suffix}"))
        if not there:
            level = NOT_USABLE if needed else USABLE
            text = "none" if needed else "none; a fallback is used"
            advice = f"Make them: {make}."
            out.append(stated(name, what, text, level, advice=advice))
            continue
        wanted = contents.tracked if contents.tracked.any() else contents.readable
        paths = files.frame_paths(contents.folder, kind, suffix, len(contents))
        bad = [
            f"{path.name} {problem}"
            for path, is_wanted in zip(paths, wanted, strict=True)
            if is_wanted and (problem := arrays.fault(path, contents.size))
        ]
        value = f"{len(there)}, all well" if not bad else f"{len(bad)} bad: {bad[0]} the first"
        advice = f"Make {kind} again from {contents.kind}: {make}." if bad else ""
        out.append(stated(name, what, value, NOT_USABLE if bad else GOOD, advice=advice))
    return out


def _background(contents: Contents) -> Finding:
    """Whether there is a background picture of the right size."""
    path, title = contents.folder / files.BACKGROUND, "background picture"
    make = remake("background")
    if not path.exists():
        advice = f"Make it: {make}."
        return stated("background", title, "none; a fallback is used", USABLE, advice=advice)
    try:
        shape = files.read_picture(path).shape[:2]
    except ValueError as error:
        return stated("background", title, str(error), NOT_USABLE, advice=f"Make it again: {make}.")
    fits = contents.size is None or tuple(shape) == tuple(contents.size)
    return stated(
        "background",
        title,
        f"{shape[1]} x {shape[0]}",
        GOOD if fits else USABLE,
        advice="" if fits else f"Make it from these pictures: {make}; it is scaled otherwise.",
    )
