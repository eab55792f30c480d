"""The doctor's look at masks, torso and background in some frames: do they fit, are they steady."""

from __future__ import annotations

import numpy as np

from emojax.data import files, labels
from emojax.data.checkup import report, samples
from emojax.data.checkup.contents import SMALL, Contents
from emojax.data.checkup.curves import Curves
from emojax.data.checkup.report import Finding, remake
from emojax.data.checkup.samples import Table
from emojax.data.checkup.thresholds import Thresholds
from emojax.data.labels import HEAD, PERSON, Label
from emojax.data.masks import stability
from emojax.opencv import cv2

NUM_PAIRS, NUM_BACKGROUND = 12, 16  # successive frames; frames that say where the background is
OPEN_SHARE = 0.4  # of the range of the lip gap: the inside of the mouth must show


def check(contents: Contents, curves: Curves, thresholds: Thresholds) -> list[Finding]:
    """Returns the findings about masks, torso and background pictures.

    Args:
      contents: of the folder.
      curves: of the folder.
      thresholds: to judge by.
    """
    behind = _background(contents)
    rows = [_measure(contents, curves, t, behind) for t in samples.choose(contents, curves)]
    columns = samples.table(rows)
    return [*_masks(columns, thresholds), _steadiness(contents, curves, thresholds)]


def always_background(contents: Contents) -> np.ndarray | None:
    """Returns the pixels of `Contents.small` that show the background all the time, or None.

    Args:
      contents: of the folder.
    """
    there = np.flatnonzero(contents.readable)
    if not len(there):
        return None
    person, count = np.zeros((SMALL, SMALL), np.float32), 0
    for number in there[np.linspace(0, len(there) - 1, NUM_BACKGROUND).astype(int)]:
        picture = samples.read_labels(contents, int(number))
        if picture is not None:
            mask = np.float32(labels.isin(picture, PERSON))
            person += cv2.resize(mask, (SMALL, SMALL), interpolation=cv2.INTER_AREA)
            count += 1
    # One pixel of the small picture further out, because edges of the person are blurred.
    still = cv2.dilate(person, np.ones((3, 3))) == 0
    return still if count and still.sum() >= SMALL else None


def _background(contents: Contents) -> np.ndarray | None:
    """The background picture, reduced as masks are, if it fits."""
    try:
        picture = files.read_picture(contents.folder / files.BACKGROUND)
    except ValueError:
        return None
    return samples.reduced(picture) if picture.shape[:2] == tuple(contents.size) else None


def _measure(contents: Contents, curves: Curves, number: int, behind) -> dict[str, float]:
    """What one frame says of masks, torso and background."""
    values = {"number": float(number)}
    image, picture = samples.read_picture(contents, number), samples.read_labels(contents, number)
    if image is None or picture is None:
        return values
    size, image = image.shape[:2], samples.reduced(image)
    if picture.shape != image.shape[:2]:
        return values
    hull = samples.face_hull(contents, number, picture.shape)
    if hull is not None:
        values["covered"] = float(labels.isin(picture, HEAD)[hull].mean())
        low, high = np.nanpercentile(curves.opening, [2, 98])
        if curves.opening[number] > low + OPEN_SHARE * (high - low):
            values["mouth"] = float(labels.isin(picture, (Label.MOUTH, Label.TEETH))[hull].any())
    body = labels.isin(picture, (Label.NECK, Label.TORSO))
    try:
        torso = files.read_picture(contents.folder / files.TORSO / f"{number}.png", alpha=True)
    except ValueError:
        torso = None
    if torso is not None and torso.shape[:2] == size and body.any():
        values["torso"] = float((samples.reduced(torso)[..., 3] > 0)[body].mean())
    # Edges of the person are left out.
    free = cv2.erode(np.uint8(picture == Label.BACKGROUND), np.ones((5, 5))) > 0
    if behind is not None and behind.shape == image.shape and free.any():
        values["background"] = float(np.abs(np.float32(behind) - image)[free].mean())
    return values


def _masks(columns: Table, thresholds: Thresholds) -> list[Finding]:
    """Whether masks, torso and background fit the pictures."""
    mouths = samples.known(columns, "mouth")
    title = "open mouths whose inside is masked"
    redo = f"Make the masks again: {remake('masks')}"
    return [
        report.at_least(
            "face_covered", "face inside the head's mask", samples.median(columns, "covered"),
            thresholds.face_covered, unit="%",
            advice=f"{redo}: they are not where the face is (other frames?).",
            frames=samples.extreme(columns, "covered", -1),
        ),
        report.at_least(
            "mouth_seen", title, samples.mean(columns, "mouth"), thresholds.mouth_seen, unit="%",
            advice=f"{redo}: without, no inside of the mouth can be learned.",
        ) if len(mouths) else report.unknown("mouth_seen", title, "Needs masks and open lips."),
        report.at_least(
            "torso_covered", "neck and torso in torso_imgs", samples.median(columns, "torso"),
            thresholds.torso_covered, unit="%",
            advice=f"Make them again: {remake('torso')}.",
            frames=samples.extreme(columns, "torso", -1),
        ),
        report.at_most(
            "background_error", "bc.jpg off the background seen",
            samples.median(columns, "background"), thresholds.background_error, unit="grey levels",
            advice=f"Make it again: {remake('background')}; or "
            "use a background that does not move.",
            frames=samples.extreme(columns, "background", 1),
        ),
    ]  # fmt: skip


def _steadiness(contents: Contents, curves: Curves, thresholds: Thresholds) -> Finding:
    """How much masks flicker."""
    title = "flicker of the masks"
    first = [
        t for shot in curves.shots for t in range(shot.start, shot.stop - 1)
        if contents.readable[t] and contents.readable[t + 1]
    ]  # fmt: skip
    changes = {}
    for index in np.linspace(0, len(first) - 1, min(NUM_PAIRS, len(first))).astype(int):
        number = first[index]
        pictures = [samples.read_labels(contents, number + k) for k in (0, 1)]
        images = [samples.read_picture(contents, number + k) for k in (0, 1)]
        if any(picture is None for picture in (*pictures, *images)):
            continue
        images = [samples.reduced(image) for image in images]
        if {image.shape[:2] for image in images} == {picture.shape for picture in pictures}:
            changes[number] = stability.warped_iou(*pictures, *images)["changed"]
    if not changes:
        return report.unknown("mask_changed", title, "Needs masks of successive frames.")
    worst = max(changes, key=changes.get)
    return report.at_most(
        "mask_changed", title, float(np.mean(list(changes.values()))), thresholds.mask_changed,
        unit="%", advice=f"Make the masks again: {remake('masks')}.",
        frames=(worst, worst + 1),
    )  # fmt: skip
