"""Figures of preprocessing on real clips: jitter, poses, masks, blinks, cuts, cost.

    python experiments/preprocess_quality.py --clips DIR --runs RUNS --out
    benchmarks/preprocess.json

Runs `preprocess.py` at 512 pixels on every clip of DIR that is named in `STRETCHES` (what is done
is not done again), then measures on the same stretches of frames as the feasibility study of these
recipes did. There is no truth for real footage: consistency between independent measurements is
what is told. The clips are third-party research examples (DFRF, MimicTalk) and not part of this
project.
"""

import json
import pathlib
import sys

import jax
import numpy as np
from absl import app, flags

from emojax.data import (
    action_units,
    face68,
    files,
    labels,
    landmarks,
    pipeline,
    stages,
    tracking,
)
from emojax.data.errors import DataError
from emojax.data.masks import segmentation, stability
from emojax.opencv import cv2

_CLIPS = flags.DEFINE_string("clips", None, "folder with the clips", required=True)
_RUNS = flags.DEFINE_string("runs", None, "folder for the data sets made of them", required=True)
_OUT = flags.DEFINE_string("out", None, "JSON file to write", required=True)

SIZE = 512
# Frames of the feasibility study of these recipes.
STRETCHES = {"german_20s": (0, 300), "macron_50s": (100, 400), "cnn_71s": (200, 500)}
GROUPS = {
    "contour": face68.CONTOUR,
    "brow": face68.BROWS,
    "nose": face68.NOSE,
    "eye corners": face68.EYE_CORNERS,
    "lids": face68.LIDS,
    "outer lip": face68.OUTER_LIP,
    "inner lip": face68.INNER_LIP,
}
STILL = 0.3  # px a frame, by flow and by the mean of five detections: a point that stands still
MAX_CORNERS = 60


def still_jitter(points: np.ndarray, grays: list[np.ndarray]) -> dict[str, float]:
    """Returns the RMS of second differences of points that stand still, pixels, by group.

    Args:
      points: [T, 68, 2] landmarks.
      grays: T grey frames.
    """
    smooth = np.stack(
        [np.convolve(x, np.ones(5) / 5, "same") for x in points.reshape(len(points), -1).T]
    )
    slow = np.linalg.norm(np.diff(smooth.T.reshape(points.shape), axis=0), axis=-1) < STILL
    for t in range(len(points) - 1):
        motion, error = landmarks.flow(grays[t], grays[t + 1], points[t])
        slow[t] &= (np.linalg.norm(motion, axis=-1) < STILL) & (error < 1)
    slow[:3] = slow[-3:] = False  # the mean of five needs both sides
    still = slow[1:] & slow[:-1]
    second = np.diff(points, 2, axis=0)
    result = {}
    for name, group in GROUPS.items():
        chosen = second[:, list(group)][still[:, list(group)]]
        result[name] = float(np.sqrt(np.mean(chosen**2))) if len(chosen) else float("nan")
    return result


