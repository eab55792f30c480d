"""The doctor's look at the face: landmarks, poses, cuts, how much mouth and lids move."""

from __future__ import annotations

import numpy as np

from emojax.data import action_units, face68, files
from emojax.data.checkup import report
from emojax.data.checkup.contents import Contents
from emojax.data.checkup.curves import Curves, filled, longest_run, second_difference, usual
from emojax.data.checkup.report import GOOD, USABLE, Finding, remake, stated
from emojax.data.checkup.thresholds import Thresholds

_MARGIN = 0.05  # of the width, by which a landmark may lie outside the picture
_EYES_OVER_MOUTH = 0.3  # eye distances, at least; the mean face has 0.8
_SIZE_FACTOR = 2.0  # between a face's usual and odd eye distance
MIN_POSES = 20  # for the residual of one rigid head


def check(contents: Contents, curves: Curves, thresholds: Thresholds) -> list[Finding]:
    """Returns the findings about landmarks and poses.

    Args:
      contents: of the folder.
      curves: of the folder.
      thresholds: to judge by.
    """
    if not np.isfinite(contents.landmarks[:, 0, 0]).any():
        return [report.unknown("face", "face", "Needs landmarks.")]
    return [
        *_presence(contents, thresholds),
        *_cuts(contents, thresholds),
        *_landmarks(contents, curves, thresholds),
        *_poses(contents, curves, thresholds),
        *_expression(contents, curves, thresholds),
    ]