def flow_check(track: tracking.Track, points: np.ndarray, grays: list[np.ndarray]) -> dict:
    """Returns how far the tracked pose's motion is from the optical flow of nose and upper cheeks.

    Corner features that no landmark is fitted to: an independent witness of the motion.

    Args:
      track: of T frames.
      points: [T, 68, 2] landmarks.
      grays: T grey frames.

    Returns:
      RMS difference and RMS motion in x and y, pixels a frame.
    """
    camera = np.einsum("tij,nj->tni", track.world_to_camera[:, :3, :3], track.shape)
    camera += track.world_to_camera[:, None, :3, 3]
    centre = np.array(grays[0].shape[::-1]) / 2 - 0.5
    rigid = list(face68.RIGID)
    differences, motions = [], []
    for t in range(len(points) - 1):
        face = points[t]
        down = np.array([0, 0.08 * face68.eye_distance(face)])
        outline = [face[36] + down, face[39] + down, face[27], face[42] + down, face[45] + down]
        outline += [
            (face[14] + face[35]) / 2,
            face[35],
            face[33],
            face[31],
            (face[2] + face[31]) / 2,
        ]
        mask = np.zeros_like(grays[t])
        cv2.fillPoly(mask, [np.int32(np.round(outline))], 255)
        corners = cv2.goodFeaturesToTrack(grays[t], MAX_CORNERS, 0.01, 5, mask=mask)
        if corners is None or len(corners) < 8:
            continue
        corners = corners[:, 0].astype(np.float64)
        motion, error = landmarks.flow(grays[t], grays[t + 1], corners)
        good = error < 0.5
        if good.sum() < 8:
            continue
        # Depth of a corner: of the landmarks around it.
        distance = np.linalg.norm(corners[:, None] - face[rigid][None], axis=-1) + 1
        depth = np.sum(camera[t, rigid, 2] / distance**2, 1) / np.sum(1 / distance**2, 1)
        seen = np.concatenate(
            [(corners - centre) * depth[:, None] / track.focal, depth[:, None]], 1
        )
        pose, following = track.world_to_camera[t], track.world_to_camera[t + 1]
        world = (seen - pose[:3, 3]) @ pose[:3, :3]
        moved = world @ following[:3, :3].T + following[:3, 3]
        predicted = track.focal * moved[:, :2] / moved[:, 2:] + centre - corners
        differences.append(np.median((motion - predicted)[good], axis=0))
        motions.append(np.median(motion[good], axis=0))
    rms = [np.sqrt(np.mean(np.square(x), axis=0)) for x in (differences, motions)]
    return {
        "difference_x": float(rms[0][0]),
        "difference_y": float(rms[0][1]),
        "motion_x": float(rms[1][0]),
        "motion_y": float(rms[1][1]),
    }


def _label(folder: pathlib.Path, number: int) -> np.ndarray:
    """The label picture of one frame."""
    parsing = files.read_picture(folder / files.PARSING / f"{number}.png")
    return labels.from_parsing(parsing, np.load(folder / files.TEETH / f"{number}.npy"))


def mask_stability(folder: pathlib.Path, frames, part: range) -> dict:
    """Returns the mean frame-to-frame IoU of masks after flow warping, and the changed pixels.

    Args:
      folder: of the data set.
      frames: its frames.
      part: frame numbers.
    """
    overlaps: dict[str, list[float]] = {name: [] for name in stability.REGIONS}
    changed = []
    previous = None
    for t in part:
        image = frames[t]
        picture = _label(folder, t)
        if previous is not None:
            found = stability.warped_iou(previous[0], picture, previous[1], image)
            for name in stability.REGIONS:
                overlaps[name].append(found[name])
            changed.append(found["changed"])
        previous = picture, image
    result = {name: float(np.nanmean(values)) for name, values in overlaps.items()}
    return result | {
        "changed": float(np.mean(changed)),
        "worst_person": float(np.nanmin(overlaps["person"])),
    }


def smear_at_cuts(folder: pathlib.Path, frames, found: landmarks.Landmarks) -> dict:
    """Returns how far results beside jump cuts depend on the other side of the cut.

    Args:
      folder: of the data set.
      frames: its frames.
      found: its landmarks.

    Returns:
      The cuts; the largest distance of fused landmarks from plain detections in the frames on both
      sides of a cut, and its median anywhere, pixels; the smallest IoU of the person's stored mask
      in the first frame after a cut with a mask made from that frame on.
    """
    if not len(found.cuts):
        return {"cuts": []}
    with np.load(folder / files.LANDMARKS) as stored:
        faces = landmarks.Faces(stored["boxes"], stored["counts"], found.cuts)
    boxes, _ = landmarks.smooth_boxes(faces)
    _, predictor = landmarks.load_models()

    def distance(t: int) -> float:
        plain = landmarks.predict(frames[t], boxes[t], predictor)
        return float(np.median(np.linalg.norm(plain - found.points[t], axis=-1)))

    beside = [distance(t) for cut in found.cuts for t in (cut - 1, cut)]
    anywhere = [distance(t) for t in range(5, len(frames), 97)]
    segmenter = segmentation.fit(jax.random.key(0), frames, found.points)
    overlaps = []
    for cut in found.cuts:
        alone = next(
            iter(segmentation.apply(segmenter, [frames[cut]], found.points[cut : cut + 1]))
        )
        a = labels.isin(alone, labels.PERSON)
        b = labels.isin(_label(folder, int(cut)), labels.PERSON)
        overlaps.append(float((a & b).sum() / (a | b).sum()))
    return {
        "cuts": [int(cut) for cut in found.cuts],
        "landmarks_beside_cuts_px": max(beside),
        "landmarks_anywhere_px": float(np.median(anywhere)),
        "person_iou_after_cuts": min(overlaps),
    }


def measure(folder: pathlib.Path, stretch: tuple[int, int]) -> dict:
    """Returns all figures of one data set.

    Args:
      folder: of the data set, made at 512 pixels.
      stretch: first frame, and one past the last, of what is compared with the study.
    """
    job = stages.Job(folder, stages.Settings(), {}, lambda iterable, name: iterable)
    frames, found = job.frames(), job.landmarks()
    part = range(*stretch)
    grays = [cv2.cvtColor(frames[t], cv2.COLOR_RGB2GRAY) for t in part]
    points = found.points[part.start : part.stop]
    track = tracking.track(
        jax.random.key(0),
        points,
        found.found[part.start : part.stop],
        width=SIZE,
        height=SIZE,
        cuts=np.zeros(0, np.int64),
    )
    groups = {"rigid": face68.RIGID, "all": range(68), "lips": face68.LIPS, "brow": face68.BROWS}
    residual = {n: float(np.median(track.residual[:, list(g)])) for n, g in groups.items()}
    residual["rigid_p95"] = float(np.percentile(track.residual[:, list(face68.RIGID)], 95))
    whole = job.track()
    lids = face68.lid_gap(
        action_units.head_points(whole, found.points + 0.5 - np.array([SIZE, SIZE]) / 2)
    )
    lid_distances = [
        np.linalg.norm(points[:, a] - points[:, b], axis=-1) for a, b in face68.LID_PAIRS
    ]
    return {
        "frames": len(frames),
        "still_jitter_px": still_jitter(points, grays),
        "mouth_gap_std_px": float(face68.lip_gap(points).std()),
        "smallest_lid_distance_px": float(np.min(lid_distances)),
        "reprojection_px": residual,
        "reprojection_whole_clip_px": float(np.median(whole.residual[:, list(face68.RIGID)])),
        "flow_check_px": flow_check(track, points, grays),
        "masks": mask_stability(folder, frames, part),
        "blinks": [int(t) for t in action_units.blinks(action_units.eye_drop(lids))],
        "jump_cuts": smear_at_cuts(folder, frames, found),
    }


def main(argv: list[str]) -> None:
    """Runs the experiment."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    clips, runs = pathlib.Path(_CLIPS.value), pathlib.Path(_RUNS.value)
    out = {"command": "python experiments/preprocess_quality.py --clips DIR --runs RUNS --out FILE"}
    try:
        for name, stretch in STRETCHES.items():
            video = clips / f"{name}.mp4"
            manifest = pipeline.run(
                runs / name, pipeline.Settings(video=video, size=SIZE), stages=list(pipeline.STAGES)
            )
            done = manifest["stages"]
            out[name] = measure(runs / name, stretch) | {
                "stretch": stretch,
                "ms_cpu_per_frame": {
                    stage: round(1000 * x["cpu_seconds"] / x["frames"], 2)
                    for stage, x in done.items()
                },
                "peak_memory_mb": max(x["peak_memory_mb"] for x in done.values()),
            }
            print(name, json.dumps(out[name], indent=1))
        files.write_text(pathlib.Path(_OUT.value), json.dumps(out, indent=1) + "\n")
    except DataError as error:
        sys.exit(f"preprocess_quality: {error}")


if __name__ == "__main__":
    app.run(main)