def _presence(contents: Contents, thresholds: Thresholds) -> list[Finding]:
    """Stretches without a face; other faces."""
    lost = ~(contents.found & contents.tracked) if contents.tracked.any() else ~contents.found
    start, length = longest_run(lost)
    out = [
        report.at_most(
            "lost_seconds", "longest stretch without face", length / files.FPS,
            thresholds.lost_seconds, unit="s",
            advice=f"Cut frames {start} to {start + length - 1} out of the video: there is no "
            "face to learn from.",
            frames=(start + length // 2,) if length else (),
        )
    ]  # fmt: skip
    if contents.faces is not None:
        several = np.flatnonzero(contents.faces > 1)
        share = len(several) / len(contents)
        out.append(
            report.at_most(
                "several_faces",
                "frames with several faces",
                share,
                thresholds.several_faces,
                unit="%",
                advice="Crop to one person: --crop LEFT,TOP,SIDE.",
                frames=tuple(int(t) for t in several[:1]),
            )
        )
    return out


def _cuts(contents: Contents, thresholds: Thresholds) -> list[Finding]:
    """Jump cuts, named."""
    where = ", ".join(map(str, contents.cuts[:8])) + (", ..." if len(contents.cuts) > 8 else "")
    limits = thresholds.cuts
    return [
        report.at_most(
            "cuts", "jump cuts", len(contents.cuts), limits,
            advice=f"First frames after cuts: {where}. They are respected; cut the video to one "
            "shot if head or light differ much.",
            frames=tuple(int(t) for t in contents.cuts[:4]),
        )
    ]  # fmt: skip


def _landmarks(contents: Contents, curves: Curves, thresholds: Thresholds) -> list[Finding]:
    """Size of the face, steadiness of its landmarks, and those that are no face."""
    points = contents.landmarks.astype(np.float64)
    known = np.isfinite(points[:, 0, 0])
    eyes = face68.eye_distance(points)
    usual_eyes = float(np.median(eyes[known]))
    with np.errstate(invalid="ignore"):
        odd = (eyes > _SIZE_FACTOR * usual_eyes) | (eyes < usual_eyes / _SIZE_FACTOR)
        height = points[:, list(face68.LIPS), 1].mean(1) - points[:, list(face68.EYES), 1].mean(1)
        odd |= height < _EYES_OVER_MOUTH * eyes
        if contents.size is not None:
            size = np.array(contents.size[::-1])
            outside = (points < -_MARGIN * size) | (points > (1 + _MARGIN) * size)
            odd |= outside.any(axis=2).mean(axis=1) > 0.1
    odd = np.flatnonzero(odd & known)
    rigid = points[:, list(face68.RIGID)]
    jitter = usual(second_difference(rigid, curves.shots)) / contents.unit
    redo = remake("landmarks", "tracking")
    return [
        report.at_least(
            "eye_distance", "outer eye corners apart", usual_eyes, thresholds.eye_distance,
            unit="px", advice="Crop closer to the head or record at a higher resolution.",
        ),
        report.at_most(
            "odd_faces", "landmarks that are no upright face", len(odd) / known.sum(),
            thresholds.odd_faces, unit="%",
            advice=f"Make the landmarks again: {redo}; they are out of place, scaled or turned.",
            frames=tuple(int(t) for t in odd[:2]),
        ),
        report.at_most(
            "landmark_jitter", "landmark jitter, at 512", jitter,
            thresholds.landmark_jitter_at_512, unit="px",
            advice=f"Make the landmarks again: {redo}.",
        ),
    ]  # fmt: skip


def _poses(contents: Contents, curves: Curves, thresholds: Thresholds) -> list[Finding]:
    """Range, steadiness and truth of the head poses."""
    if not contents.tracked.any():
        return [report.unknown("yaw", "turn to a side", "Needs poses.")]
    angles = np.stack([curves.pitch, curves.yaw, curves.roll], axis=-1)
    yaw = np.abs(curves.yaw[contents.tracked])
    widest = int(np.nanargmax(np.abs(curves.yaw)))
    angle_jitter = usual(second_difference(angles, curves.shots))
    distance = np.log(np.maximum(curves.distance, 1e-6))
    distance_jitter = usual(second_difference(distance, curves.shots))
    error = pose_residual(contents)
    worst = ()
    if error is not None:
        frames = np.flatnonzero(np.isfinite(error[:, 0]))
        worst = (int(frames[np.argmax(np.median(error[frames], axis=1))]),)
    retrack = f"Track the head again: {remake('tracking')}"
    ranges = ", ".join(
        f"{name} {np.nanpercentile(curve, 1):+.0f} to {np.nanpercentile(curve, 99):+.0f}"
        for name, curve in (("pitch", curves.pitch), ("yaw", curves.yaw), ("roll", curves.roll))
    )
    return [
        stated("pose_range", "range of the head's angles", f"{ranges} degrees", GOOD),
        report.at_most(
            "yaw", "turn to a side", float(np.percentile(yaw, 99)), thresholds.yaw,
            unit="degrees", advice="Cut out where the head turns away from the camera.",
            frames=(widest,),
        ),
        report.at_most(
            "angle_jitter", "jitter of the angles", angle_jitter, thresholds.angle_jitter,
            unit="degrees", advice=f"{retrack}: the head trembles.",
        ),
        report.at_most(
            "distance_jitter", "jitter of the distance", distance_jitter,
            thresholds.distance_jitter, unit="%", advice=f"{retrack}: the head's size pulses.",
        ),
        report.at_most(
            "pose_residual", "rigid landmarks off the pose, at 512",
            None if error is None else float(np.nanmedian(error)) / contents.unit,
            thresholds.pose_residual_at_512, unit="px",
            advice=f"{retrack}: poses and landmarks disagree (other frames, another focal length "
            "or picture size).",
            frames=worst,
        ),
    ]  # fmt: skip


def pose_residual(contents: Contents) -> np.ndarray | None:
    """Returns how far rigid landmarks are from where one rigid head would have them.

    The points of that head are triangulated from all frames under the given poses, so that the
    result judges poses, focal length and frame numbers of any origin.

    Args:
      contents: of the folder.

    Returns:
      [T, 13] pixels, NaN in frames without landmarks or pose; None where there are too few.
    """
    points = contents.landmarks[:, list(face68.RIGID)].astype(np.float64)
    valid = np.isfinite(points[:, 0, 0]) & contents.tracked
    if valid.sum() < MIN_POSES or contents.size is None:
        return None
    principal = np.where(
        np.isfinite(contents.principal), contents.principal, np.array(contents.size[::-1]) / 2
    )
    # Whole numbers are pixel centres in landmarks, halves in cameras.
    rays = (points[valid] + 0.5 - principal) / contents.focal
    pose = contents.world_to_camera[valid].astype(np.float64)
    rotation, translation = pose[:, None, :3, :3], pose[:, None, :3, 3]
    # x Z = X and y Z = Y in camera axes, two linear equations a view; divided by the depth.
    rows = rotation[..., :2, :] - rays[..., None] * rotation[..., 2:, :]
    right = rays * translation[..., 2:] - translation[..., :2]
    depth = np.maximum(np.abs(translation[..., 2]), 1e-6)
    rows, right = rows / depth[..., None, None], right / depth[..., None]
    normal = np.einsum("tpki,tpkj->pij", rows, rows)
    moment = np.einsum("tpki,tpk->pi", rows, right)
    head = np.einsum("pij,pj->pi", np.linalg.pinv(normal, rcond=1e-9), moment)
    camera = np.einsum("tpij,pj->tpi", rotation, head) + translation
    seen = camera[..., :2] / np.where(np.abs(camera[..., 2:]) < 1e-6, 1e-6, camera[..., 2:])
    error = np.full(points.shape[:2], np.nan)
    error[valid] = np.linalg.norm((seen - rays) * contents.focal, axis=-1)
    return error


def _expression(contents: Contents, curves: Curves, thresholds: Thresholds) -> list[Finding]:
    """How much of the mouth's and the lids' range the clip shows."""
    opening = curves.opening[np.isfinite(curves.opening)]
    low, high = np.percentile(opening, [2, 98])
    found = action_units.blinks(filled(curves.drop))
    rate = len(found) / (len(contents) / files.FPS / 60)
    least, most = thresholds.blinks
    level = GOOD if least <= rate <= most else USABLE
    few = "Use a clip with blinks: without, closed eyes cannot be learned."
    many = "Check the landmarks of the eyes: nobody blinks that often."
    return [
        report.at_least(
            "mouth_range", "range of the lip gap / eye distance", high - low,
            thresholds.mouth_range,
            advice="Use a clip in which the person talks, with mouth wide open and closed.",
        ),
        stated(
            "blinks", "blinks", f"{len(found)} ({rate:.0f} a minute)", level,
            good=f"{least:g} to {most:g} a minute",
            advice="" if level == GOOD else few if rate < least else many,
            frames=tuple(int(t) for t in found[:2]),
        ),
    ]  # fmt: skip
